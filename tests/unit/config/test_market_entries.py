"""Windows without trading and tiers of volatility, as they are written in the limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.config.loader import parse_limits
from quant_trading_system.config.market_entries import (
    blackout_in,
    blackouts_in,
    read_reference,
    share_at,
    strictest_at,
    tier_in,
    tiers_in,
)
from quant_trading_system.config.scalars import BadValue
from quant_trading_system.risk.limit_changes import split

D = Decimal
FOMC = "everything reduce_only from 2027-01-27T18:55Z until 2027-01-27T19:30Z by Ana because FOMC (rates)"


def test_a_window_as_it_is_written():
    found = blackout_in(FOMC)
    assert (found.symbol, found.reduce_only, found.owner, found.reason) == ("", True, "Ana", "FOMC (rates)")
    assert (found.start, found.end - found.start) == (datetime(2027, 1, 27, 18, 55, tzinfo=UTC), timedelta(minutes=35))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write SYMBOL or everything"),
        (FOMC.replace("everything", "ko"), "write SYMBOL or everything"),
        (FOMC.replace("18:55Z", "18:55"), "write SYMBOL or everything"),
        (FOMC.replace("reduce_only", "closed"), "write SYMBOL or everything"),
        (FOMC.replace(" by Ana", ""), "write SYMBOL or everything"),
        (FOMC + "\n", "write SYMBOL or everything"),
        (FOMC.replace("18:55", "25:55"), "there is no moment 2027-01-27T25:55Z"),
        (FOMC.replace("01-27T19:30", "02-30T19:30"), "there is no moment 2027-02-30T19:30Z"),
        (FOMC.replace("19:30", "18:55"), "it ends before it begins"),
    ],
)
def test_what_is_no_window_is_refused(text, said):
    with pytest.raises(BadValue, match=said):
        blackout_in(text)


def test_of_the_windows_that_are_open_the_strictest_holds():
    texts = (FOMC, FOMC.replace("reduce_only", "blocked").replace("19:30", "19:00"), FOMC.replace("19:30", "20:00"))
    windows = blackouts_in(texts)[""]
    at = windows[0].start
    assert strictest_at(windows, at - timedelta(microseconds=1)) is None
    assert strictest_at(windows, at) == windows[1]
    assert strictest_at(windows, at + timedelta(minutes=5)) == windows[2]
    assert strictest_at(windows, at + timedelta(minutes=65)) is None


def test_a_window_more_holds_at_once_and_one_less_waits_for_people():
    none, one = {"times.blackouts": "[]"}, {"times.blackouts": f"[{FOMC}]"}
    full = {change.key: change.now for change in split({}, _texts()).at_once}
    more, less = split(full | none, full | one), split(full | one, full | none)
    assert [change.now for change in more.at_once] == [f"[{FOMC}]"]
    assert more.waiting == less.at_once == ()
    assert [change.now for change in less.waiting] == ["[]"]


def _texts() -> dict[str, str]:
    from quant_trading_system.config.loader import default_limits, limits_as_text

    return limits_as_text(default_limits())


@pytest.mark.parametrize(
    "text",
    ["", "1.5", "above 0 times 0.5", "above 101 times 1", "above 1 times 1.1", "above 1.5 times -1", "above x times 1"],
)
def test_what_is_no_tier_is_refused(text):
    with pytest.raises(BadValue):
        tier_in(text)


@pytest.mark.parametrize(("ratio", "share"), [("1.5", "1"), ("1.51", "0.5"), ("3", "0.5"), ("3.01", "0"), (None, "0")])
def test_the_smallest_share_of_the_tiers_that_are_passed(ratio, share):
    tiers = tiers_in(("above 1.5 times 0.5", "above 3 times 0"))
    assert share_at(tiers, None if ratio is None else D(ratio)) == D(share)
    assert share_at((), None) == 1


def test_whose_volatility():
    assert (read_reference("SPY"), read_reference("market")) == ("SPY", "market")
    with pytest.raises(BadValue, match="write a symbol such as SPY, or market"):
        read_reference("spy")


def test_both_are_read_from_a_file():
    section = f"times:\n  no_trade_after_open_s: off\n  no_trade_before_close_s: off\n  blackouts: [{FOMC}]\n"
    regime = (
        "regime:\n  volatility_tiers: [above 1.5 times 0.5]\n  volatility_reference: SPY\n"
        "  volatility_short_window: 10\n  volatility_long_window: 60\n"
    )
    risk = "risk:\n" + "".join(
        f"  {key}: {value}\n"
        for key, value in (
            ("max_position_pct", "0.1"), ("max_portfolio_positions", 20), ("max_daily_loss_pct", "0.05"),
            ("max_drawdown_pct", "0.15"), ("max_sector_exposure", "0.3"), ("max_correlation", "0.8"),
        )
    )  # fmt: skip
    limits = parse_limits((risk + section + regime).encode(), "a test")
    assert (limits.blackouts, limits.volatility_tiers) == ((FOMC,), ("above 1.5 times 0.5",))
    assert (limits.volatility_reference, limits.volatility_long_window) == ("SPY", 60)
