"""The report is one well-formed file that loads nothing, escapes everything and says what happened."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from quant_trading_system.core.decisions import CheckResult, Decision, Rule, Unit
from quant_trading_system.core.events import FillEvent, HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.research.performance import JournalSeal, RunRecord, statistics
from quant_trading_system.research.report import halted_spans, write_html
from quant_trading_system.research.report_tables import MAX_FILLS

START = datetime(2023, 6, 1, 13, 30, tzinfo=UTC)
VOID = {"input", "meta"}
HOSTILE = "</title><script>alert(\"1\")</script><img src=x onerror=alert(2)> & 'x'"


class Page(HTMLParser):
    """The elements of a page in the order of the file; refuses elements that are not closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style") and data.strip():
            self.text.append(data.strip())

    def named(self, name):
        return [attributes for found, attributes in self.elements if found == name]


def halt(level, at, reason="drawdown 15.2% above limit 15%"):
    return KillSwitchEvent(
        at=at, level=level, reason=reason, trigger=HaltTrigger.DRAWDOWN, by="risk monitor", activation=1
    )


def fill(number: int, strategy: str = "momentum") -> FillEvent:
    return FillEvent(
        at=START + timedelta(minutes=number), order_id=f"run-{number}-1", execution_id=f"e{number}", symbol="KO",
        side=OrderSide.SELL if number % 2 else OrderSide.BUY, quantity=Decimal("12.5"), price=Decimal("60.1"),
        cumulative_quantity=Decimal("12.5"), fee=Decimal("0.02"), realized_pnl=Decimal("-3.456"), strategy=strategy,
    )  # fmt: skip


def decision(passed: bool, actual: str) -> Decision:
    check = CheckResult(Rule.MAX_POSITION, passed, Decimal(actual), Decimal("0.10"), Unit.RATIO)
    roomy = CheckResult(Rule.MAX_SECTOR, True, Decimal("0.01"), Decimal("0.30"), Unit.RATIO)
    return Decision(
        checks=(CheckResult(Rule.KILL_SWITCH, True), roomy, check), limits_version="v", at=START, equity=Decimal(1),
        drawdown=Decimal(0), daily_pnl=Decimal(0), position=Decimal(0),
        refused_by=None if passed else Rule.MAX_POSITION,
    )  # fmt: skip


def rich_record(**others) -> RunRecord:
    """Four hundred days with everything that a report can show."""
    count = 400
    equity = [Decimal(100_000) + 90 * day - (18_000 if 100 <= day < 160 else 0) for day in range(count)]
    times = [START + timedelta(days=day) for day in range(count)]
    everything = {
        "times": times,
        "equity": equity,
        "gross_exposure": [0.5 + 0.0005 * day for day in range(count)],
        "benchmark": [4000.0 + day for day in range(count)],
        "benchmark_name": "S&P 500",
        "round_trips": [Decimal(10), Decimal(-5)],
        "fills": [fill(number) for number in range(3)],
        "orders_sent": 97,
        "refusals": {"price_collar_pct": 1, "max_position_pct": 2},
        "slippage": Decimal("12.34"),
        "fees": Decimal("0.06"),
        "halts": [halt(HaltLevel.FLATTENING, times[101]), halt(HaltLevel.RUNNING, times[120], "reviewed")],
        "limits": {"risk.max_drawdown_pct": "0.15", "account.max_gross_exposure": "1"},
        "limits_version": "d3f19f0f7e4b",
        "journal": JournalSeal(path="state/my run.db", entries=1234, head="ab" * 32, verified=True),
    }
    return RunRecord(**{**everything, **others})


@pytest.fixture
def render(tmp_path):
    """Writes a report and gives its text."""

    def write(record, *, title="Momentum", subtitle="A run", decisions=None):
        path = tmp_path / "report.html"
        write_html(path, record, statistics(record), title=title, subtitle=subtitle, decisions=decisions)
        return path.read_text(encoding="utf-8")

    return write


def test_the_page_is_well_formed_and_complete(render):
    text = render(rich_record())
    page = Page(text)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings == [
        "Equity", "Drawdown", "Monthly returns", "Exposure", "Refused orders", "Costs", "Statistics", "Fills",
        "Limits in force", "Journal",
    ]  # fmt: skip
    assert len(page.named("dl")) == 3
    assert text.count('class="tile"') == 8
    assert len([chart for chart in page.named("svg") if chart.get("role") == "img"]) == 5
    assert all(chart["aria-label"] for chart in page.named("svg") if chart.get("role") == "img")


def test_the_page_loads_nothing(render):
    """No element refers to anything outside, and the browser is forbidden to try."""
    text = render(rich_record())
    page = Page(text)
    loading = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}
    assert [] == [attributes for _, attributes in page.elements if loading & attributes.keys()]
    assert not re.search(r"(?i)https?:|url\(|@import|//\w", text)
    assert {"script", "style"} & {name for name, _ in page.elements} == {"script", "style"}
    assert {"link", "iframe", "object", "img"} & {name for name, _ in page.elements} == set()


def test_the_policy_admits_exactly_the_script_of_the_page(render):
    text = render(rich_record())
    script = text.partition("<script>")[2].partition("</script>")[0]
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = next(meta["content"] for meta in Page(text).named("meta") if "http-equiv" in meta)
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"


def test_hostile_text_stays_text(render):
    """Whatever a strategy, a symbol, a reason or a title says, it is shown and never run."""
    record = rich_record(
        fills=[fill(1, HOSTILE)],
        benchmark_name=HOSTILE,
        refusals={HOSTILE: 1},
        halts=[halt(HaltLevel.HALTED, START + timedelta(days=3), HOSTILE)],
        limits={HOSTILE: HOSTILE},
        limits_version=HOSTILE,
        journal=JournalSeal(path=HOSTILE, entries=1, head=HOSTILE, verified=False),
    )
    text = render(record, title=HOSTILE, subtitle=HOSTILE, decisions={HOSTILE: decision(False, "0.2")})
    page = Page(text)
    assert text.count("<script") == 1
    assert "img" not in {name for name, _ in page.elements}
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert "".join(page.text).count(HOSTILE) >= 10


def test_the_same_run_gives_the_same_bytes(render):
    assert render(rich_record()) == render(rich_record())


def test_key_figures(render):
    shown = Page(render(rich_record())).text
    assert "+$35,910.00" in shown
    assert f"{100 * 17_910 / 108_910:.2f}%" in shown
    assert "S&P 500 +9.98%" in shown
    assert "50% made money, payoff 2.00" in shown
    assert "1 Jun 2023 to 4 Jul 2024, 399 days" in shown
    assert "1 halt" in shown
    assert "journal verified" in shown


def test_refusals_are_counted_by_rule_most_frequent_first(render):
    shown = Page(render(rich_record())).text
    assert "3 of 100 (3.0%), by rule" in shown
    assert shown.index("max_position_pct") < shown.index("price_collar_pct")


def test_what_the_broker_refused_was_sent_and_counts_once_among_all_orders(render):
    shown = Page(render(rich_record(refusals={"broker": 9, "max_position_pct": 3}))).text
    assert "12 of 100 (12.0%), by rule" in shown


def test_fills_newest_first_with_the_closest_limit(render):
    """Of the checks that an order passed, the one with the least room is told."""
    text = render(rich_record(), decisions={"run-2-1": decision(True, "0.0905")})
    rows = re.findall(r"<tr>(.*?)</tr>", text[text.index('id="fills"') :], re.DOTALL)[1:4]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    assert cells[0] == [
        "2023-06-01 13:32:00", "KO", "buy", "12.5", "60.10", "$751.25", "$0.02", "−$3.46", "run-2-1", "momentum",
        "max_position_pct 9.05% of 10%",
    ]  # fmt: skip
    assert [row[8] for row in cells] == ["run-2-1", "run-1-1", "run-0-1"]
    assert cells[1][-1] == ""


def test_refused_orders_show_both_numbers(render):
    text = render(rich_record(), decisions={"a-1-1": decision(False, "0.25"), "a-2-1": decision(True, "0.05")})
    part = text[text.index("Why orders were refused") : text.index("<h2>Fills")]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", part)
    assert cells == ["2023-06-01 13:30:00", "a-1-1", "max_position_pct", "25%", "10%", ""]


def test_only_the_latest_fills_are_listed(render):
    text = render(rich_record(fills=[fill(number) for number in range(MAX_FILLS + 7)]))
    table = text[text.index('id="fills"') :]
    assert table[: table.index("</table>")].count("<tr>") == MAX_FILLS + 1
    assert f"the latest {MAX_FILLS} of {MAX_FILLS + 7}; the journal has all" in text
    assert "run-506-1" in table
    assert "run-6-1<" not in table


def test_a_year_with_five_hundred_fills_stays_small(render):
    assert len(render(rich_record(fills=[fill(number) for number in range(500)]))) < 200_000


def test_how_to_verify_the_journal(render):
    assert "qts journal verify &#x27;state/my run.db&#x27;" in render(rich_record())


def test_halts_last_from_activation_to_reset():
    """A deeper level is a new stretch; what was never reset lasts to the end."""
    at = [START + timedelta(days=day) for day in (1, 2, 3, 4)]
    events = [
        halt(HaltLevel.REDUCING, at[0]), halt(HaltLevel.FLATTENING, at[1]), halt(HaltLevel.RUNNING, at[2]),
        halt(HaltLevel.HALTED, at[3], "by hand"),
    ]  # fmt: skip
    spans = halted_spans(rich_record(halts=events))
    assert [(span.start, span.end) for span in spans] == [
        (at[0], at[1]), (at[1], at[2]), (at[3], START + timedelta(days=399)),
    ]  # fmt: skip
    assert spans[2].name == "Halted: by hand"


def test_a_halt_is_told_where_one_points_at_the_curve(render):
    assert "Flattening: drawdown 15.2% above limit 15%" in render(rich_record())


@pytest.mark.parametrize("points", [1, 2, 3])
def test_a_run_that_hardly_began_still_has_a_report(render, points):
    record = RunRecord(times=[START + timedelta(hours=hour) for hour in range(points)], equity=[Decimal(100)] * points)
    shown = Page(render(record)).text
    assert "Nothing was traded." in shown
    assert "No order was refused." in shown
    assert "This run kept no journal." in shown
    assert "nan" not in " ".join(shown).lower().split()


def test_a_report_replaces_the_one_before_as_a_whole(render, tmp_path):
    render(rich_record())
    render(rich_record(), title="Second")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_directory_is_an_ordinary_error(tmp_path):
    record = rich_record()
    with pytest.raises(FileNotFoundError):
        write_html(tmp_path / "no" / "report.html", record, statistics(record), title="t", subtitle="s")
