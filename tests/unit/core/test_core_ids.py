"""Ids are pure functions of what they name."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from quant_trading_system.core.ids import (
    MAX_CLIENT_ORDER_ID,
    OUR_PREFIX,
    IntentCounter,
    OrderName,
    client_order_id,
    execution_id,
    original_id,
    parse_client_order_id,
    replacement_id,
    run_id,
    sender_run_id,
)


def test_the_id_of_a_run_is_the_same_on_every_machine():
    assert "820668f12af6" == run_id("momentum", 7, "9f86d081")


@pytest.mark.parametrize(
    "other", [("momentum", 8, "9f86d081"), ("momentum", "9f86d081", 7), ("momentum7", "9f86d081"), ("momentum",), ()]
)
def test_other_parts_make_another_run(other):
    assert run_id("momentum", 7, "9f86d081") != run_id(*other)


def test_the_same_intent_has_the_same_client_order_id_for_ever():
    assert "5f1c-12-3" == client_order_id("5f1c", 12, 3) == client_order_id("5f1c", 12, 3)
    assert "5f1c-12-0" == client_order_id("5f1c", 12)


def test_no_two_intents_share_a_client_order_id():
    names = list(product(["a", "a-1", "1", "a-1-1"], [0, 1, 11, 111], [0, 1, 11]))
    assert len(names) == len({client_order_id(*name) for name in names})


def test_client_order_ids_fit_the_broker():
    longest = client_order_id(run_id("any"), 10**15, 10**6)
    assert len(longest) <= MAX_CLIENT_ORDER_ID == 128


def test_executions_of_one_order_are_numbered():
    assert ["v7:1", "v7:2"] == [execution_id("v7", n) for n in (1, 2)]


def test_intents_are_numbered_from_one():
    counter = IntentCounter("5f1c")
    assert ["5f1c-1-0", "5f1c-2-0"] == [counter.next_order_id() for _ in range(2)]


def test_after_a_restart_numbering_goes_on_after_the_last_known_intent():
    assert "5f1c-42-0" == IntentCounter("5f1c", last=41).next_order_id()


def test_threads_never_get_the_same_number():
    counter = IntentCounter("5f1c")
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: counter.next_order_id(), range(2000)))
    assert {f"5f1c-{n}-0" for n in range(1, 2001)} == set(ids)


@pytest.mark.parametrize("epoch", [1, 7, 10**9])
def test_an_id_tells_the_run_the_intent_and_the_epoch_of_its_sender(epoch):
    run = sender_run_id(epoch, "account", "host")
    assert run.startswith(f"{OUR_PREFIX}{epoch}-")
    assert parse_client_order_id(client_order_id(run, 12, 3)) == OrderName(run, 12, 3, epoch)
    assert len(client_order_id(run, 10**15, 10**6)) <= MAX_CLIENT_ORDER_ID


def test_an_id_of_a_run_without_a_lock_has_no_epoch():
    assert parse_client_order_id("5f1c-12-3") == OrderName("5f1c", 12, 3, 0)


@pytest.mark.parametrize(
    "text",
    ["", "qts7", "qts7-5f1c", "qts7-5f1c-1", "qts0-5f1c-1-0", "qts-5f1c-1-0", "xyz-1-0", "5f1c-1-0\n", "5f1c-¹-0"],
)
def test_what_nobody_here_has_written_is_not_ours(text):
    assert parse_client_order_id(text) is None


def test_two_hosts_that_share_nothing_give_their_orders_other_names():
    assert sender_run_id(1, "account", "one host") != sender_run_id(1, "account", "another host")


def test_a_replacement_bears_the_name_of_the_order_whose_place_it_takes():
    first = client_order_id("qts7-5f1c", 12)
    second = replacement_id(first, 3)
    assert (second, original_id(second), original_id(first)) == ("qts7-5f1c-12-0.r3", first, first)
    assert parse_client_order_id(second) == parse_client_order_id(first)
    assert parse_client_order_id("qts7-5f1c-12-0.rx") is None
