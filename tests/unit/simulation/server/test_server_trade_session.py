"""The protocol of the order stream, word for word."""

import pytest

from quant_trading_system.simulation.alpaca_server.trade_session import Answer, TradeSession

AUTHORIZED = {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
UNAUTHORIZED = {"stream": "authorization", "data": {"status": "unauthorized", "action": "authenticate"}}


def session():
    return TradeSession(lambda key, secret: (key, secret) == ("k", "s"), lambda token: token == "t")


@pytest.mark.parametrize(
    "message",
    [
        {"action": "authenticate", "data": {"key_id": "k", "secret_key": "s"}},
        {"action": "auth", "key": "k", "secret": "s"},
        {"action": "authenticate", "data": {"oauth_token": "t"}},
    ],
)
def test_every_form_of_credentials_is_taken(message):
    assert session().hear(message) == Answer(AUTHORIZED)


@pytest.mark.parametrize(
    "message",
    [
        {"action": "authenticate", "data": {"key_id": "k", "secret_key": "wrong"}},
        {"action": "authenticate", "data": {}},
        {"action": "authenticate"},
        {"action": "auth", "key": ["k"], "secret": "s"},
        {"action": "authenticate", "data": {"oauth_token": "wrong"}},
    ],
)
def test_wrong_credentials_are_told_and_sent_away(message):
    assert session().hear(message) == Answer(UNAUTHORIZED, close=True)


def test_nobody_listens_before_showing_keys():
    made = session()
    answer = made.hear({"action": "listen", "data": {"streams": ["trade_updates"]}})
    assert answer.message == {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}
    assert not made.listening


@pytest.mark.parametrize(
    ("streams", "told"),
    [(["trade_updates"], ["trade_updates"]), (["account_updates", "trade_updates"], ["trade_updates"]), ([], [])],
)
def test_the_acknowledgement_is_the_full_new_set_of_known_streams(streams, told):
    made = session()
    made.hear({"action": "auth", "key": "k", "secret": "s"})
    made.hear({"action": "listen", "data": {"streams": ["trade_updates"]}})
    answer = made.hear({"action": "listen", "data": {"streams": streams}})
    assert answer == Answer({"stream": "listening", "data": {"streams": told}})
    assert made.listening is bool(told)


@pytest.mark.parametrize(
    "message",
    [None, {}, {"action": 1}, {"action": "dance"}, {"action": "listen"}, {"action": "listen", "data": {"streams": 5}}],
)
def test_a_message_that_cannot_be_meant_is_an_error_and_the_connection_stays(message):
    made = session()
    made.hear({"action": "auth", "key": "k", "secret": "s"})
    answer = made.hear(message)
    assert answer.message["action"] == "error"
    assert answer.message["data"]["error_message"]
    assert not answer.close
