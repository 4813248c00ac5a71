"""Events: the journal's format, pinned letter by letter, and nothing lost on the way there and back.

A failing text below means that journals written before the change read differently, or not at all, after it.
"""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args

import msgspec
import pytest

from quant_trading_system.core.approval_events import (
    ApprovalAsked,
    ApprovalEnded,
    ApprovalGiven,
    ApprovalOutcome,
    ApprovalSubject,
)
from quant_trading_system.core.book_events import (
    ActivitiesCovered,
    ActivityBooked,
    BreakClosed,
    BreakOpened,
    GroupAlarm,
    Reconciled,
)
from quant_trading_system.core.breaks import ActivityKind, Break, BreakKind
from quant_trading_system.core.commands import Outcome, Result
from quant_trading_system.core.decisions import CheckResult, Decision, ExecutionPlan, QuoteSeen, Rule, Unit
from quant_trading_system.core.event import Event
from quant_trading_system.core.events import (
    AnyEvent,
    CashMoved,
    FillCorrected,
    FillEvent,
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    PositionAdopted,
    RiskEvent,
    RiskEventKind,
    RunFinished,
    RunStarted,
    SenderLocked,
    SignalEvent,
    StateRecorded,
    StrategyStopped,
    WatchdogActed,
    WishNotSized,
)
from quant_trading_system.core.halt_events import CancelsConfirmed, LiquidationEvent, LiquidationState, ResetApproved
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.limit_events import (
    LimitChange,
    LimitsFileRefused,
    LimitsProposed,
    LimitsRaised,
    LimitsSet,
    RaiseEnded,
)
from quant_trading_system.core.operator_events import OperatorActed, OperatorAnswered, StrategySwitched
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.parent_events import MarketSeen, ParentEvent
from quant_trading_system.core.risk_now import RiskNow
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.core.strategy_events import StrategyTold

AT = datetime(2024, 1, 2, 14, 30, 0, 250000, tzinfo=UTC)

DECISION = Decision(
    checks=(
        CheckResult(Rule.KILL_SWITCH, passed=True, detail="running"),
        CheckResult(Rule.MAX_POSITION, True, Decimal("0.0102"), Decimal("0.10"), Unit.RATIO),
    ),
    limits_version="9f86d081",
    at=AT,
    equity=Decimal("100000.00"),
    drawdown=Decimal("0.012"),
    daily_pnl=Decimal("-0.0031"),
    position=Decimal(-20),
    open_orders=("5f1c-10-0",),
    quote=QuoteSeen(bid=Decimal("10.24"), ask=Decimal("10.26"), at=AT, source="venue", sequence=77),
    plan=ExecutionPlan(
        choice="limit",
        why="patient",
        urgency=Decimal("0.2"),
        expected_price=Decimal("10.25"),
        expected_slippage_bps=Decimal("1.5"),
    ),
)

ORDER = Order(
    symbol="KO",
    side=OrderSide.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.DAY,
    quantity=Decimal(100),
    limit_price=Decimal("10.20"),
    client_order_id="5f1c-12-0",
    strategy="momentum",
)

BREAK = Break(kind=BreakKind.POSITION, subject="KO", symbol="KO", ours="10", theirs="7", difference=Decimal(-3))

GOLDEN = {
    "run_started": (
        RunStarted(
            at=AT,
            run="5f1c",
            mode="backtest",
            strategies=("momentum", "reversal"),
            seed=7,
            version="0.1.0",
            limits={"risk.max_position_pct": "0.10"},
            limits_version="9f86d081",
            universe=(Instrument(symbol="KO"), Instrument(symbol="XOM", sector="Energy", lot=Decimal(100))),
            data="sp500",
        ),
        '{"kind":"run_started","at":"2024-01-02T14:30:00.250000Z","run":"5f1c","mode":"backtest",'
        '"strategies":["momentum","reversal"],"seed":7,"version":"0.1.0","limits":{"risk.max_position_pct":"0.10"},'
        '"limits_version":"9f86d081","universe":['
        '{"symbol":"KO","name":"","sector":"Unknown","lot":"1","fractionable":false,"shortable":false,"tradable":true,'
        '"easy_to_borrow":true,"marginable":true,"active":true,"maintenance_margin":"0.30"},'
        '{"symbol":"XOM","name":"","sector":"Energy","lot":"100","fractionable":false,"shortable":false,'
        '"tradable":true,"easy_to_borrow":true,"marginable":true,"active":true,"maintenance_margin":"0.30"}],"data":"sp500"}',
    ),
    "risk_now": (
        RiskNow(
            at=AT,
            equity=Decimal("100000.50"),
            cash=Decimal(40_000),
            daily_pnl=Decimal(-120),
            current_drawdown=Decimal("0.0123"),
            gross=Decimal("0.6"),
            sectors={"Energy": Decimal("0.6")},
            tail={"historical_var_95": Decimal(900), "monte_carlo_es_99": None},
        ),
        '{"kind":"risk_now","at":"2024-01-02T14:30:00.250000Z","equity":"100000.50","cash":"40000","daily_pnl":"-120",'
        '"current_drawdown":"0.0123","gross":"0.6","sectors":{"Energy":"0.6"},'
        '"tail":{"historical_var_95":"900","monte_carlo_es_99":null}}',
    ),
    "run_finished": (
        RunFinished(at=AT, run="5f1c", orders=12, fills=9, policy="cancel", remaining=("5f1c-12-0",), hurried=True),
        '{"kind":"run_finished","at":"2024-01-02T14:30:00.250000Z","run":"5f1c","orders":12,"fills":9,"policy":"cancel",'
        '"remaining":["5f1c-12-0"],"hurried":true}',
    ),
    "cash_moved": (
        CashMoved(at=AT, amount=Decimal("-250.00"), cash=Decimal("99750.00"), reason="withdrawal"),
        '{"kind":"cash_moved","at":"2024-01-02T14:30:00.250000Z","amount":"-250.00","cash":"99750.00",'
        '"reason":"withdrawal"}',
    ),
    "position_adopted": (
        PositionAdopted(
            at=AT, symbol="KO", quantity=Decimal(-5), cost=Decimal("-300.50"), approved_by="anna", reason="held before"
        ),
        '{"kind":"position_adopted","at":"2024-01-02T14:30:00.250000Z","symbol":"KO","quantity":"-5",'
        '"cost":"-300.50","approved_by":"anna","reason":"held before"}',
    ),
    "activity_booked": (
        ActivityBooked(
            at=AT,
            activity_id="20240102::a1",
            activity=ActivityKind.DIVIDEND,
            word="DIV",
            amount=Decimal("4.60"),
            cash=Decimal("99754.60"),
            symbol="KO",
        ),
        '{"kind":"activity_booked","at":"2024-01-02T14:30:00.250000Z","activity_id":"20240102::a1",'
        '"activity":"dividend","word":"DIV","amount":"4.60","cash":"99754.60","symbol":"KO"}',
    ),
    "activities_covered": (
        ActivitiesCovered(at=AT, activity_ids=("20240102::a1",), reason="posted before these books"),
        '{"kind":"activities_covered","at":"2024-01-02T14:30:00.250000Z","activity_ids":["20240102::a1"],'
        '"reason":"posted before these books"}',
    ),
    "group alarm": (
        GroupAlarm(at=AT, order_id="run-1-0", symbol="KO", reason="no exit protects it"),
        '{"kind":"group_alarm","at":"2024-01-02T14:30:00.250000Z","order_id":"run-1-0","symbol":"KO",'
        '"reason":"no exit protects it"}',
    ),
    "break_opened": (
        BreakOpened(at=AT, found=BREAK, first_seen=AT - timedelta(seconds=2)),
        '{"kind":"break_opened","at":"2024-01-02T14:30:00.250000Z","found":{"kind":"position","subject":"KO",'
        '"ours":"10","theirs":"7","symbol":"KO","difference":"-3"},"first_seen":"2024-01-02T14:29:58.250000Z"}',
    ),
    "break_closed": (
        BreakClosed(at=AT, found=BREAK, first_seen=AT - timedelta(seconds=2)),
        '{"kind":"break_closed","at":"2024-01-02T14:30:00.250000Z","found":{"kind":"position","subject":"KO",'
        '"ours":"10","theirs":"7","symbol":"KO","difference":"-3"},"first_seen":"2024-01-02T14:29:58.250000Z"}',
    ),
    "reconciled": (
        Reconciled(
            at=AT, occasion="timer", orders=2, fills=3, positions=1, cash=Decimal("99754.60"), breaks=("position KO",)
        ),
        '{"kind":"reconciled","at":"2024-01-02T14:30:00.250000Z","occasion":"timer","orders":2,"fills":3,'
        '"positions":1,"cash":"99754.60","breaks":["position KO"]}',
    ),
    "signal": (
        SignalEvent(
            at=AT,
            signal=Signal(
                symbol="KO",
                direction=Direction.SHORT,
                at=AT,
                source="momentum",
                strength=Decimal("0.50"),
                stop_price=Decimal("10.90"),
                expires_at=AT + timedelta(days=1),
            ),
        ),
        '{"kind":"signal","at":"2024-01-02T14:30:00.250000Z","signal":{"symbol":"KO","direction":"short",'
        '"at":"2024-01-02T14:30:00.250000Z","source":"momentum","strength":"0.50","stop_price":"10.90",'
        '"expires_at":"2024-01-03T14:30:00.250000Z"}}',
    ),
    "order, its first event": (
        OrderEvent(
            at=AT,
            order_id="5f1c-12-0",
            symbol="KO",
            status=OrderStatus.SENT,
            trigger=OrderTrigger.SEND,
            order=ORDER,
            decision=DECISION,
        ),
        '{"kind":"order","at":"2024-01-02T14:30:00.250000Z","order_id":"5f1c-12-0","symbol":"KO","status":"sent",'
        '"trigger":"send","order":{"symbol":"KO","side":"buy","order_type":"limit","time_in_force":"day",'
        '"quantity":"100","limit_price":"10.20","client_order_id":"5f1c-12-0","strategy":"momentum"},'
        '"decision":{"checks":[["kill_switch",true,null,null,"","running"],'
        '["max_position_pct",true,"0.0102","0.10","ratio",""]],"limits_version":"9f86d081",'
        '"at":"2024-01-02T14:30:00.250000Z","equity":"100000.00","drawdown":"0.012","daily_pnl":"-0.0031",'
        '"position":"-20","open_orders":["5f1c-10-0"],"quote":{"bid":"10.24","ask":"10.26",'
        '"at":"2024-01-02T14:30:00.250000Z","source":"venue","sequence":77},"plan":{"choice":"limit","why":"patient",'
        '"urgency":"0.2","expected_price":"10.25","expected_slippage_bps":"1.5"}}}',
    ),
    "order, a later one": (
        OrderEvent(
            at=AT,
            order_id="5f1c-12-0",
            symbol="KO",
            status=OrderStatus.PARTIALLY_FILLED,
            pending=PendingRequest.CANCEL,
            quantity_filled=Decimal("40.5"),
            venue_order_id="v7",
            reason="halted",
        ),
        '{"kind":"order","at":"2024-01-02T14:30:00.250000Z","order_id":"5f1c-12-0","symbol":"KO",'
        '"status":"partially_filled","pending":"cancel","quantity_filled":"40.5","venue_order_id":"v7",'
        '"reason":"halted"}',
    ),
    "fill_corrected": (
        FillCorrected(
            at=AT,
            order_id="5f1c-1-0",
            execution_id="v-1:1",
            symbol="KO",
            side=OrderSide.SELL,
            was_quantity=Decimal(10),
            was_price=Decimal("100.02"),
            quantity=Decimal(8),
            price=Decimal("100.01"),
            position_quantity=Decimal(2),
            cash=Decimal("999.5"),
            realized_pnl=Decimal("-1.5"),
            losing_streak=2,
        ),
        '{"kind":"fill_corrected","at":"2024-01-02T14:30:00.250000Z","order_id":"5f1c-1-0","execution_id":"v-1:1",'
        '"symbol":"KO","side":"sell","was_quantity":"10","was_price":"100.02","quantity":"8","price":"100.01",'
        '"position_quantity":"2","cash":"999.5","realized_pnl":"-1.5","losing_streak":2}',
    ),
    "fill": (
        FillEvent(
            at=AT,
            order_id="5f1c-12-0",
            execution_id="v7:1",
            symbol="KO",
            side=OrderSide.SELL,
            quantity=Decimal("40.123456789"),
            price=Decimal("10.2001"),
            cumulative_quantity=Decimal("40.123456789"),
            fee=Decimal("0.03"),
            position_quantity=Decimal("-20.000000001"),
            cash=Decimal("99590.740000000"),
            realized_pnl=Decimal("-1.000000000000000001"),
            strategy="momentum",
        ),
        '{"kind":"fill","at":"2024-01-02T14:30:00.250000Z","order_id":"5f1c-12-0","execution_id":"v7:1",'
        '"symbol":"KO","side":"sell","quantity":"40.123456789","price":"10.2001",'
        '"cumulative_quantity":"40.123456789","fee":"0.03","position_quantity":"-20.000000001",'
        '"cash":"99590.740000000","realized_pnl":"-1.000000000000000001","strategy":"momentum"}',
    ),
    "risk": (
        RiskEvent(
            at=AT,
            reason=RiskEventKind.LIMIT_BREACHED,
            equity=Decimal("94000.00"),
            day_start_equity=Decimal("100000.00"),
            peak_equity=Decimal("101000.00"),
            daily_pnl=Decimal("-6000.00"),
            current_drawdown=Decimal("0.0693"),
            losing_streak=4,
            rule="max_daily_loss_pct",
            actual=Decimal("0.06"),
            limit=Decimal("0.05"),
            order_id="5f1c-12-0",
        ),
        '{"kind":"risk","at":"2024-01-02T14:30:00.250000Z","reason":"limit_breached","equity":"94000.00",'
        '"day_start_equity":"100000.00","peak_equity":"101000.00","daily_pnl":"-6000.00",'
        '"current_drawdown":"0.0693","losing_streak":4,"rule":"max_daily_loss_pct","actual":"0.06","limit":"0.05",'
        '"order_id":"5f1c-12-0"}',
    ),
    "kill_switch": (
        KillSwitchEvent(
            at=AT,
            level=HaltLevel.HALTED,
            reason="daily loss of 0.06",
            trigger=HaltTrigger.DAILY_LOSS,
            by="risk monitor",
            activation=3,
            numbers={"actual": "0.06", "limit": "0.05"},
        ),
        '{"kind":"kill_switch","at":"2024-01-02T14:30:00.250000Z","level":2,"reason":"daily loss of 0.06",'
        '"trigger":"daily_loss","by":"risk monitor","activation":3,"numbers":{"actual":"0.06","limit":"0.05"}}',
    ),
    "cancels_confirmed": (
        CancelsConfirmed(at=AT, activation=3, orders=("5f1c-12-0", "5f1c-13-0"), seconds=Decimal("0.350")),
        '{"kind":"cancels_confirmed","at":"2024-01-02T14:30:00.250000Z","activation":3,'
        '"orders":["5f1c-12-0","5f1c-13-0"],"seconds":"0.350"}',
    ),
    "strategy_switched": (
        StrategySwitched(at=AT, strategy="momentum", armed=False, by="anna", reason="it misbehaves"),
        '{"kind":"strategy_switched","at":"2024-01-02T14:30:00.250000Z","strategy":"momentum","armed":false,'
        '"by":"anna","reason":"it misbehaves"}',
    ),
    "operator_acted": (
        OperatorActed(
            at=AT,
            key="intention-1",
            principal="anna",
            source="cli",
            command="cancel",
            fields={"order_id": "5f1c-12-0", "reason": ""},
            concerns="5f1c-12-0",
        ),
        '{"kind":"operator_acted","at":"2024-01-02T14:30:00.250000Z","key":"intention-1","principal":"anna",'
        '"source":"cli","command":"cancel","fields":{"order_id":"5f1c-12-0","reason":""},"concerns":"5f1c-12-0"}',
    ),
    "operator_answered": (
        OperatorAnswered(
            at=AT,
            key="intention-1",
            outcome=Outcome(result=Result.DONE, message="canceled", order_id="5f1c-12-0", limit=Decimal("0.10")),
        ),
        '{"kind":"operator_answered","at":"2024-01-02T14:30:00.250000Z","key":"intention-1","outcome":'
        '{"result":"done","message":"canceled","order_id":"5f1c-12-0","limit":"0.10"}}',
    ),
    "reset_approved": (
        ResetApproved(at=AT, by="ann", reason="feed repaired", activation=3, given=1, needed=2),
        '{"kind":"reset_approved","at":"2024-01-02T14:30:00.250000Z","by":"ann","reason":"feed repaired",'
        '"activation":3,"given":1,"needed":2}',
    ),
    "liquidation": (
        LiquidationEvent(
            at=AT,
            activation=3,
            state=LiquidationState.SLICE,
            symbol="KO",
            detail="5f1c-12-0",
            quantity=Decimal(10),
            limit_price=Decimal("99.80"),
            scope=HaltScope(symbol="KO", side=OrderSide.BUY),
        ),
        '{"kind":"liquidation","at":"2024-01-02T14:30:00.250000Z","activation":3,"state":"slice","symbol":"KO",'
        '"detail":"5f1c-12-0","quantity":"10","limit_price":"99.80","scope":{"symbol":"KO","side":"buy"}}',
    ),
    "strategy_stopped": (
        StrategyStopped(at=AT, strategy="momentum", error="ZeroDivisionError: “naïve” division"),
        '{"kind":"strategy_stopped","at":"2024-01-02T14:30:00.250000Z","strategy":"momentum",'
        '"error":"ZeroDivisionError: “naïve” division"}',
    ),
    "strategy_told": (
        StrategyTold(at=AT, strategy="momentum", through=12),
        '{"kind":"strategy_told","at":"2024-01-02T14:30:00.250000Z","strategy":"momentum","through":12}',
    ),
    "wish_not_sized": (
        WishNotSized(at=AT, symbol="KO", strategy="momentum", bound_by="missing", detail="3 returns of KO are too few"),
        '{"kind":"wish_not_sized","at":"2024-01-02T14:30:00.250000Z","symbol":"KO","strategy":"momentum",'
        '"bound_by":"missing","detail":"3 returns of KO are too few"}',
    ),
    "sender_locked": (
        SenderLocked(at=AT, account="PA1", epoch=7, pid=4711, host="desk", directory="/state/default", watchdog=True),
        '{"kind":"sender_locked","at":"2024-01-02T14:30:00.250000Z","account":"PA1","epoch":7,"pid":4711,'
        '"host":"desk","directory":"/state/default","watchdog":true}',
    ),
    "watchdog_acted": (
        WatchdogActed(at=AT, entry="12-4712", pid=4712, epoch=7, what="asked to cancel 3 open orders"),
        '{"kind":"watchdog_acted","at":"2024-01-02T14:30:00.250000Z","entry":"12-4712","pid":4712,"epoch":7,'
        '"what":"asked to cancel 3 open orders"}',
    ),
    "state_recorded": (
        StateRecorded(
            at=AT,
            open_orders={"5f1c-12-0": "working/0"},
            positions={"KO": Decimal("-20.5"), "XOM": Decimal(100)},
            costs={"KO": Decimal("-210.125"), "XOM": Decimal("10250.00")},
            cash=Decimal("89960.125"),
            realized_pnl=Decimal("0.333333333333333333"),
            fees=Decimal("0.07"),
            halt_level=HaltLevel.RUNNING,
            orders=12,
            fills=9,
        ),
        '{"kind":"state_recorded","at":"2024-01-02T14:30:00.250000Z","open_orders":{"5f1c-12-0":"working/0"},'
        '"positions":{"KO":"-20.5","XOM":"100"},"costs":{"KO":"-210.125","XOM":"10250.00"},"cash":"89960.125",'
        '"realized_pnl":"0.333333333333333333","fees":"0.07","halt_level":0,"orders":12,"fills":9}',
    ),
    "approval_asked": (
        ApprovalAsked(
            at=AT,
            approval="limits-3",
            subject=ApprovalSubject.LIMITS,
            text="max_position_pct from 0.10 to 0.12",
            content="5f1c9f86d081",
            asked_by="Ana",
            needed=2,
            expires_at=AT + timedelta(days=1),
        ),
        '{"kind":"approval_asked","at":"2024-01-02T14:30:00.250000Z","approval":"limits-3","subject":"limits",'
        '"text":"max_position_pct from 0.10 to 0.12","content":"5f1c9f86d081","asked_by":"Ana","needed":2,'
        '"expires_at":"2024-01-03T14:30:00.250000Z"}',
    ),
    "approval_given": (
        ApprovalGiven(at=AT, approval="limits-3", content="5f1c9f86d081", by="Ben", source="cli"),
        '{"kind":"approval_given","at":"2024-01-02T14:30:00.250000Z","approval":"limits-3",'
        '"content":"5f1c9f86d081","by":"Ben","source":"cli"}',
    ),
    "approval_ended": (
        ApprovalEnded(at=AT, approval="limits-3", outcome=ApprovalOutcome.REFUSED, by="Ben", reason="too much"),
        '{"kind":"approval_ended","at":"2024-01-02T14:30:00.250000Z","approval":"limits-3",'
        '"outcome":"refused","by":"Ben","reason":"too much"}',
    ),
    "limits_set": (
        LimitsSet(
            at=AT,
            version="9f86d0818888",
            changes=(LimitChange("risk.max_position_pct", "0.1", "0.05"),),
            limits={"risk.max_position_pct": "0.05"},
            by="Ana",
            why="earnings",
            source="cli",
        ),
        '{"kind":"limits_set","at":"2024-01-02T14:30:00.250000Z","version":"9f86d0818888",'
        '"changes":[["risk.max_position_pct","0.1","0.05"]],"limits":{"risk.max_position_pct":"0.05"},'
        '"by":"Ana","why":"earnings","source":"cli"}',
    ),
    "limits_proposed": (
        LimitsProposed(
            at=AT,
            approval="limits-3",
            changes=(LimitChange("risk.max_position_pct", "0.1", "0.12"),),
            by="Ana",
            why="quiet market",
            until=AT + timedelta(hours=1),
        ),
        '{"kind":"limits_proposed","at":"2024-01-02T14:30:00.250000Z","approval":"limits-3",'
        '"changes":[["risk.max_position_pct","0.1","0.12"]],"by":"Ana","why":"quiet market",'
        '"until":"2024-01-02T15:30:00.250000Z"}',
    ),
    "limits_raised": (
        LimitsRaised(
            at=AT,
            approval="limits-3",
            changes=(LimitChange("risk.max_position_pct", "0.1", "0.12"),),
            until=AT + timedelta(hours=1),
            by="Ana",
            why="quiet market",
        ),
        '{"kind":"limits_raised","at":"2024-01-02T14:30:00.250000Z","approval":"limits-3",'
        '"changes":[["risk.max_position_pct","0.1","0.12"]],"until":"2024-01-02T15:30:00.250000Z",'
        '"by":"Ana","why":"quiet market"}',
    ),
    "raise_ended": (
        RaiseEnded(at=AT, keys=("risk.max_position_pct",), reason="its time is over"),
        '{"kind":"raise_ended","at":"2024-01-02T14:30:00.250000Z","keys":["risk.max_position_pct"],'
        '"reason":"its time is over"}',
    ),
    "limits_file_refused": (
        LimitsFileRefused(at=AT, name="limits.yaml", why="it is empty"),
        '{"kind":"limits_file_refused","at":"2024-01-02T14:30:00.250000Z","name":"limits.yaml","why":"it is empty"}',
    ),
    "parent": (
        ParentEvent(
            at=AT,
            parent_id="5f1c-12",
            symbol="KO",
            side=OrderSide.BUY,
            algorithm="twap",
            quantity=Decimal(1000),
            status="working",
            filled=Decimal(250),
            value=Decimal("15000.50"),
            outstanding=Decimal(100),
            change={"filled": "250"},
            market=MarketSeen(bid=Decimal("60.00"), ask=Decimal("60.02"), others_volume=Decimal(9000)),
        ),
        '{"kind":"parent","at":"2024-01-02T14:30:00.250000Z","parent_id":"5f1c-12","symbol":"KO","side":"buy",'
        '"algorithm":"twap","quantity":"1000","status":"working","filled":"250","value":"15000.50",'
        '"outstanding":"100","change":{"filled":"250"},'
        '"market":{"bid":"60.00","ask":"60.02","others_volume":"9000"}}',
    ),
}


@pytest.mark.parametrize(("event", "text"), GOLDEN.values(), ids=GOLDEN)
def test_the_text_of_an_event_in_the_journal_does_not_change(event, text):
    assert text == msgspec.json.encode(event).decode()


@pytest.mark.parametrize(("event", "text"), GOLDEN.values(), ids=GOLDEN)
def test_the_kind_alone_says_which_event_it_is(event, text):
    found = msgspec.json.decode(text, type=AnyEvent)
    assert (type(event), event) == (type(found), found)


def test_every_event_has_a_sample_above():
    assert set(get_args(AnyEvent)) == {type(event) for event, _ in GOLDEN.values()}


def test_every_class_of_event_can_be_read_back_from_a_journal():
    defined = {kind for kind in Event.__subclasses__() if kind.__module__.startswith("quant_trading_system.")}
    assert defined == set(get_args(AnyEvent))


def test_no_two_events_share_a_kind():
    kinds = [kind.__struct_config__.tag for kind in get_args(AnyEvent)]
    assert len(kinds) == len(set(kinds))


UNREADABLE = {
    "unknown kind": '{"kind":"filled","at":"2024-01-02T14:30:00Z"}',
    "no kind": '{"at":"2024-01-02T14:30:00Z","run":"5f1c","orders":1,"fills":1}',
    "missing field": '{"kind":"run_finished","at":"2024-01-02T14:30:00Z","run":"5f1c","orders":1}',
    "wrong type": '{"kind":"run_finished","at":"2024-01-02T14:30:00Z","run":"5f1c","orders":"1","fills":1}',
    "no number": '{"kind":"cash_moved","at":"2024-01-02T14:30:00Z","amount":"ten","cash":"0","reason":""}',
    "unknown word": '{"kind":"order","at":"2024-01-02T14:30:00Z","order_id":"a","symbol":"KO","status":"lost"}',
    "illegal order": (
        '{"kind":"order","at":"2024-01-02T14:30:00Z","order_id":"a","symbol":"KO","status":"sent","order":'
        '{"symbol":"KO","side":"buy","order_type":"limit","time_in_force":"day","quantity":"1"}}'
    ),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_event_is_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=AnyEvent)


@pytest.mark.parametrize("text", ["10", "10.0", "10.00", "1E+3", "0E-9", "-0.10", "1E-9"])
def test_decimals_keep_their_last_zeros(text):
    moved = CashMoved(at=AT, amount=Decimal(text), cash=Decimal(0), reason="")
    assert text == str(msgspec.json.decode(msgspec.json.encode(moved), type=AnyEvent).amount)


@pytest.mark.parametrize("at", [AT, AT.replace(microsecond=1), AT.astimezone(timezone(timedelta(hours=-5)))])
def test_the_moment_of_an_event_is_kept_to_the_microsecond(at):
    finished = RunFinished(at=at, run="5f1c", orders=0, fills=0)
    read = msgspec.json.decode(msgspec.json.encode(finished), type=AnyEvent)
    assert (at, at.utcoffset()) == (read.at, read.at.utcoffset())


@pytest.mark.parametrize(("side", "signed"), [(OrderSide.BUY, "40"), (OrderSide.SELL, "-40")])
def test_a_fill_knows_its_direction(side, signed):
    fill = FillEvent(
        at=AT,
        order_id="5f1c-12-0",
        execution_id="v7:1",
        symbol="KO",
        side=side,
        quantity=Decimal(40),
        price=Decimal("10.20"),
        cumulative_quantity=Decimal(40),
    )
    assert Decimal(signed) == fill.signed_quantity


@pytest.mark.parametrize("event", [event for event, _ in GOLDEN.values()], ids=GOLDEN)
def test_events_never_change(event):
    with pytest.raises(AttributeError):
        event.at = AT


def test_levels_of_stopping_rise_with_what_they_stop():
    assert [0, 1, 2, 3] == [HaltLevel.RUNNING, HaltLevel.REDUCING, HaltLevel.HALTED, HaltLevel.FLATTENING]
