"""Random numbers by name: the same wherever they are drawn, and normal enough."""

from hashlib import blake2b

import numpy as np

from quant_trading_system.simulation.noise import keys, normals, normals_of

NAMES = ("path/KO", "path/PEP", "path/AAPL")


def test_the_draws_of_a_symbol_do_not_depend_on_the_others():
    together = normals(keys(7, NAMES), 19_000, 13)
    for column, name in enumerate(NAMES):
        alone = normals(keys(7, (name,)), 19_000, 13)
        assert np.array_equal(together[:, column], alone[:, 0])


def test_the_draws_of_a_day_do_not_depend_on_the_others():
    names, days = keys(7, NAMES), np.array([19_000, 0, 19_001])
    together = normals_of(names, days, 13)
    assert together.shape == (3, 13, 3)
    for place, day in enumerate(days.tolist()):
        assert np.array_equal(together[place], normals(names, day, 13))


def test_fewer_rows_are_the_beginning_of_more():
    names = keys(7, NAMES)
    assert np.array_equal(normals(names, 5, 4), normals(names, 5, 20)[:4])


def test_seed_symbol_and_day_each_change_everything():
    base = normals(keys(7, NAMES), 19_000, 13)
    assert not np.any(base == normals(keys(8, NAMES), 19_000, 13))
    assert not np.any(base == normals(keys(7, NAMES), 19_001, 13))
    assert not np.any(base[:, 0] == base[:, 1])


def test_the_draws_are_those_of_splitmix64_in_plain_integers():
    """Twelve pieces of 16 bits from three words make one deviate."""
    bits = 2**64 - 1
    golden = 0x9E3779B97F4A7C15

    def mixed(state):
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & bits
        state = (state ^ state >> 27) * 0x94D049BB133111EB & bits
        return state ^ state >> 31

    key = int.from_bytes(blake2b(b"1/path/KO", digest_size=8).digest())
    start = mixed((key + 19_000 * golden) & bits)
    words = [mixed((start + number * golden) & bits) for number in range(1, 10)]
    sums = [sum(word >> 16 * n & 0xFFFF for word in words[i : i + 3] for n in range(4)) for i in (0, 3, 6)]
    assert normals(keys(1, ("path/KO",)), 19_000, 3)[:, 0].tolist() == [(total - 393_210) / 65_536 for total in sums]


def test_the_deviates_are_standard_normal():
    draws = np.concatenate([normals(keys(3, NAMES), day, 50).ravel() for day in range(400)])
    assert len(draws) == 60_000
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.01
    assert abs((np.abs(draws) < 1.959964).mean() - 0.95) < 0.005
    assert np.abs(draws).max() <= 6


def test_neighbouring_days_and_rows_are_not_correlated():
    names = keys(3, tuple(f"S{i}" for i in range(200)))
    today, tomorrow = normals(names, 100, 10), normals(names, 101, 10)
    assert abs(np.corrcoef(today.ravel(), tomorrow.ravel())[0, 1]) < 0.06
    assert abs(np.corrcoef(today[:-1].ravel(), today[1:].ravel())[0, 1]) < 0.06
