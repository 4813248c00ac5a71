"""One line for one decision of the gate: what is given, what is ordered, and what the gate answers.

    held=KO:90@100 max_position_pct=0.10   | buy 10 limit 100.01   | max_position_pct

Given, all optional; the desk has 100 000 dollars, KO at 99.99 to 100.01, and it is noon in New York:

    cash=20000            dollars at the start, before anything held was bought
    held=KO:-90@100       a position and the price that it was opened at, also its mark
    open=KO:10@100        an open order (negative: a sale) and the price at which its room is valued
    resting=sell_1_stop_9 an open order of any kind, written as below with "_" for blanks
    doubt=KO:10@100       the same, of unknown fate
    quote=99/101          bid and ask of the ordered symbol; ``none`` for no quote; last=100 for the last trade
    age=15.1              seconds since the quote was made; received=… since we had it; negative: in the future
    now=2024-01-08T14:30  the time, UTC
    day_start=, peak=     dollars
    halt=reducing         level of the kill switch
    break=KO:7            the broker holds another position; ``break=cash`` differs in cash
    unreconciled          the books were not compared yet
    sent=4.9              seconds since an identical order left
    left=3@1000/59.9      three like orders of 1000 dollars each left, 59.9 seconds ago (0 unless given)
    changed=2 canceled=2  changes and cancels that have just left
    disarmed=why          the strategy was stopped as a runaway
    replaces=10@99        the order is to take the place of an open one to buy so many at that limit
    corr=KO/XOM:0.81      a correlation; ``none`` when it cannot be measured
    precision=27          digits of the decimal context
    broken=quotes         what raises an error when it is read: quotes, calendar, correlations or broker
    unsupported=stop      order types that the broker does not take
    unwatched=gone        why nobody watches over the engine
    crowded=full          why the broker takes no new orders now
    halted                the exchange has halted the symbol
    adv=100000            shares that the symbol trades on an average day; unknown unless given
    parent=1              a slice, with which those of its parent ask for one share too many
    rate=KO:0.5           maintenance margin of a symbol as the broker says it
    beta=KO:1.2           its beta; unknown unless given
    tail=0.02             of each dollar held, net, this is at risk (and twice as much is the shortfall)
    volatility=2          the market is so many times as volatile as usual; unknown unless given
    unsettled=500         dollars of sales that have not settled; unknown unless given
    day_trades=2          those that there may be by tonight, this order counted; unknown unless given
    usual=12@100          so many orders of that value have left before
    realized=-50          dollars that the strategy gained today; unknown unless given
    shares=KO:10          shares of the strategy
    flags=marginable      what the instrument is not: marginable, easy_to_borrow or active
    roomy                 limits on position, sector and gross exposure out of the way
    any key of risk_params.yaml, ``off`` for no limit; in lists "+" stands for a blank

Orders: ``buy 10``, ``sell 1.5``, ``buy $1000``, then ``limit 100``, ``stop 99``, ``trail 1``, ``of PEP``, a time in
force, ``extended``, ``reduce_only``, ``repeat``, ``by Trend``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal, getcontext, localcontext
from typing import Any, NamedTuple

import msgspec

from quant_trading_system.config import risk_keys
from quant_trading_system.config.loader import default_limits
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.breaks import Break, BreakKind
from quant_trading_system.core.decisions import ExecutionPlan, Rejection
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.risk.checks.case import Replaced, Sources
from quant_trading_system.risk.pre_trade import ApprovedOrder, ApprovedReplacement
from tests.support.desk import Desk
from tests.support.market import CALENDAR, UNIVERSE, moment

LIMIT_KEYS = frozenset(RiskLimits.__struct_fields__)
KEYS = {key.name: key for key in risk_keys.KEYS}
ROOMY = "max_position_pct=1 max_sector_exposure=1 max_gross_exposure=4"


class GateCase(NamedTuple):
    """One line of a table."""

    given: str
    order: str
    verdict: str

    def __str__(self) -> str:
        return " | ".join(part for part in self if part)


def cases(table: str) -> list[GateCase]:
    """The lines of a table; blank ones and what follows ``#`` are left out."""
    found = []
    for line in table.strip().splitlines():
        text = line.partition("#")[0].strip()
        if text:
            given, order, verdict = (part.strip() for part in text.split("|"))
            found.append(GateCase(given, order, verdict))
    return found


def verdict(answer: ApprovedOrder | ApprovedReplacement | Rejection) -> str:
    """``ok``, or the rule that refused."""
    return answer.rule.value if isinstance(answer, Rejection) else "ok"


def decide(case: GateCase) -> ApprovedOrder | ApprovedReplacement | Rejection:
    """Lay the desk as the case says and ask the gate."""
    order, given = parse_order(case.order), _Given(case.given)
    desk = _desk(given, order)
    with localcontext() as context:
        context.prec = int(given.one("precision", str(getcontext().prec)))
        if given.one("parent"):
            return desk.checker.check_order(order, ExecutionPlan(choice="twap", why="", urgency=ONE, parent="p"))
        if not given.one("replaces"):
            return desk.check(order)
        return desk.checker.check_replacement(order, _replaced(desk, given.one("replaces")))


def _replaced(desk: Desk, text: str) -> Replaced:
    quantity, _, price = text.partition("@")
    old = parse_order(f"buy {quantity} limit {price}").with_id("replaced")
    desk.portfolio.reserve("replaced", old.symbol, old.quantity, Decimal(price))
    return Replaced(old, old.quantity, Decimal(0))


def parse_order(text: str) -> Order:
    """An order as the tables write it."""
    side, size, *words = text.split()
    fields: dict[str, Any] = {"symbol": "KO", "time_in_force": TimeInForce.DAY}
    fields["notional" if size.startswith("$") else "quantity"] = Decimal(size.lstrip("$"))
    rest = iter(words)
    for word in rest:
        fields.update(_order_field(word, rest))
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    kind = (
        OrderType.TRAILING_STOP if "trail_price" in fields else kinds["limit_price" in fields, "stop_price" in fields]
    )
    return Order(side=OrderSide(side), order_type=kind, **fields)


def _order_field(word: str, rest: Iterator[str]) -> dict[str, Any]:
    if word in {"limit", "stop", "trail"}:
        return {f"{word}_price": Decimal(next(rest))}
    if word in {"of", "by"}:
        return {"symbol" if word == "of" else "strategy": next(rest)}
    if word in {"reduce_only", "repeat", "extended"}:
        return {"extended_hours" if word == "extended" else word: True}
    return {"time_in_force": TimeInForce(word)}


class _Given:
    """The words of the first column."""

    def __init__(self, text: str) -> None:
        words = text.replace("roomy", ROOMY).split()
        self._pairs = [(key, value) for key, _, value in (word.partition("=") for word in words)]

    def one(self, key: str, default: str = "") -> str:
        return next((value for name, value in self._pairs if name == key), default)

    def has(self, key: str) -> bool:
        return any(name == key for name, _ in self._pairs)

    def all(self, key: str) -> list[str]:
        return [value for name, value in self._pairs if name == key]

    def pairs(self, key: str) -> dict[str, str]:
        return dict(value.split(":", 1) for value in self.all(key))  # type: ignore[misc]

    @property
    def limits(self) -> RiskLimits:
        limits = default_limits()
        changes = {k: _read(k, v) for k, v in self._pairs if k in LIMIT_KEYS}
        return msgspec.structs.replace(limits, **changes)


def _read(name: str, text: str) -> object:
    """The value of a key, which may lie out of its range, so that what would need no test has one."""
    key = KEYS[name]
    if key.is_list:
        return tuple(text.replace("+", " ").split(","))
    return None if text == "off" and key.may_be_off else key.read(text)


def _desk(given: _Given, order: Order) -> Desk:
    broken, unsupported = given.one("broken"), given.all("unsupported")
    desk = Desk(
        cash=given.one("cash", "100000"),
        limits=given.limits,
        calendar=_Broken() if broken == "calendar" else CALENDAR,
        unsupported=_raise if broken == "broker" else lambda o: "not taken here" if o.order_type in unsupported else "",
        unwatched=lambda: given.one("unwatched"),
        crowded=lambda: given.one("crowded"),
        universe=_universe(given),
    )
    volume = Decimal(given.one("adv")) if given.has("adv") else None
    parent = given.one("parent", "unknown")
    excess = None if parent == "unknown" else Decimal(parent)
    desk.checker.sources = Sources(lambda _: given.has("halted"), lambda _: volume, lambda _: excess)
    _know(desk, given)
    now = given.one("now")
    if now:
        desk.clock._now = moment(now)  # also before noon, which `move_to` would refuse
    _put_quote(desk, given, order)
    _fill_books(desk, given)
    if given.one("halt"):
        desk.kill_switch.activate("a test", level=HaltLevel[given.one("halt").upper()])
    _disagree(desk, given)
    _send_others_before(desk, given, order)
    if given.one("sent"):
        _send_before(desk, order, given.one("sent"))
    for text in given.all("corr"):
        pair, _, value = text.partition(":")
        symbol, _, other = pair.partition("/")
        desk.correlations.put(symbol, other, None if value == "none" else Decimal(value))
    if broken in {"quotes", "correlations"}:
        setattr(desk.checker, f"_{broken}", _Broken())
    return desk


def _know(desk: Desk, given: _Given) -> None:
    """What the rules ask that most orders never meet."""
    betas, rates = given.pairs("beta"), given.pairs("rate")
    shares = {symbol: Decimal(number) for symbol, number in given.pairs("shares").items()}
    share = Decimal(given.one("tail", "0"))

    def instrument(symbol: str) -> Instrument:
        return msgspec.structs.replace(UNIVERSE[symbol], maintenance_margin=Decimal(rates.get(symbol, "0.30")))

    def tail(values: Mapping[str, Decimal]) -> tuple[Decimal, Decimal] | None:
        at_risk = abs(sum(values.values(), ZERO)) * share
        return (at_risk, 2 * at_risk) if given.has("tail") else None

    desk.checker.know(
        instrument=instrument,
        beta=lambda symbol: Decimal(betas[symbol]) if symbol in betas else None,
        tail=tail,
        volatility_ratio=lambda *_: Decimal(given.one("volatility")) if given.has("volatility") else None,
        unsettled=lambda: Decimal(given.one("unsettled")) if given.has("unsettled") else None,
        day_trades=lambda _: int(given.one("day_trades")) if given.has("day_trades") else None,
        realized_today=lambda _: Decimal(given.one("realized")) if given.has("realized") else None,
        shares_of=lambda _: shares,
    )


def _universe(given: _Given) -> Universe:
    lacking = dict.fromkeys(filter(None, given.one("flags").split(",")), False)
    return Universe(msgspec.structs.replace(instrument, **lacking) for instrument in UNIVERSE.values())


def _disagree(desk: Desk, given: _Given) -> None:
    if given.has("unreconciled"):
        desk.agreement.doubt("a test", "not reconciled yet")
    desk.agreement.set_breaks(_break(text) for text in given.all("break"))


def _break(text: str) -> Break:
    symbol, _, theirs = text.partition(":")
    if symbol == "cash":
        return Break(kind=BreakKind.CASH, subject="cash", ours="100", theirs="200")
    return Break(kind=BreakKind.POSITION, subject=symbol, symbol=symbol, ours="?", theirs=theirs)


def _put_quote(desk: Desk, given: _Given, order: Order) -> None:
    text = given.one("quote", "99.99/100.01")
    if text == "none":
        desk.board._latest.clear()
        return
    bid, _, ask = text.partition("/")
    age = _seconds(given.one("age", "0"))
    received = _seconds(given.one("received")) if given.one("received") else None
    desk.board._latest.clear()
    desk.board.put(order.symbol, bid, ask, last=given.one("last") or None, age=age, received_age=received)


def _fill_books(desk: Desk, given: _Given) -> None:
    for text in given.all("held"):
        desk.hold(*_position(text))
    for number, (key, text) in enumerate([(k, t) for k in ("open", "doubt") for t in given.all(k)]):
        symbol, quantity, price = _position(text)
        terms = parse_order(f"{_side(quantity)} {quantity.lstrip('-')} limit {price} of {symbol}")
        desk.portfolio.reserve(f"open-{number}", symbol, Decimal(quantity), Decimal(price), terms)
        desk.portfolio.set_in_doubt(f"open-{number}", symbol, key == "doubt")
    for text in given.all("resting"):
        terms = parse_order(text.replace("_", " "))
        desk.portfolio.reserve("resting", terms.symbol, terms.signed_quantity, Decimal(100), terms)
    for key in ("day_start", "peak"):
        if given.one(key):
            setattr(desk.portfolio, f"{key}_equity", Decimal(given.one(key)))


def _side(quantity: str) -> str:
    return "sell" if quantity.startswith("-") else "buy"


def _position(text: str) -> tuple[str, str, str]:
    symbol, _, rest = text.partition(":")
    quantity, _, price = rest.partition("@")
    return symbol, quantity, price


def _send_before(desk: Desk, order: Order, seconds: str) -> None:
    now = desk.clock.now()
    desk.clock._now = now - _seconds(seconds)
    desk.checker._recent.remember(order)
    desk.clock._now = now


def _send_others_before(desk: Desk, given: _Given, order: Order) -> None:
    now, traffic = desk.clock.now(), desk.checker.traffic
    for text in given.all("left"):
        number, _, rest = text.partition("@")
        value, _, seconds = rest.partition("/")
        desk.clock._now = now - _seconds(seconds or "0")
        for _ in range(int(number)):
            traffic.sent(order, Decimal(value), order.quantity, is_replace=False, takes_risk=True)
        desk.clock._now = now
    number, _, value = given.one("usual", "0@0").partition("@")
    if traffic.usual is not None:
        for _ in range(int(number)):
            traffic.usual.add(order.strategy, Decimal(value))
    for _ in range(int(given.one("changed", "0"))):
        traffic.sent(order, Decimal(0), Decimal(0), is_replace=True, takes_risk=False)
    for _ in range(int(given.one("canceled", "0"))):
        traffic.cancel_asked()
    if given.one("disarmed"):
        traffic.disarm(order.strategy, given.one("disarmed"))


def _seconds(text: str) -> timedelta:
    return timedelta(microseconds=int(Decimal(text) * 1_000_000))


class _Broken:
    """Whatever is asked of it, it raises."""

    def __getattr__(self, name: str) -> Any:
        return _raise


def _raise(*_: object) -> Any:
    raise MarketDataError("it cannot be read")
