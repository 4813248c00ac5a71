"""What holds for every number, moment and fill, not only for the ones that somebody thought of."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.ids import client_order_id
from quant_trading_system.core.numbers import (
    ceil_to_tick,
    cents_up,
    divide,
    exact,
    floor_to_lot,
    floor_to_tick,
    from_float,
    is_on_tick,
    nearest_tick,
    plain,
    tick_of,
)
from quant_trading_system.core.positions import Position

OPEN = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def for_all(*values):
    """`given`, and no time limit for one example: something else may be running on the machine."""
    return lambda test: settings(deadline=None)(given(*values)(test))


def decimals(places, least, most):
    """Decimals with exactly `places` decimals from `least` to `most` steps of the last one."""
    return st.integers(least, most).map(lambda steps: Decimal(steps).scaleb(-places))


NUMBERS = st.integers(0, 9).flatmap(
    lambda places: decimals(places, -(10 ** (15 + places)) + 1, 10 ** (15 + places) - 1)
)
PRICES = st.one_of(decimals(4, 1, 50_000_000), decimals(2, 1, 50_000_000), decimals(9, 1, 10**11))
QUANTITIES = st.one_of(decimals(0, 1, 100_000), decimals(9, 1, 10**13), decimals(9, 1, 1000))
FEES = st.one_of(st.just(Decimal(0)), decimals(2, 0, 10_000), decimals(9, 0, 10**9))


# -- numbers -----------------------------------------------------------------------------------------------------------


@for_all(NUMBERS)
def test_every_number_in_range_is_read_from_its_text_digit_by_digit(number):
    assert str(number) == str(exact(number)) == str(exact(str(number)))


@for_all(NUMBERS)
def test_plain_text_says_the_same_number_in_the_fewest_characters(number):
    text = plain(number)
    assert number == exact(text)
    assert "E" not in text
    assert not ("." in text and text.endswith(("0", ".")))
    assert text != "-0"


@for_all(st.decimals())
def test_whatever_is_read_is_finite_in_range_and_has_at_most_nine_decimals(value):
    try:
        number = exact(value)
    except InvalidNumber:
        return
    assert value == number
    assert abs(number) < 10**15
    assert int(number.as_tuple().exponent) >= -9


@for_all(st.text(alphabet="0123456789+-.eEnaiftysN_٣ ", max_size=80))
def test_text_is_a_number_or_is_refused(text):
    try:
        number = exact(text)
    except InvalidNumber:
        return
    assert Decimal(text) == number
    assert set(text.strip()) <= set("0123456789+-.eE")


@for_all(PRICES)
def test_a_price_lies_between_its_two_legal_neighbours(price):
    below, nearest, above = floor_to_tick(price), nearest_tick(price), ceil_to_tick(price)
    assert below <= price <= above
    assert above - below in {0, tick_of(price)}
    assert nearest in {below, above}
    assert abs(price - nearest) <= tick_of(price) / 2
    assert is_on_tick(below)
    assert is_on_tick(above)
    assert is_on_tick(price) is (below == price == above)


@for_all(NUMBERS, st.one_of(decimals(0, 1, 1000), decimals(9, 1, 10**12)))
def test_flooring_to_a_lot_takes_away_less_than_one_lot_and_never_changes_sides(quantity, lot):
    floored = floor_to_lot(quantity, lot)
    assert 0 == Fraction(floored) % Fraction(lot)
    assert 0 <= abs(Fraction(quantity)) - abs(Fraction(floored)) < Fraction(lot)
    assert quantity * floored >= 0


@for_all(decimals(9, 0, 10**15))
def test_fees_rise_by_less_than_a_cent(amount):
    assert 0 <= cents_up(amount) - amount < Decimal("0.01")


@for_all(st.floats(-1e14, 1e14), st.integers(0, 9))
def test_the_border_from_statistics_moves_a_float_by_half_a_step_at_most(value, places):
    step = Fraction(1, 10**places)
    assert abs(Fraction(from_float(value, places)) - Fraction(repr(value))) <= step / 2


@for_all(NUMBERS, NUMBERS.filter(bool), st.sampled_from(["1E-18", "1E-9", "0.01", "1"]))
def test_a_quotient_is_off_by_half_a_quantum_at_most(numerator, denominator, quantum):
    exact_quotient = Fraction(numerator) / Fraction(denominator)
    quotient = divide(numerator, denominator, Decimal(quantum))
    assert abs(Fraction(quotient) - exact_quotient) <= Fraction(quantum) / 2


# -- time and ids ------------------------------------------------------------------------------------------------------


@for_all(
    st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=5), max_size=8),
    st.lists(st.integers(0, 60), min_size=1, max_size=5),
)
def test_however_time_is_cut_into_pieces_every_sleeper_wakes_at_its_own_time(naps, pieces):
    async def story():
        clock, diary = ManualClock(OPEN), []

        async def sleeper(spans):
            for span in spans:
                due = clock.now() + timedelta(seconds=span)
                await clock.sleep(timedelta(seconds=span))
                diary.append((due, clock.now()))

        tasks = [asyncio.create_task(sleeper(spans)) for spans in naps]
        await asyncio.sleep(0)
        for piece in pieces:
            await clock.advance(timedelta(seconds=piece))
        assert OPEN + timedelta(seconds=sum(pieces)) == clock.now()
        for task in tasks:
            task.cancel()
        return diary

    diary = asyncio.run(story())
    woken = [now for _, now in diary]
    assert [due for due, _ in diary] == woken == sorted(woken)
    ends = [sum(spans[: n + 1]) for spans in naps for n in range(len(spans))]
    assert len([end for end in ends if end <= sum(pieces)]) == len(woken)


RUNS = st.text(alphabet="0123456789abcdef-", min_size=1, max_size=12)


@for_all(*[st.tuples(RUNS, st.integers(0, 10**9), st.integers(0, 10**4))] * 2)
def test_two_intents_share_an_id_only_if_they_are_the_same_intent(first, second):
    assert (first == second) is (client_order_id(*first) == client_order_id(*second))


# -- positions ---------------------------------------------------------------------------------------------------------


class ExactLedger:
    """Average-cost books of one symbol in fractions: slow, simple, and without any rounding."""

    def __init__(self):
        self.quantity = self.average = self.realized = self.fees = self.cash = self.trip = Fraction(0)

    def book(self, signed, price, fee):
        """The result of the round trip that this fill ended, or None."""
        self.cash -= signed * price + fee
        self.fees += fee
        self.trip -= fee
        held, self.quantity = self.quantity, self.quantity + signed
        if held * signed >= 0:
            self.average = (held * self.average + signed * price) / self.quantity
            return None
        closed = held if abs(signed) >= abs(held) else -signed
        self.realized += closed * (price - self.average)
        self.trip += closed * (price - self.average)
        if self.quantity * held > 0:
            return None
        self.average = price
        trip, self.trip = self.trip, Fraction(0)
        return trip


FILL = st.tuples(st.sampled_from([1, -1]), QUANTITIES, PRICES, FEES)
CLOSE = st.tuples(st.just(0), st.just(Decimal(0)), PRICES, FEES)  # out of whatever is held, to the last digit
FILLS = st.lists(st.one_of(FILL, FILL, FILL, CLOSE), min_size=1, max_size=40)


def executed(fills):
    """Signed fills, with every close turned into the quantity that it needs."""
    held = Decimal(0)
    for sign, quantity, price, fee in fills:
        signed = sign * quantity if sign else -held
        held += signed
        if signed:
            yield signed, price, fee


@for_all(FILLS, PRICES)
def test_after_every_fill_the_books_agree_with_an_exact_ledger(fills, mark):
    position, ledger = Position("KO"), ExactLedger()
    position.mark = mark
    for fill in executed(fills):
        applied = position.apply(*fill)
        trip = ledger.book(*map(Fraction, fill))
        assert ledger.quantity == Fraction(position.quantity)
        assert ledger.fees == Fraction(position.fees)
        assert ledger.cash + ledger.quantity * Fraction(mark) == (
            Fraction(position.realized_pnl) + Fraction(position.unrealized_pnl) - Fraction(position.fees)
        )
        assert abs(Fraction(position.realized_pnl) - ledger.realized) < Fraction(1, 10**15)
        assert (applied.round_trip is None) is (trip is None)
        assert applied.round_trip is None or Fraction(applied.round_trip) == trip


@for_all(FILLS)
def test_what_is_realized_step_by_step_adds_up_to_the_whole(fills):
    position = Position("KO")
    steps = [position.apply(*fill).realized for fill in executed(fills)]
    assert sum(map(Fraction, steps)) == Fraction(position.realized_pnl)


@for_all(FILLS)
def test_a_flat_position_has_no_cost_and_has_realized_all_its_cash(fills):
    position, ledger = Position("KO"), ExactLedger()
    for fill in executed([*fills, (0, Decimal(0), Decimal("10.01"), Decimal("0.01"))]):
        position.apply(*fill)
        ledger.book(*map(Fraction, fill))
    assert (Decimal(0), Decimal(0)) == (position.quantity, position.cost)
    assert ledger.cash == Fraction(position.realized_pnl) - Fraction(position.fees)


HUGE = decimals(9, 1, 10**24 - 1)


@for_all(st.lists(st.tuples(st.sampled_from([1, -1]), HUGE, HUGE, HUGE), min_size=1, max_size=6), HUGE)
def test_the_books_stay_exact_for_the_largest_numbers_that_can_be_written(fills, mark):
    position, ledger = Position("KO"), ExactLedger()
    position.mark = mark
    for sign, *fill in fills:
        quantity, price, fee = fill
        position.apply(sign * quantity, price, fee)
        ledger.book(sign * Fraction(quantity), Fraction(price), Fraction(fee))
    assert ledger.quantity == Fraction(position.quantity)
    assert ledger.cash + ledger.quantity * Fraction(mark) == (
        Fraction(position.realized_pnl) + Fraction(position.unrealized_pnl) - Fraction(position.fees)
    )
