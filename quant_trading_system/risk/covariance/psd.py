"""Matrices that are covariances: deviations and correlations, and the repair of those that are not quite.

A matrix put together from pairs of columns with different rows need not be positive semi-definite. Two named
repairs exist: the nearest correlation matrix, and raising the eigenvalues below zero.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import EstimateError

Floats = NDArray[np.float64]

SLACK = 1e-10
"""An eigenvalue of a correlation matrix above −SLACK counts as not negative."""
_HIGHAM_ROUNDS = 500


class Repair(StrEnum):
    """What to do with a matrix that is not positive semi-definite."""

    REFUSE = "refuse"
    HIGHAM = "higham"
    CLIP = "clip"


def deviations(matrix: Floats) -> Floats:
    """Standard deviations [N]: roots of the diagonal.

    Raises:
        EstimateError: a variance is zero or negative; something that never moved has no risk to share.
    """
    variances = np.diag(matrix)
    if not (variances > 0).all():
        still = np.flatnonzero(~(variances > 0)).tolist()
        raise EstimateError(f"column {still[0]} has no variance; leave out what never moved ({len(still)} in all)")
    return np.sqrt(variances)


def correlations(matrix: Floats) -> Floats:
    """The correlation matrix [N, N] of a covariance, with ones on the diagonal; errors as `deviations`."""
    sigma = deviations(matrix)
    found = matrix / np.outer(sigma, sigma)
    np.fill_diagonal(found, 1.0)
    return found


def is_positive_semidefinite(matrix: Floats) -> bool:
    """True when no eigenvalue of the matrix's correlations is below −1e-10.

    Asked by a Cholesky factorisation of the correlations plus 1e-10 on the diagonal, which is ten times faster than
    eigenvalues.
    """
    try:
        np.linalg.cholesky(correlations(matrix) + SLACK * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    return True


def repaired(matrix: Floats, repair: Repair) -> Floats:
    """The matrix itself when it is positive semi-definite, else the repaired one; variances stay as they are.

    Raises:
        EstimateError: it needs a repair and `repair` is ``refuse``, or a variance is zero.
    """
    if is_positive_semidefinite(matrix):
        return matrix
    if repair is Repair.REFUSE:
        raise EstimateError("the matrix is not positive semi-definite; repair it with higham or clip")
    sigma = deviations(matrix)
    method = nearest_correlation if repair is Repair.HIGHAM else clip_eigenvalues
    return method(correlations(matrix)) * np.outer(sigma, sigma)


def nearest_correlation(matrix: Floats, tolerance: float = 1e-10) -> Floats:
    """The correlation matrix that is nearest to a symmetric `matrix` in the Frobenius norm.

    Alternating projections onto positive semi-definite matrices and onto those with ones on the diagonal, the
    former with Dykstra's correction.

    Raises:
        EstimateError: not converged in 500 rounds.

    Source:
        Higham (2002), Computing the nearest correlation matrix, algorithm 3.3.
    """
    correction = np.zeros_like(matrix)
    current = (matrix + matrix.T) / 2
    for _ in range(_HIGHAM_ROUNDS):
        shifted = current - correction
        projected = _without_negative_eigenvalues(shifted, 0.0)
        correction = projected - shifted
        before, current = current, projected.copy()
        np.fill_diagonal(current, 1.0)
        change = np.linalg.norm(current - before) / np.linalg.norm(current)
        if change <= tolerance and np.linalg.norm(current - projected) <= tolerance * np.linalg.norm(current):
            return clip_eigenvalues(current)
    raise EstimateError(f"no nearest correlation matrix within {_HIGHAM_ROUNDS} rounds; repair with clip")


def clip_eigenvalues(matrix: Floats, floor: float = 0.0) -> Floats:
    """Raise the eigenvalues of a correlation matrix below `floor` to it, and bring the diagonal back to ones.

    Quick, but not the nearest one.

    Source:
        Rebonato & Jäckel (1999), spectral decomposition.
    """
    raised = _without_negative_eigenvalues(matrix, floor)
    return correlations((raised + raised.T) / 2)


def _without_negative_eigenvalues(matrix: Floats, floor: float) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    product: Floats = (vectors * np.maximum(values, floor)) @ vectors.T
    return product
