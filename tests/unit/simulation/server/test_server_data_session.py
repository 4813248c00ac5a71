"""The protocol of the market-data stream, word for word."""

import pytest

from quant_trading_system.simulation.alpaca_server.data_session import Answer, DataSession, Problem

GOOD = {"action": "auth", "key": "k", "secret": "s"}
NOTHING = {name: [] for name in ("quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")}


def session(feed="iex", *, authenticated=True, limit=0, problem=None):
    made = DataSession(feed, lambda credentials: problem, lambda: limit)
    if authenticated:
        made.hear(GOOD)
    return made


def errors(answer):
    return [(message.get("code"), message["msg"]) for message in answer.messages], answer.close


def test_good_keys_are_welcome_once():
    made = session(authenticated=False)
    assert made.hear(GOOD) == Answer(({"T": "success", "msg": "authenticated"},))
    assert errors(made.hear(GOOD)) == ([(403, "already authenticated")], False)


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (Problem.AUTH_FAILED, (402, "auth failed")),
        (Problem.CONNECTION_LIMIT, (406, "connection limit exceeded")),
        (Problem.NO_SUBSCRIPTION, (409, "insufficient subscription")),
    ],
)
def test_whoever_is_not_let_in_is_told_why_and_sent_away(problem, told):
    assert errors(session(authenticated=False, problem=problem).hear(GOOD)) == ([told], True)


def test_nobody_subscribes_before_showing_keys():
    answer = session(authenticated=False).hear({"action": "subscribe", "trades": ["SPY"]})
    assert errors(answer) == ([(401, "not authenticated")], False)


@pytest.mark.parametrize(
    "message",
    [
        None,
        {},
        {"action": 5},
        {"action": "dance"},
        {"action": "subscribe", "trades": "SPY"},
        {"action": "subscribe", "trades": [5]},
        {"action": "subscribe", "trades": ["not a symbol"]},
        {"action": "subscribe", "tradez": ["SPY"]},
    ],
)
def test_a_message_that_cannot_be_meant_changes_nothing(message):
    made = session()
    assert errors(made.hear(message)) == ([(400, "invalid syntax")], False)
    assert not any(made.subscriptions.values())


def test_the_answer_is_always_the_complete_set_and_corrections_follow_trades():
    made = session()
    made.hear({"action": "subscribe", "trades": ["SPY"], "bars": ["*"]})
    answer = made.hear({"action": "subscribe", "trades": ["AAPL"]})
    assert answer.messages == (
        {
            "T": "subscription", **NOTHING, "trades": ["AAPL", "SPY"], "bars": ["*"],
            "corrections": ["AAPL", "SPY"], "cancelErrors": ["AAPL", "SPY"],
        },
    )  # fmt: skip
    answer = made.hear({"action": "unsubscribe", "trades": ["AAPL", "SPY"]})
    assert answer.messages[0]["trades"] == answer.messages[0]["corrections"] == []
    assert answer.messages[0]["bars"] == ["*"]


def test_a_star_wants_every_symbol_and_a_name_only_its_own():
    made = session()
    made.hear({"action": "subscribe", "trades": ["spy"], "quotes": ["*"]})
    assert made.wants("trades", "SPY")
    assert made.wants("corrections", "SPY")
    assert not made.wants("trades", "AAPL")
    assert made.wants("quotes", "AAPL")
    assert not made.wants("bars", "SPY")


def test_one_symbol_too_many_leaves_the_subscriptions_as_they_were():
    made = session(limit=2)
    made.hear({"action": "subscribe", "trades": ["A", "B"]})
    assert errors(made.hear({"action": "subscribe", "bars": ["C"]})) == ([(405, "symbol limit exceeded")], False)
    assert made.subscriptions["trades"] == {"A", "B"}
    assert made.subscriptions["bars"] == set()


@pytest.mark.parametrize("channel", ["orderbooks", "news", "imbalances"])
def test_channels_of_other_feeds_are_not_to_be_had_here(channel):
    answer = session().hear({"action": "subscribe", channel: ["SPY"]})
    assert errors(answer) == ([(410, "invalid subscribe action for this feed")], False)


def test_the_test_feed_has_three_channels():
    made = session("test")
    answer = made.hear({"action": "subscribe", "trades": ["FAKEPACA"]})
    assert answer.messages == ({"T": "subscription", "trades": ["FAKEPACA"], "quotes": [], "bars": []},)
    assert errors(made.hear({"action": "subscribe", "statuses": ["*"]}))[0][0][0] == 410
