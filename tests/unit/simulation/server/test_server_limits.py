"""How many connections the process may hold."""

import sys

import pytest

from quant_trading_system.simulation.alpaca_server import server

resource = pytest.importorskip("resource")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_the_limit_of_open_files_is_raised_and_never_lowered(monkeypatch):
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    asked = before - 1
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (asked, most))
        monkeypatch.setattr(server, "MOST_FILES", before)
        server.allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before, most)
        monkeypatch.setattr(server, "MOST_FILES", asked)
        server.allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))
