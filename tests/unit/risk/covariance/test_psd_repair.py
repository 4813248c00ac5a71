"""Repairs of matrices that are nearly covariances, against the examples of the paper."""

from __future__ import annotations

import numpy as np
import pytest

from quant_trading_system.core.exceptions import EstimateError
from quant_trading_system.risk.covariance.psd import (
    Repair,
    clip_eigenvalues,
    correlations,
    is_positive_semidefinite,
    nearest_correlation,
    repaired,
)


def test_highams_three_by_three():
    """Higham (2002), section 4: the distance is 0.5278."""
    given = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    found = nearest_correlation(given)
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(found, expected, atol=6e-5)
    assert np.linalg.norm(found - given) == pytest.approx(0.5278, abs=5e-5)


def test_highams_tridiagonal_example():
    """Higham (2002), section 4: 2 on the diagonal, −1 beside it."""
    given = 2 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)
    found = nearest_correlation(given)
    expected = [[1, -0.8084, 0.1916, 0.1068], [-0.8084, 1, -0.6562, 0.1916]]
    np.testing.assert_allclose(found[:2], expected, atol=6e-5)


def broken(seed, size=12):
    rng = np.random.Generator(np.random.PCG64(seed))
    x = rng.normal(size=(size + 5, size))
    noise = rng.normal(0, 0.3, size=(size, size))
    bad = np.clip(np.corrcoef(x.T) + noise + noise.T, -1, 1)
    np.fill_diagonal(bad, 1)
    assert not is_positive_semidefinite(bad)
    return bad


@pytest.mark.parametrize("seed", range(5))
def test_repairs_give_correlations_and_higham_the_nearest(seed):
    bad = broken(seed)
    near, clipped = nearest_correlation(bad), clip_eigenvalues(bad)
    for matrix in (near, clipped):
        assert np.linalg.eigvalsh(matrix).min() > -1e-12
        np.testing.assert_allclose(np.diag(matrix), 1, rtol=0, atol=1e-15)
        np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-15)
    assert np.linalg.norm(near - bad) < np.linalg.norm(clipped - bad)


@pytest.mark.parametrize("seed", range(5))
def test_no_small_step_from_highams_matrix_is_nearer(seed):
    """Towards any other correlation matrix the distance grows."""
    bad = broken(seed)
    near = nearest_correlation(bad)
    rng = np.random.Generator(np.random.PCG64(seed + 100))
    for _ in range(50):
        other = np.corrcoef(rng.normal(size=(20, 12)).T)
        assert np.vdot(bad - near, other - near) <= 1e-7


def test_what_is_sound_is_not_touched():
    sound = np.array([[0.04, 0.01], [0.01, 0.09]])
    for repair in Repair:
        assert repaired(sound, repair) is sound


def test_a_singular_matrix_is_sound():
    assert is_positive_semidefinite(np.ones((3, 3)))
    assert not is_positive_semidefinite(np.array([[1, 1 + 1e-6], [1 + 1e-6, 1]]))


def test_variances_survive_a_repair():
    sigma = np.array([0.1, 0.2, 0.3])
    bad = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]) * np.outer(sigma, sigma)
    for repair in (Repair.HIGHAM, Repair.CLIP):
        fixed = repaired(bad, repair)
        np.testing.assert_allclose(np.diag(fixed), sigma**2, rtol=1e-12)
        assert np.linalg.eigvalsh(correlations(fixed)).min() > -1e-12


def test_no_variance_is_refused():
    with pytest.raises(EstimateError, match="column 1 has no variance"):
        correlations(np.array([[1.0, 0], [0, 0]]))
