"""A cluster that cannot be joined is told in time and in words."""

from __future__ import annotations

import socket

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
