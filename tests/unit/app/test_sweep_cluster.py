"""A cluster that cannot be joined is told in time and in words."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest

from quant_trading_system.app.sweeping import cluster
from quant_trading_system.core.exceptions import ConfigurationError

pytest.importorskip("ray")


def test_something_that_answers_and_is_no_cluster_does_not_hold_up_a_sweep(monkeypatch):
    monkeypatch.setattr(cluster, "JOIN_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=r"no cluster could be joined in 2 s; is it Ray.*node-ip-address"):
            cluster._require_cluster(address)


def test_why_a_cluster_cannot_be_joined_is_passed_on(monkeypatch):
    monkeypatch.setattr(cluster, "_TRY", "import sys; sys.exit('a version of its own')")
    with pytest.raises(ConfigurationError, match=r"cannot be joined \(a version of its own\); look at `ray status`"):
        cluster._require_cluster("127.0.0.1:1")


@pytest.mark.parametrize(("own", "alone"), [("127.0.0.1", False), ("127.0.0.2", True)])
def test_a_cluster_on_the_loopback_alone_is_told_from_one_for_others(monkeypatch, own, alone):
    """Of the latter Ray wants the address that others know."""
    monkeypatch.setattr(cluster, "_own_address", lambda: own)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert cluster._is_on_loopback_alone(f"127.0.0.1:{port}") is alone
        assert cluster._is_on_loopback_alone(f"localhost:{port}") is alone
    assert not cluster._is_on_loopback_alone("auto")
    assert not cluster._is_on_loopback_alone("10.0.0.5:6379")


def test_a_process_of_the_cluster_makes_ready_once_for_all_trials_of_a_sweep(monkeypatch):
    begun = []

    class Told:
        def __init__(self, work, history):
            begun.append((work, history))

        def run(self, task):
            return f"{task} of {begun[-1][0]}"

    def read(references):
        return [reference.removeprefix("at ") for reference in references]

    monkeypatch.setattr(cluster, "Trials", Told)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=read))
    cluster._trials_of.cache_clear()
    told = [
        cluster._trial(cluster.__version__, sweep, task)
        for sweep, task in (
            (("at work", "at prices"), 1),
            (("at work", "at prices"), 2),
            (("at other work", "at other prices"), 1),
        )
    ]
    cluster._trials_of.cache_clear()
    assert told == ["1 of work", "2 of work", "1 of other work"]
    assert begun == [("work", "prices"), ("other work", "other prices")]
