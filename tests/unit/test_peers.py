"""The workloads that are run beside other libraries: ours, and one that is told sides, come to what is expected."""

from __future__ import annotations

import pytest

from tools.peers import backtests, ours
from tools.peers.backtests import PEERS, WORKLOADS, Peer, measured_apart
from tools.peers.work import Done, Given, rests, trades


def small(workload):
    return Given(workload, bars=1_000, most_pairs=4)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_ours_comes_to_what_the_bare_loop_says(workload):
    given = small(workload)
    expected = given.expected()
    assert ours.OURS[workload](given)() == expected
    assert expected.orders == 0 if workload == "W5" else expected.orders > 4
    assert expected.fills > 4


@pytest.mark.parametrize("workload", ours.ASKED_ONCE)
def test_a_strategy_that_is_asked_once_comes_to_the_same(workload):
    given = small(workload)
    assert ours.ASKED_ONCE[workload](given)() == given.expected()


def at_the_close(frames, *, cash, fee, shares):
    """The least that a peer can be: everything fills at the close, without a spread."""

    def trade(sides):
        left, orders, held = cash, [], [0] * len(frames)
        for row in zip(*(frame["close"].tolist() for frame in frames), strict=True):
            for symbol, close in enumerate(row):
                if side := sides[symbol](close):
                    orders.append(side)
                    left -= side * shares * close + fee
                    held[symbol] += side * shares
        return Done(len(orders), len(orders), orders.count(1), left, held)

    return trade


@pytest.mark.parametrize("workload", ["W1", "W2", "W3", "W7"])
def test_whoever_fills_at_the_close_comes_to_the_same(workload):
    given = small(workload)
    assert trades(at_the_close)(given)() == given.expected()


def test_limits_rest_below_what_any_bar_reaches():
    given = small("W3b")
    (frame,) = given.frames()

    def rester(frames, *, cash, fee, shares):
        def rest(limit):
            prices = [limit(close) for close in frames[0]["close"].tolist()]
            assert prices[-1] is None
            assert all(price < low for price, low in zip(prices[:-1], frame["low"].tolist()[1:], strict=True))
            return Done(len(prices) - 1, len(prices) - 1, 0, cash)

        return rest

    assert rests(rester)(given)() == given.expected()


def test_every_peer_runs_workloads_that_there_are():
    assert all(set(peer.workloads.split()) <= set(WORKLOADS) for peer in PEERS.values())
    assert all((backtests.HERE / f"{peer.module.partition(':')[0]}.py").exists() for peer in PEERS.values())


def test_a_peer_without_its_python_is_left_out(monkeypatch):
    monkeypatch.setitem(PEERS, "far away", Peer("far_away:KNOWS", "W1", environment="nowhere"))
    assert measured_apart("far away", "W1") == "left out: there is no Python for it here"


def test_what_fails_is_told(monkeypatch):
    monkeypatch.setitem(PEERS, "broken", Peer("broken:KNOWS", "W1"))
    monkeypatch.setenv("PYTHONPATH", str(backtests.HERE.parent.parent))
    assert measured_apart("broken", "W1").startswith("failed: KeyError: 'broken'")
