"""What a limits file may say, and how each way of getting it wrong is refused."""

from __future__ import annotations

import inspect
import os
import re
from contextlib import suppress
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.config import loader
from quant_trading_system.config.limit_key import LimitKey
from quant_trading_system.config.loader import (
    MAX_FILE_BYTES,
    default_limits,
    limits_as_text,
    limits_from_text,
    limits_version,
    load_limits,
    parse_limits,
    value_as_text,
)
from quant_trading_system.config.risk_keys import CONTRADICTIONS, KEYS, SECTIONS
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.config.scalars import HALT_LEVELS, read_flag
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import ConfigurationError

EXAMPLE = """\
risk:
  max_position_pct: 0.10           # Max 10% in single position
  max_portfolio_positions: 20      # Max 20 open positions
  max_daily_loss_pct: 0.05         # Kill switch at 5% daily loss
  max_drawdown_pct: 0.15           # Kill switch at 15% drawdown
  max_sector_exposure: 0.30        # Max 30% in any sector
  max_correlation: 0.80            # Reject highly correlated adds
"""
RISK_KEYS = (
    "max_position_pct, max_portfolio_positions, max_daily_loss_pct, max_drawdown_pct, max_sector_exposure, "
    "max_correlation"
)
SECTION_NAMES = (
    "risk, account, orders, traffic, prices, clock, book, liquidity, times, permissions, halt, triggers, reset, "
    "liquidation, correlation, approvals, allow, habits, capital, tails, regime, strategies, soft"
)


def refusal(text: str | bytes) -> str:
    """What the loader says about `text`, without the name of the file."""
    with pytest.raises(ConfigurationError) as error:
        parse_limits(text if isinstance(text, bytes) else text.encode(), "limits.yaml")
    message = str(error.value)
    assert message.startswith("limits.yaml is refused")
    return message.removeprefix("limits.yaml is refused").removeprefix(": ")


def test_six_keys_under_risk_are_a_whole_file():
    """The shortest file is the published example; every other section is the shipped one."""
    assert parse_limits(EXAMPLE.encode(), "limits.yaml") == default_limits()


def test_shipped_values():
    assert limits_as_text(default_limits()) == {
        "risk.max_position_pct": "0.1",
        "risk.max_portfolio_positions": "20",
        "risk.max_daily_loss_pct": "0.05",
        "risk.max_drawdown_pct": "0.15",
        "risk.max_sector_exposure": "0.3",
        "risk.max_correlation": "0.8",
        "account.allow_short": "false",
        "account.buying_power_multiplier": "1",
        "account.max_gross_exposure": "1",
        "account.max_position_quantity": "1000000",
        "orders.max_order_quantity": "100000",
        "orders.min_order_notional": "1",
        "orders.max_order_notional": "1000000",
        "orders.max_open_orders_per_symbol": "5",
        "orders.duplicate_window_s": "5",
        "traffic.max_orders_per_minute": "300",
        "traffic.max_notional_per_minute": "10000000",
        "traffic.max_messages_per_minute": "600",
        "traffic.max_replaces_per_minute": "120",
        "traffic.max_repeated_orders": "60",
        "traffic.repeat_window_s": "60",
        "traffic.max_orders_per_day": "5000",
        "traffic.max_notional_per_day": "50000000",
        "prices.price_collar_pct": "0.05",
        "prices.max_quote_age_s": "15",
        "prices.max_spread_pct": "0.02",
        "clock.max_clock_skew_s": "5",
        "book.max_position_notional": "off",
        "book.max_net_exposure": "off",
        "book.max_concentration": "off",
        "book.max_open_orders": "250",
        "book.max_turnover_per_day": "off",
        "liquidity.max_quote_deviation_pct": "0.2",
        "liquidity.max_order_adv_pct": "off",
        "liquidity.max_participation_pct": "off",
        "times.no_trade_after_open_s": "off",
        "times.no_trade_before_close_s": "off",
        "times.blackouts": "[]",
        "permissions.restricted_symbols": "[]",
        "permissions.allow_hard_to_borrow": "false",
        "halt.max_consecutive_losses": "8",
        "halt.halt_level": "halted",
        "halt.authorized_resetters": "[]",
        "triggers.warn_at_share": "0.8",
        "triggers.max_weekly_loss_pct": "0.1",
        "triggers.max_monthly_loss_pct": "0.12",
        "triggers.max_rapid_loss_pct": "0.03",
        "triggers.rapid_loss_window_s": "300",
        "triggers.max_rejection_rate": "0.5",
        "triggers.rejection_min_orders": "10",
        "triggers.rejection_window_s": "300",
        "triggers.max_broker_errors": "5",
        "triggers.broker_error_window_s": "300",
        "triggers.max_slippage_bps": "100",
        "triggers.slippage_fills": "20",
        "triggers.max_stress_loss_pct": "0.5",
        "triggers.max_equity_difference_pct": "0.02",
        "triggers.max_feed_silence_s": "300",
        "triggers.max_broker_silence_s": "600",
        "reset.reset_approvals": "2",
        "reset.solo_reset_delay_s": "0",
        "reset.probation_s": "3600",
        "reset.probation_factor": "0.25",
        "liquidation.liquidation_slice_notional": "100000",
        "liquidation.liquidation_collar_pct": "0.002",
        "liquidation.liquidation_patience_s": "10",
        "liquidation.liquidation_extended_hours": "true",
        "correlation.correlation_window": "60",
        "correlation.correlation_min_observations": "20",
        "approvals.authorized_approvers": "[]",
        "approvals.live_loosening_approvals": "2",
        "approvals.paper_loosening_approvals": "1",
        "approvals.approval_expiry_s": "86400",
        "approvals.max_raise_s": "28800",
        "allow.allowed_symbols": "[]",
        "habits.max_order_multiple": "off",
        "habits.max_cancel_ratio": "off",
        "habits.cancel_ratio_from": "32",
        "capital.use_unsettled_cash": "true",
        "capital.max_margin_use_pct": "off",
        "capital.max_day_trades": "off",
        "tails.max_beta_exposure": "off",
        "tails.max_var_95_pct": "off",
        "tails.max_es_95_pct": "off",
        "regime.volatility_tiers": "[]",
        "regime.volatility_reference": "market",
        "regime.volatility_short_window": "10",
        "regime.volatility_long_window": "126",
        "strategies.strategy_budgets": "[]",
        "soft.soft_limits": "[]",
        "soft.soft_limit_approvals": "1",
        "soft.soft_limit_expiry_s": "900",
    }


def test_numbers_are_exact_and_typed():
    """`0.05` is five hundredths, not the nearest binary fraction; counts are integers."""
    limits = parse_limits(EXAMPLE.encode(), "limits.yaml")
    assert limits.max_daily_loss_pct == Decimal("0.05")
    assert type(limits.max_portfolio_positions) is int
    assert limits.allow_short is False
    assert limits.halt_level is HaltLevel.HALTED
    assert limits.authorized_resetters == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0.10 ", '"0.10" '),
        ("0.10 ", "'0.10' "),
        ("0.10 ", "0.1 "),
        ("0.10 ", "0.100000000 "),
        ("  max", "     max"),
        ("risk:", "--- # the limits of the fund\nrisk:"),
        ("risk:", "\ufeffrisk:"),
        ("\n", "\r\n"),
    ],
)
def test_spelling_does_not_matter(before, after):
    """Quotes, trailing zeros, indentation, comments, a byte order mark: the same limits and the same version."""
    assert parse_limits(EXAMPLE.replace(before, after).encode(), "limits.yaml") == default_limits()


def test_order_of_keys_and_sections_does_not_matter():
    text = "halt: {authorized_resetters: [Zoe, Ana], halt_level: reducing, max_consecutive_losses: 3}\n"
    turned = "halt:\n  max_consecutive_losses: 3\n  halt_level: reducing\n  authorized_resetters:\n  - Ana\n  - Zoe\n"
    lines = EXAMPLE.splitlines(keepends=True)
    assert parse_limits((EXAMPLE + text).encode(), "a") == parse_limits(
        (turned + lines[0] + "".join(reversed(lines[1:]))).encode(), "b"
    )


def test_resetters_are_a_set_of_names():
    halt = "halt: {max_consecutive_losses: 3, halt_level: halted, authorized_resetters: [Zoe, 007]}"
    limits = parse_limits((EXAMPLE + halt).encode(), "limits.yaml")
    assert limits.authorized_resetters == ("007", "Zoe")
    assert limits_as_text(limits)["halt.authorized_resetters"] == "[007, Zoe]"


LINE_2 = [
    ("10", "is 10, but must be above 0 and at most 1; write 10 % as 0.10"),
    ("12.5", "is 12.5, but must be above 0 and at most 1; write 12.5 % as 0.125"),
    ("101", "is 101, but must be above 0 and at most 1"),
    ("10%", "is '10%'; write it as 0.10"),
    ("2.5 %", "is '2.5 %'; write it as 0.025"),
    ("0", "is 0, but must be above 0 and at most 1"),
    ("0.00", "is 0, but must be above 0 and at most 1"),
    ("-0.10", "is '-0.10', but no limit is negative"),
    (".nan", "is '.nan', which is not a finite number"),
    ("NaN", "is 'NaN', which is not a finite number"),
    (".inf", "is '.inf', which is not a finite number"),
    ("-.inf", "is '-.inf', which is not a finite number"),
    ("Infinity", "is 'Infinity', which is not a finite number"),
    ("1e-1", "is '1e-1'; write all digits instead of an exponent"),
    ("1E+999999999", "is '1E+999999999'; write all digits instead of an exponent"),
    ("", "has no value"),
    ('""', "has no value"),
    ('" "', "has no value"),
    ("0.1234567891", "is '0.1234567891', which has more than 9 decimals"),
    ("[0.10]", "holds a list or a group of keys, but must be a single value"),
    ("{fraction: 0.10}", "holds a list or a group of keys, but must be a single value"),
    *(
        (text, f"is {text!r}, which is not a plain number; write digits and at most one point, such as 12 or 0.10")
        for text in (
            "~", "null", "yes", "true", "abc", "+0.10", ".10", "0.", "00.10", "0,10", "0_1", "0x1", "1:30", "0.1.0",
            "\N{ARABIC-INDIC DIGIT ONE}", "1" * 16,
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "told"), LINE_2, ids=[repr(value) for value, _ in LINE_2])
def test_a_number_that_is_none_or_out_of_range(value, told):
    assert refusal(EXAMPLE.replace("0.10 ", f"{value} ", 1)) == f"line 2: risk.max_position_pct {told}"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("20.0", "is '20.0', but must be a whole number"),
        ("0", "is 0, but must be from 1 to 10000"),
        ("10001", "is 10001, but must be from 1 to 10000"),
        ("-20", "is '-20', but no limit is negative"),
        ("020", "is '020', which is not a plain number; write digits and at most one point, such as 12 or 0.10"),
    ],
)
def test_a_count_that_is_none(value, told):
    assert refusal(EXAMPLE.replace("20 ", f"{value} ", 1)) == f"line 3: risk.max_portfolio_positions {told}"


def broken_files():
    """The cases of `broken_limits.txt`: what is changed in the published example, and the whole answer."""
    text = (Path(__file__).parent / "broken_limits.txt").read_text(encoding="utf-8")
    for case in text.split("\n\n")[1:]:
        change, _, told = case.strip("\n").partition("\n")
        before, _, after = change.encode().decode("unicode_escape").partition(" => ")
        yield pytest.param(before, after, told, id=change)


@pytest.mark.parametrize(("before", "after", "told"), list(broken_files()))
@pytest.mark.control("trusted limits")
def test_a_broken_file_is_refused_with_its_whole_message(before, after, told):
    assert EXAMPLE.count(before)
    assert refusal(EXAMPLE.replace(before, after, 1)) == told


def test_every_contradiction_is_between_numbers():
    ranged = {key.name for key in KEYS if key.range}
    assert {name for pair in CONTRADICTIONS for name in pair[:2]} <= ranged


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        ("\n# only a remark\n", "it is empty"),
        ("---\n", "it is empty"),
        ("0.10", "line 1: it must start with a section such as risk:"),
        ("- risk\n", "line 1: it must start with a section such as risk:"),
        ("risk:\n", f"line 1: risk must hold keys and values: {RISK_KEYS}"),
        ("risk: []\n", f"line 1: risk must hold keys and values: {RISK_KEYS}"),
        ("account: {}\n", f"the section risk is missing; it holds {RISK_KEYS}"),
        (EXAMPLE + EXAMPLE, "line 8: risk stands twice in the file, first on line 1"),
        (EXAMPLE + "---\n" + EXAMPLE, "line 8: a second document starts here; a limits file has one"),
        (b"\xff\xfe" + EXAMPLE.encode(), "line 1: byte 0xff is not UTF-8; save the file as UTF-8"),
        (EXAMPLE.encode() + b"# caf\xe9\n", "line 8: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("[" * 60_000, "line 1: nothing in a limits file is nested this deeply"),
        ("{" * 60_000, "line 1: nothing in a limits file is nested this deeply"),
        ("".join(f"key_{i}:\n" for i in range(5_000)), "line 500: more than 1000 entries; this is no limits file"),
    ],
)
def test_files_that_are_no_limits_files(text, told):
    assert told in refusal(text)


def test_all_problems_of_a_file_are_told_at_once_in_order():
    text = EXAMPLE.replace("0.10 ", "10 ").replace(": 20 ", ": many ").replace("max_correlation", "max_corelation")
    assert refusal(text + "bounds: 5\n") == (
        " for 4 problems:\n"
        "  line 2: risk.max_position_pct is 10, but must be above 0 and at most 1; write 10 % as 0.10\n"
        "  line 3: risk.max_portfolio_positions is 'many', which is not a plain number; "
        "write digits and at most one point, such as 12 or 0.10\n"
        "  line 7: max_corelation is no key of risk; did you mean max_correlation?\n"
        f"  line 8: bounds is no section; the sections are {SECTION_NAMES}"
    )


@pytest.fixture
def example(tmp_path):
    """The published example as a file of mode 600."""
    path = tmp_path / "my limits.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_file_is_loaded_by_path(example):
    assert load_limits(example) == load_limits(str(example)) == default_limits()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o664])
def test_a_file_that_others_may_write_is_refused(example, mode):
    example.chmod(mode)
    with pytest.raises(ConfigurationError) as error:
        load_limits(example)
    assert str(error.value) == f"{example} can be changed by other users (mode {mode:o}); run: chmod go-w '{example}'"


def test_a_symbolic_link_is_refused(example, tmp_path):
    """The link could be turned to another file by whoever owns its directory."""
    link = tmp_path / "link.yaml"
    link.symlink_to(example)
    with pytest.raises(ConfigurationError) as error:
        load_limits(link)
    assert str(error.value) == f"{link} is a symbolic link; name the file itself: {example}"


@pytest.mark.parametrize(
    ("name", "told"), [("none.yaml", "does not exist"), (".", "is not a regular file"), ("\0", "null byte")]
)
def test_what_is_no_file_is_refused(tmp_path, name, told):
    with pytest.raises(ConfigurationError, match=told):
        load_limits(tmp_path / name)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigurationError, match="is not a regular file"):
        load_limits(tmp_path / "pipe")


def test_a_file_of_more_than_64_kilobytes_is_refused(example):
    comment = "#" * (MAX_FILE_BYTES - len(EXAMPLE))
    example.write_text(EXAMPLE + comment)
    assert load_limits(example) == default_limits()
    example.write_text(EXAMPLE + comment + "#")
    with pytest.raises(ConfigurationError, match="is larger than 64 KB"):
        load_limits(example)


def test_the_file_is_read_once(example, monkeypatch):
    """What was checked is what is parsed: nobody can swap the file in between."""
    opened = []
    really_open = os.open

    def open_and_count(path, flags):
        opened.append(path)
        return really_open(path, flags)

    monkeypatch.setattr(os, "open", open_and_count)
    load_limits(example)
    assert opened == [example]


def test_table_limits_and_shipped_file_agree():
    """One table: the attributes of `RiskLimits`, the rows of the table and the shipped file name the same keys."""
    fields = {field.name for field in msgspec.structs.fields(RiskLimits)} - {"version"}
    assert {key.name for key in KEYS} == fields
    assert len(KEYS) == len(fields)
    shipped = files(loader.__package__).joinpath("risk_params.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^(\w+):", shipped, re.MULTILINE) == list(SECTIONS)
    assert re.findall(r"^  (\w+):", shipped, re.MULTILINE) == [key.name for key in KEYS]


def test_the_shipped_file_gives_unit_and_reason_of_every_key():
    shipped = files(loader.__package__).joinpath("risk_params.yaml").read_text(encoding="utf-8")
    for key in KEYS:
        told = re.search(rf"  # unit: (.+)\n  # why: .+\.\n  {key.name}:", shipped)
        assert told, key.name
        assert told[1].startswith(key.unit), key.name


def test_every_attribute_of_the_limits_is_described():
    described = inspect.getdoc(RiskLimits) or ""
    assert [] == [key.name for key in KEYS if key.name not in described]


NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


RESTRICTIONS = st.sampled_from(
    ["KO blocked by Ana because board seat", "GME reduce_only until 2027-01-31 by Ben because squeeze"]
)


ALLOWANCES = st.sampled_from(["KO by Ana because core", "GME until 2027-01-31 by Ben because trial"])
BLACKOUTS = st.sampled_from(
    [
        "KO reduce_only from 2027-02-09T13:00Z until 2027-02-09T15:30Z by Ana because earnings",
        "everything blocked from 2027-01-27T18:55Z until 2027-01-27T19:30Z by Ben because FOMC",
    ]
)
TIERS = st.sampled_from(["above 1.5 times 0.5", "above 3 times 0.1", "above 5 times 0"])
BUDGETS = st.sampled_from(["Trend value 50000", "Trend loss 900.5 orders 3", "Other value 1 loss 2 orders 3"])
SOFT_LIMITS = st.sampled_from(["max_open_orders 1", "max_portfolio_positions 1", "max_orders_per_day 1"])


def values_of(key: LimitKey) -> st.SearchStrategy[str]:
    """Any text that `key` accepts by itself."""
    if key.may_be_off:
        return st.just("off") | values_of(key._replace(may_be_off=False))
    if key.range is None:
        if key.name == "restricted_symbols":
            return st.lists(RESTRICTIONS, unique=True, max_size=3).map(lambda texts: f"[{', '.join(texts)}]")
        if key.name == "blackouts":
            return st.lists(BLACKOUTS, unique=True).map(lambda texts: f"[{', '.join(texts)}]")
        if key.name == "volatility_tiers":
            return st.lists(TIERS, unique=True).map(lambda texts: f"[{', '.join(texts)}]")
        if key.name == "volatility_reference":
            return st.sampled_from(["market", "SPY"])
        if key.name == "allowed_symbols":
            return st.lists(ALLOWANCES, unique=True).map(lambda texts: f"[{', '.join(texts)}]")
        if key.name == "strategy_budgets":
            return st.lists(BUDGETS, unique=True).map(lambda texts: f"[{', '.join(texts)}]")
        if key.name == "soft_limits":
            return st.lists(SOFT_LIMITS, unique=True).map(lambda texts: f"[{', '.join(texts)}]")
        if key.is_list:
            return st.lists(NAMES, unique=True, max_size=4).map(lambda names: f"[{', '.join(map(repr, names))}]")
        return st.sampled_from(["true", "false"] if key.read is read_flag else list(HALT_LEVELS))
    low, high = key.range.low, key.range.high
    if isinstance(key.value_of(str(high)), int):
        return st.integers(int(low), int(high)).map(str)
    numbers = st.decimals(low, high, places=6).filter(key.range.holds)
    return st.builds(lambda number, quote: f"{quote}{number:f}{quote}", numbers, st.sampled_from(["", "'", '"']))


@st.composite
def limit_files(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A complete file without contradictions, in any order, and the text of its values by name."""
    texts = {key.name: draw(values_of(key)) for key in KEYS}
    for lower, upper, _ in CONTRADICTIONS:
        low, high = (Decimal(texts[name].strip("'\"")) for name in (lower, upper))
        if low > high:
            texts[lower] = texts[upper]
    lines = []
    for section in draw(st.permutations(list(SECTIONS))):
        lines.append(f"{section}:")
        lines += [f"  {key.name}: {texts[key.name]}" for key in draw(st.permutations(SECTIONS[section]))]
    return "\n".join(lines), texts


@given(limit_files())
def test_any_valid_values_come_back(file):
    """Whatever is written is what is in force, exactly, and rendering it again changes nothing."""
    text, texts = file
    limits = parse_limits(text.encode(), "limits.yaml")
    for key in KEYS:
        value = getattr(limits, key.name)
        if texts[key.name] == "off":
            assert value is None
        elif key.range is not None:
            assert value == Decimal(texts[key.name].strip("'\""))
    rendered = "".join(
        f"{section}:\n" + "".join(f"  {key.name}: {limits_as_text(limits)[key.path]}\n" for key in keys)
        for section, keys in SECTIONS.items()
    )
    names = limits.authorized_resetters
    if all(name.isidentifier() for name in names):
        assert parse_limits(rendered.encode(), "rendered") == limits


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_limits_or_a_refusal(data):
    """No input ends in anything but limits or a `ConfigurationError`."""
    with pytest.raises(ConfigurationError):
        parse_limits(data, "noise")


@given(st.integers(0, len(EXAMPLE) - 1), st.integers(0, 255))
def test_a_damaged_byte_is_a_refusal_or_still_limits(place, byte):
    data = bytearray(EXAMPLE.encode())
    data[place] = byte
    with suppress(ConfigurationError):
        assert isinstance(parse_limits(bytes(data), "damaged"), RiskLimits)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_version_changes_with_every_key(key):
    limits = default_limits()
    value = getattr(limits, key.name)
    kind = {bool: value is False, tuple: ("Ana",), str: "SPY", HaltLevel: HaltLevel.REDUCING, type(None): Decimal(1)}
    changed = kind.get(type(value))
    other = msgspec.structs.replace(limits, **{key.name: value + 1 if changed is None else changed})
    assert limits_version(other) != limits.version == limits_version(limits)
    assert re.fullmatch("[0-9a-f]{12}", limits.version)


def test_the_version_of_the_shipped_limits_is_stable():
    """Records of old runs stay comparable; this changes only together with the shipped file."""
    assert default_limits().version == "6953559367ca"


@given(limit_files())
def test_limits_come_back_from_the_text_of_a_record(file):
    limits = parse_limits(file[0].encode(), "limits.yaml")
    assert limits_from_text(limits_as_text(limits), "the record") == limits


def test_limits_are_spelt_once_however_many_ask(monkeypatch):
    spelt = []
    monkeypatch.setattr(loader, "value_as_text", lambda value: spelt.append(value) or value_as_text(value))
    limits = msgspec.structs.replace(default_limits(), max_orders_per_day=4711)
    told = limits_as_text(limits)
    as_told = dict(told)
    told.clear()  # of no matter to whoever asks next
    assert limits_as_text(limits) == as_told
    assert len(spelt) == len(KEYS)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"risk.max_position": "0.1"}, "risk.max_position is no limit; `qts limits show` lists them"),
        ({"risk.max_position_pct": "0.9"}, "risk.max_position_pct (0.9) is above risk.max_sector_exposure (0.3): no "),
        ({"risk.max_position_pct": "2"}, "risk.max_position_pct is 2, but must be above 0 and at most 1"),
        ({"halt.authorized_resetters": "[Ana, Ana]"}, "halt.authorized_resetters names somebody twice"),
        ({"halt.authorized_resetters": "Ana"}, "halt.authorized_resetters must be a list, such as [] or [Ana, Ben]"),
    ],
)
def test_text_that_is_no_limits_is_refused(changes, told):
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        limits_from_text(limits_as_text(default_limits()) | changes, "this change")
    missing = {path: text for path, text in limits_as_text(default_limits()).items() if path != next(iter(changes))}
    if len(missing) < len(KEYS):
        with pytest.raises(ConfigurationError, match="is missing"):
            limits_from_text(missing, "this change")
