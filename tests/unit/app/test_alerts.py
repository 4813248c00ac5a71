"""Alerts: seen once, told once, told to somebody else, and never a secret in them."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import threading
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_trading_system.app.alarms import HALTING, Alarms
from quant_trading_system.app.alerting.book import QUIET, AlertBook, Delivered
from quant_trading_system.app.alerting.channels import AppriseChannel
from quant_trading_system.app.alerting.conditions import PATIENCE, conditions, noticed
from quant_trading_system.app.alerting.delivery import PATIENCE as CHANNEL_PATIENCE
from quant_trading_system.app.alerting.delivery import Delivery, message
from quant_trading_system.app.alerting.settings import AlertSettings, ChannelSettings, read_settings
from quant_trading_system.app.alerting.watch import TRY_AGAIN, AlertWatch
from quant_trading_system.app.notice_record import LARGEST, NOTICES_FILE, NoticeEntry, NoticeReader, record_notice
from quant_trading_system.app.readings.alert_fold import alert_line
from quant_trading_system.app.readings.alert_kinds import KINDS, AlertKind, Weight
from quant_trading_system.app.readings.engine import EngineReading, EngineState, HaltReading
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent, OrderEvent, StrategyStopped
from quant_trading_system.core.exceptions import ConfigurationError, UnknownOrder
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.notices import Notice, NoticeKind
from tests.support.demo_journal import NOON, Scribe
from tests.support.hostile import HOSTILE

ROOT = Path(__file__).resolve().parents[3]
URL = "json://user:hunter2secret@127.0.0.1:9/path"
TWO = AlertSettings(
    first=(ChannelSettings(name="phone", url=URL), ChannelSettings(name="mail", url=URL)),
    second=(ChannelSettings(name="partner", url=URL),),
)


async def at_once(work) -> None:
    """In the place of a thread."""
    work()


class Told:
    """A channel that keeps what it was told."""

    def __init__(self, name: str, *, works: bool = True) -> None:
        self.name, self.works, self.titles, self.bodies = name, works, [], []

    def tell(self, title: str, body: str, weight: Weight) -> bool:
        if self.works:
            self.titles.append(title)
            self.bodies.append(body)
        return self.works


class Scene:
    """One account, two groups, a clock that is moved by hand."""

    def __init__(self, place: Path, chosen: AlertSettings = TWO, past: tuple[str, ...] = ()) -> None:
        self.directory = place / "default"
        self.scribe = Scribe(self.directory)
        for name in past:
            self.scribe.write(StrategyStopped(at=NOON, strategy=name, error="x"))
        self.clock = ManualClock(NOON)
        self.phone, self.mail, self.partner = Told("phone"), Told("mail"), Told("partner")
        self.reading = EngineReading(
            state=EngineState.RUNNING,
            says="",
            halt=HaltReading(),
            host=HaltReading(),
            is_watched=True,
            directory="",
        )
        self.chosen = chosen
        self.followers = ExitStack()
        self.watch = self.made()
        self.watch.begin()

    def made(self) -> AlertWatch:
        """A new process that watches."""
        groups = {"first": (self.phone, self.mail), "second": (self.partner,)}
        delivery = Delivery(groups, self.clock, self.chosen.most_per_minute)
        follower = self.followers.enter_context(closing(Follower(self.directory)))
        book = AlertBook(self.directory)
        return AlertWatch(follower, lambda: self.reading, book, self.chosen, delivery, self.clock, at_once)

    def close(self) -> None:
        self.followers.close()
        self.scribe.close()

    def halt(self, activation: int = 1, level: HaltLevel = HaltLevel.HALTED, at: datetime | None = None) -> None:
        self.scribe.write(
            KillSwitchEvent(
                at=at or self.clock.now(),
                level=level,
                reason="prices look wrong",
                trigger=HaltTrigger.MANUAL,
                by="ann",
                activation=activation,
            )
        )

    def stop_strategy(self, name: str = "Trend") -> None:
        self.scribe.write(StrategyStopped(at=self.clock.now(), strategy=name, error="ValueError: x"))

    def look(self, seconds: float = 0) -> None:
        """Time passes, then one look, and everything that is on its way arrives."""

        async def one() -> None:
            await self.clock.advance(timedelta(seconds=seconds))
            self.watch.look()
            self.watch.send()
            await self.watch.settled()

        asyncio.run(one())


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.close()


# -- seen and told ---------------------------------------------------------------------------------------------------


def test_a_halt_pages_both_groups_once_with_its_runbook(scene):
    scene.halt()
    for _ in range(5):
        scene.look(1)
    assert scene.phone.titles == scene.partner.titles == ["[page] default: kill switch: halted"]
    assert "prices look wrong (by ann)" in scene.phone.bodies[0]
    assert "docs/operations.md#halted" in scene.phone.bodies[0]
    assert scene.mail.titles == []


def test_the_second_channel_is_used_when_the_first_fails(scene):
    scene.phone.works = False
    scene.stop_strategy()
    scene.look()
    assert scene.mail.titles == ["[warning] default: strategy Trend was stopped"]
    assert scene.watch.book.alerts["strategy_stopped:Trend"].told == ("first",)


def test_when_no_channel_works_it_is_tried_again_and_the_second_group_hears_of_what_is_critical(scene):
    scene.phone.works = scene.mail.works = False
    scene.scribe.write(StrategyStopped(at=NOON, strategy="a", error="x"))
    record_notice(scene.directory, NOON, Notice(kind=NoticeKind.WRONG_ECHO, source="broker", message="odd"))
    scene.look()
    scene.look(1)
    assert scene.partner.titles == ["unanswered: [critical] default: broker: wrong echo"]
    scene.phone.works = True
    scene.look(1)
    assert scene.phone.titles == []
    scene.look(TRY_AGAIN.total_seconds())
    assert len(scene.phone.titles) == 1
    assert "and 1 more" in scene.phone.titles[0]


def test_a_channel_that_hangs_is_given_up_after_its_time_and_all_is_told_within_five_seconds(scene):
    hangs = threading.Event()

    class Hanging(Told):
        def tell(self, title: str, body: str, weight: Weight) -> bool:
            return hangs.wait(30)

    scene.phone.tell = Hanging("phone").tell  # type: ignore[method-assign]
    scene.stop_strategy()

    async def story() -> None:
        scene.watch.look()
        scene.watch.send()
        for _ in range(20):
            await asyncio.sleep(0)
        await scene.clock.advance(CHANNEL_PATIENCE)
        await scene.watch.settled()

    asyncio.run(story())
    hangs.set()
    assert scene.mail.titles
    assert scene.clock.now() - NOON <= timedelta(seconds=5)
    records = [json.loads(line) for line in (scene.directory / "alerts.jsonl").read_text().splitlines()]
    (delivered,) = [record for record in records if record["type"] == "delivered"]
    assert (delivered["channel"], delivered["failed"], delivered["ms"]) == ("mail", ["phone"], 2000)


def test_what_nobody_acknowledges_goes_to_the_second_group_and_what_somebody_does_not(scene):
    for kind in (NoticeKind.WRONG_ECHO, NoticeKind.FILL_MISSING):
        record_notice(scene.directory, NOON, Notice(kind=kind, source="broker", message="odd"))
    scene.look()
    assert scene.partner.titles == []
    AlertBook(scene.directory).acknowledge("adapter_alarm:wrong_echo", "ana", "cli", scene.clock.now(), "looking")
    scene.look(TWO.escalate_after_s)
    assert scene.partner.titles == ["unanswered: [critical] default: broker: fill missing"]
    assert scene.watch.book.alerts["adapter_alarm:wrong_echo"].acknowledged_by == "ana"


def test_repetitions_are_counted_and_not_told(scene):
    for _ in range(50):
        scene.stop_strategy()
    scene.look()
    assert len(scene.phone.titles) == 1
    scene.stop_strategy()
    scene.look(61)
    assert scene.watch.book.alerts["strategy_stopped:Trend"].count == 51
    assert len(scene.phone.titles) == 1


def test_a_halt_that_goes_deeper_and_a_new_halt_are_told_again(scene):
    scene.halt(1, HaltLevel.REDUCING)
    scene.look()
    scene.halt(1, HaltLevel.HALTED)
    scene.look(1)
    scene.halt(1, HaltLevel.RUNNING)
    scene.look(1)
    assert scene.watch.book.open() == ()
    scene.halt(2)
    scene.look(1)
    levels = [title.rpartition(": ")[2] for title in scene.phone.titles]
    assert levels == ["reducing", "halted", "halted"]


def test_a_storm_comes_together_in_few_messages(scene):
    for number in range(60):
        scene.stop_strategy(f"s{number}")
        scene.look(0.5)
    assert len(scene.phone.titles) == TWO.most_per_minute
    scene.look(60)
    assert len(scene.phone.titles) == TWO.most_per_minute + 1
    assert "and 49 more" in scene.phone.titles[-1]
    assert "more: qts alerts list" in scene.phone.bodies[-1]
    assert all(alert.told == ("first",) for alert in scene.watch.book.alerts.values())


# -- over restarts ---------------------------------------------------------------------------------------------------


def test_a_first_start_tells_nothing_of_the_past(tmp_path):
    scene = Scene(tmp_path, past=("before",))
    scene.look()
    scene.stop_strategy("after")
    scene.look()
    scene.close()
    assert [title.split()[3] for title in scene.phone.titles] == ["after"]


def test_what_happened_while_nobody_watched_is_told_once_and_nothing_is_told_twice(scene):
    scene.stop_strategy("a")
    scene.look()
    scene.stop_strategy("b")
    scene.watch = scene.made()
    scene.watch.begin()
    scene.look()
    scene.watch = scene.made()
    scene.watch.begin()
    scene.look()
    assert [title.split()[3] for title in scene.phone.titles] == ["a", "b"]


def test_only_one_process_tells_and_another_takes_over(scene):
    async def story() -> None:
        first = asyncio.ensure_future(scene.watch.run())
        await asyncio.sleep(0)
        other = scene.made()
        waiting = asyncio.ensure_future(other.run())
        for _ in range(5):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        scene.stop_strategy()
        for _ in range(8):
            await scene.clock.advance(timedelta(seconds=1))
            await other.settled()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(story())
    assert len(scene.phone.titles) == 1


# -- conditions ------------------------------------------------------------------------------------------------------


def reading(scene: Scene, **changes: object) -> None:
    scene.reading = msgspec.structs.replace(scene.reading, **changes)


def test_an_engine_that_is_gone_pages_and_one_that_came_back_ends_it(scene):
    reading(scene, state=EngineState.DIED, says="it died", epoch=7)
    scene.look()
    assert scene.phone.titles == ["[page] default: the engine is gone"]
    reading(scene, state=EngineState.RUNNING)
    scene.look(1)
    assert scene.watch.book.open() == ()


def test_an_order_in_doubt_is_told_when_it_lasts(scene):
    name = "run-1-0"
    wanted = Order(
        symbol="KO",
        side=OrderSide.BUY,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        client_order_id=name,
    )
    sent = OrderEvent(
        at=NOON, order_id=name, symbol="KO", status=OrderStatus.SENT, trigger=OrderTrigger.SEND, order=wanted
    )
    doubt = OrderEvent(at=NOON, order_id=name, symbol="KO", status=OrderStatus.IN_DOUBT, trigger=OrderTrigger.TIME_OUT)
    scene.scribe.write(sent)
    scene.scribe.write(doubt)
    scene.look()
    assert scene.phone.titles == []
    scene.look(PATIENCE[AlertKind.ORDER_IN_DOUBT].total_seconds())
    assert scene.phone.titles == ["[critical] default: the fate of an order is unknown"]
    assert scene.watch.book.alerts[f"order_in_doubt:{name}"].line.order_id == name


def test_orders_that_work_on_after_a_halt_are_told(scene):
    scene.scribe.send()
    scene.halt()
    scene.look()
    scene.look(PATIENCE[AlertKind.HALT_INCOMPLETE].total_seconds())
    assert "orders still work after a halt" in scene.phone.titles[-1]


def test_a_halt_while_no_engine_runs_and_one_of_the_machine_are_told(scene):
    halted = HaltReading(level="halted", reason="fire", by="ben", activation=4)
    reading(scene, state=EngineState.STOPPED, halt=halted, host=halted)
    scene.look()
    assert {"halted:latch:4", "halted:machine:4"} == {alert.line.key for alert in scene.watch.book.open()}


def test_a_halt_on_record_is_not_told_again_when_the_engine_is_gone(scene):
    scene.halt()
    scene.look()
    told = list(scene.phone.titles)
    reading(scene, state=EngineState.STOPPED, halt=HaltReading(level="halted", reason="x", by="ann", activation=1))
    scene.look(2)
    assert [alert.line.key for alert in scene.watch.book.open()] == ["halted:1"]
    reading(scene, state=EngineState.STOPPED, halt=HaltReading(level="flattening", reason="x", by="ann", activation=1))
    scene.look(2)
    assert len(scene.phone.titles) == len(told) + 1
    assert {alert.line.key for alert in scene.watch.book.open()} == {"halted:1", "halted:latch:1"}


def test_a_full_disk_and_a_missing_watchdog_are_conditions(scene):
    reading(scene, has_reserve=False, beat_age_s=0, is_watched=False)
    found = {line.kind for line in conditions(scene.watch._follower, scene.reading, NOON)}
    assert {AlertKind.DISK_FULL, AlertKind.WATCHDOG_GONE, AlertKind.LINE_DOWN, AlertKind.RECONCILIATION_OLD} <= found


@pytest.mark.parametrize("kind", NoticeKind)
def test_notices_that_halt_are_critical_and_chatter_is_not_told(kind):
    line = noticed(NoticeEntry(at=NOON, kind=kind, source="orders", message="x"))
    if kind in HALTING:
        assert line is not None
        assert line.weight is Weight.CRITICAL
    assert (line is None) or line.key.startswith("adapter_alarm:")


def test_notices_are_on_record_for_whoever_watches_and_the_file_stays_small(tmp_path):
    reader = NoticeReader(tmp_path)
    Alarms(lambda _: None, lambda notice: record_notice(tmp_path, NOON, notice))(
        Notice(kind=NoticeKind.OVERFILL, source="orders", message="12 of 10\nfaked line")
    )
    assert [(entry.kind, entry.message) for entry in reader.news()] == [(NoticeKind.OVERFILL, "12 of 10 faked line")]
    assert list(reader.news()) == []
    (tmp_path / NOTICES_FILE).write_bytes(b"x" * (LARGEST + 1))
    record_notice(tmp_path, NOON, Notice(kind=NoticeKind.GAP, source="orders", message="y"))
    assert [entry.kind for entry in reader.news()] == [NoticeKind.GAP]


def test_a_message_has_no_lines_but_its_own_and_a_command_that_can_be_typed(tmp_path):
    """Whatever a strategy is called; the shell takes the name as one word."""
    book = AlertBook(tmp_path)
    book.see(alert_line(AlertKind.STRATEGY_STOPPED, f"pairs, 5 minutes; x{HOSTILE}", NOON, HOSTILE), NOON)
    title, body, _ = message(book.open(), "default")
    lines = [title, *body.split("\n")]
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
    assert shlex.split(lines[-1])[4].startswith("strategy_stopped:pairs, 5 minutes; x[/x]")


# -- property: no storm ----------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.booleans(), st.sampled_from([0, 1, 30, 61, 700])), min_size=1, max_size=40
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_matter_is_raised_again_only_after_it_was_over_for_a_while(tmp_path_factory, steps):
    book, now, over, raised = AlertBook(tmp_path_factory.mktemp("book")), NOON, {}, {}
    for name, is_over, seconds in steps:
        now += timedelta(seconds=seconds)
        kind, of = (AlertKind.BREAK_CLOSED, AlertKind.BREAK_OPENED) if is_over else (AlertKind.BREAK_OPENED, None)
        key = f"break_opened:{name}"
        before = book.alerts.get(key)
        first = None if before is None else before.first_at
        book.see(alert_line(kind, name, now, "x", of=of), now)
        if key in book.alerts and book.alerts[key].first_at != first:
            assert key not in raised or now - over[key] >= QUIET
            raised[key] = now
        if is_over and key in book.alerts and not (before is not None and key in over and over[key] > raised[key]):
            over[key] = book.alerts[key].over_at
        again = AlertBook(book._path.parent)
        assert msgspec.to_builtins(again.alerts) == msgspec.to_builtins(book.alerts)


# -- settings and secrets --------------------------------------------------------------------------------------------

GOOD = f"first:\n  - {{name: phone, url: '{URL}'}}\nescalate_after_s: 60\n"


def settings_file(place: Path, text: str, mode: int = 0o600) -> Path:
    path = place / "alerts.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_settings_are_read(tmp_path):
    found = read_settings(settings_file(tmp_path, GOOD))
    assert (found.escalate_after_s, found.least, list(found.groups)) == (60, Weight.WARNING, ["first"])
    assert found.secrets == (URL,)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (GOOD, 0o640),
        (GOOD, 0o644),
        (GOOD + "wake_me: yes\n", 0o600),
        (GOOD.replace("name: phone", "name: phone, sound: loud"), 0o600),
        (GOOD.replace("name: phone", "name: 'a b'"), 0o600),
        (GOOD + f"second: [{{name: phone, url: '{URL}'}}]\n", 0o600),
        (GOOD.replace("60", "1"), 0o600),
        ("first: []\n", 0o600),
        (f"first: [{URL}\n", 0o600),
        ("", 0o600),
    ],
)
def test_settings_that_cannot_be_trusted_or_understood_are_refused_and_show_no_address(tmp_path, text, mode):
    with pytest.raises(ConfigurationError) as refused:
        read_settings(settings_file(tmp_path, text, mode))
    assert "hunter2secret" not in str(refused.value)
    assert "hunter2secret" not in repr(refused.value.__cause__)


def test_no_address_is_shown_by_a_channel_that_is_wrong_or_fails(caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError) as refused:
        AppriseChannel(ChannelSettings(name="phone", url="nosuchservice://hunter2secret"))
    assert not AppriseChannel(ChannelSettings(name="phone", url=URL)).tell("t", "b", Weight.PAGE)
    assert "hunter2secret" not in f"{refused.value} {caplog.text} {ChannelSettings(name='phone', url=URL)!r}"


def test_what_is_told_has_no_control_characters(scene):
    scene.scribe.write(StrategyStopped(at=NOON, strategy="a\x1b[31m", error="x\r\nacknowledge: rm -rf\x00\u202e"))
    scene.look()
    text = scene.phone.titles[0] + scene.phone.bodies[0]
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert scene.phone.bodies[0].count("acknowledge: ") == 2
    assert scene.phone.bodies[0].splitlines()[-1].startswith("acknowledge: qts alerts ack")


class Receiver(BaseHTTPRequestHandler):
    """Takes what Apprise posts."""

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_apprise_tells_a_receiver_after_a_dead_first_channel():
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.got = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        dead = AppriseChannel(ChannelSettings(name="dead", url="json://127.0.0.1:9/"))
        alive = AppriseChannel(ChannelSettings(name="alive", url=f"json://127.0.0.1:{server.server_port}/"))
        delivery = Delivery({"first": (dead, alive)}, ManualClock(NOON), 10)
        attempt = asyncio.run(delivery.tell("first", "title", "body", Weight.PAGE))
        delivery.close()
        server.shutdown()
        thread.join()
    assert (attempt.channel, attempt.failed) == ("alive", ("dead",))
    assert [(told["title"], told["message"], told["type"]) for told in server.got] == [("title", "body", "failure")]  # type: ignore[attr-defined]


# -- acknowledging, runbooks -----------------------------------------------------------------------------------------


def test_taking_notice_of_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnknownOrder, match="qts alerts list"):
        AlertBook(tmp_path).acknowledge("halted:9", "ana", "cli", NOON)


def test_a_torn_line_of_the_record_is_left_out(tmp_path):
    book = AlertBook(tmp_path)
    book.see(alert_line(AlertKind.HALTED, "1", NOON, "x"), NOON)
    with (tmp_path / "alerts.jsonl").open("ab") as file:
        file.write(b'{"type":"deliv\n')
    book.write(Delivered(at=NOON, keys=("halted:1",), group="first", channel="phone"))
    assert AlertBook(tmp_path).alerts["halted:1"].told == ("first",)


def test_every_kind_has_words_and_a_runbook_that_says_what_to_do():
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert set(KINDS) == set(AlertKind)
    for kind in AlertKind:
        section = page.partition(f"\n### {kind.value}\n")[2].partition("\n### ")[0]
        assert kind.runbook == f"docs/operations.md#{kind.value}"
        for part in ("**Means:** ", "**Look at:** ", "**Do:** "):
            assert len(section.partition(part)[2].partition("\n")[0]) > 0, (kind, part)


def test_one_message_names_the_most_urgent_first(tmp_path):
    book = AlertBook(tmp_path)
    book.see(alert_line(AlertKind.STRATEGY_STOPPED, "a", NOON, "x"), NOON)
    book.see(alert_line(AlertKind.HALTED, "1", NOON, "y", order_id="o"), NOON)
    title, body, weight = message(tuple(book.alerts.values()), "default")
    assert (title, weight) == ("[page] default: the kill switch is active and 1 more", Weight.PAGE)
    assert body.index("operations.md#halted") < body.index("operations.md#strategy_stopped")
    assert Decimal(book.alerts["halted:1"].count) == 1
