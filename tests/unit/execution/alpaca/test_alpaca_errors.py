"""What an answer that is no success means: a definite no only where the broker itself says so with a code."""

from __future__ import annotations

import json

import pytest

from quant_trading_system.execution.alpaca_errors import Meaning, classify, classify_item, harmless
from quant_trading_system.execution.transport import Reply
from tests.support.alpaca_lines import refusal

M = Meaning

ANSWERS = """
401  40110000  refused keys                                        credentials   certain
401  40110000  unauthorized.                                       credentials   certain
403  0         forbidden.                                          credentials   certain
400  40010000  request body is not json                            refused       certain
422  40010001  qty or notional is required                         refused       certain
400  40010001  only one of qty or notional is accepted             refused       certain
422  40010001  symbol is required                                  refused       certain
422  40010001  invalid side                                        refused       certain
422  40010001  invalid order type                                  refused       certain
422  40010001  invalid time_in_force                               refused       certain
422  40010001  limit orders require a limit price                  refused       certain
422  40010001  stop orders require a stop price                    refused       certain
422  40010001  stop limit orders require both prices               refused       certain
422  40010001  market orders require no price                      refused       certain
422  40010001  limit orders must not have stop_price               refused       certain
422  40010001  trailing stops need exactly one trail               refused       certain
422  40010001  bracket orders require take_profit.limit_price      refused       certain
422  40010001  oto orders require one exit                         refused       certain
422  40010001  order_id is missing                                 refused       certain
422  40010001  asset KO is not active                              refused       certain
422  40010001  client_order_id must be no more than 128 characters refused       certain
422  40010001  client_order_id must be unique                      duplicate_id  unknown
400  40010001  client order id is in use already                   duplicate_id  unknown
422  42210000  client_order_id must be unique                      duplicate_id  unknown
422  42210000  sub-penny increment in limit_price 61.255           refused       certain
422  42210000  qty must be > 0                                     refused       certain
422  42210000  notional amount must be >= 1.00                     refused       certain
422  42210000  fractional orders must be DAY orders                refused       certain
422  42210000  fractional orders cannot be sold short              refused       certain
422  42210000  extended hours order must be DAY limit orders       refused       certain
422  42210000  asset "NOPE" not found                              refused       certain
422  42210000  take_profit.limit_price is below base_price         refused       certain
422  42210000  order is already in "filled" state                  refused       certain
422  42210000  cannot replace order in accepted status             refused       certain
422  42210000  order already replaced                              refused       certain
422  42210000  order parameters are not changed                    refused       certain
422  42210000  qty must be > filled_qty                            refused       certain
422  42210000  order pending cancel                                refused       certain
403  40310000  insufficient buying power                           refused       certain
403  40310000  insufficient qty available for order                refused       certain
403  40310000  potential wash trade detected                       refused       certain
403  40310000  a long buy order is open                            refused       certain
403  40310000  account is not allowed to short                     refused       certain
403  40310000  asset "KO" is not fractionable                      refused       certain
403  40310000  account not authorized to trade                     refused       certain
403  40310100  day trades                                          refused       certain
403  42210000  recent data is not in the plan                      refused       certain
404  40410000  order not found for 1234                            not_found     certain
404  40410000  position does not exist                             not_found     certain
404  40410000  symbol not found: NOPE                              not_found     certain
404  40410000  endpoint not found.                                 unknown       unknown
404  0         page not found                                      unknown       unknown
429  42910000  rate limit exceeded                                 rate_limited  certain
429  0         too many requests.                                  rate_limited  certain
500  50010000  internal server error occurred                      unknown       unknown
500  42210000  a code that contradicts its status                  unknown       unknown
503  0         maintenance                                         unknown       unknown
504  0         upstream timed out                                  unknown       unknown
408  40810000  request timed out                                   unknown       unknown
409  0         conflict                                            unknown       unknown
422  0         no code at all                                      unknown       unknown
422  99910000  a family that nobody knows                          unknown       unknown
302  0         elsewhere                                           unknown       unknown
"""
"""Status, code, message; what it means, and whether that is certain."""


@pytest.mark.parametrize("row", ANSWERS.strip().splitlines())
def test_every_answer_of_the_broker_has_its_meaning(row):
    status, code, rest = row.split(maxsplit=2)
    *words, meaning, certainty = rest.split()
    problem = classify(refusal(int(status), int(code), " ".join(words)))
    assert (problem.meaning, problem.is_certain) == (M(meaning), certainty == "certain")
    assert (problem.status, problem.code) == (int(status), int(code))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"code": 40310000, "mess',
        b'["not", "an", "object"]',
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b"[" * 5000,
        b'{"message": 17, "code": "40310000"}',
    ],
    ids=["empty", "page", "cut", "list", "text", "null", "no text", "deep", "wrong types"],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 502, 503])
@pytest.mark.fault("answer-unreadable")
def test_a_body_that_is_not_the_brokers_proves_nothing(status, body):
    """Gateways answer in the broker's place; the request may have been executed all the same."""
    assert not classify(Reply(status, body)).is_certain


def test_further_fields_are_kept_as_text():
    reply = refusal(403, 40310000, "insufficient qty", available="3", related_orders=["a", "b"], depth={"x": 1})
    assert classify(reply).details == {"available": "3", "related_orders": "a, b", "depth": '{"x":1}'}


def test_a_complaint_about_a_read_needs_no_code():
    """A read executes nothing; the market data host answers bad parameters with a message alone."""
    reply = Reply(400, b'{"message": "invalid timeframe"}')
    assert classify(reply, is_read=True).is_certain
    assert not classify(reply).is_certain
    assert not classify(Reply(404, b'{"message": "Not Found"}'), is_read=True).is_certain


def test_an_entry_of_a_bulk_answer_is_a_plain_no_even_with_status_500():
    entry = json.dumps({"code": 42210000, "message": "order is already filled"}).encode()
    problem = classify_item(500, entry)
    assert (problem.meaning, problem.is_certain) == (M.REFUSED, True)
    assert not classify_item(500, b"").is_certain


@pytest.mark.fault("order-rejected")
def test_words_from_outside_cannot_forge_a_line_nor_fill_a_log():
    assert harmless("bad\n2027-03-09 INFO all is well\x1b[31m") == "bad 2027-03-09 INFO all is well [31m"
    assert len(harmless("x" * 100_000)) == 301
