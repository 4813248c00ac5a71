"""The way back: one person is not enough, a second one is, and afterwards less may be risked for a while."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from quant_trading_system.app.drill.stage import Stage
from quant_trading_system.app.drill.verdict import Check
from quant_trading_system.core.commands import Check as CheckOrder
from quant_trading_system.core.commands import Outcome, Result
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.risk.halt_state import ResetPolicy
from quant_trading_system.risk.kill_switch import KillSwitch

_POLICY = ResetPolicy(persons=2, probation_s=3_600, probation_factor=Decimal("0.25"))
_PENDING = 3
_SMALL = CheckOrder(symbol="JPM", side=OrderSide.BUY, quantity=Decimal(2))
_LARGE = CheckOrder(symbol="JPM", side=OrderSide.BUY, quantity=Decimal(120))
"""Eighteen thousand dollars of a hundred thousand: within a half, beyond a quarter of a half."""


async def resume_by_two(stage: Stage) -> tuple[Check, ...]:
    """Let two persons resume, under the rules of an account with real money, and see what may leave then.

    Raises:
        DrillFailed: a command ended otherwise than it should.
    """
    switch = KillSwitch(latch=stage.latch, policy=_POLICY)
    why = ("--reason", "the drill is over")
    await stage.qts("resume", "--authorized-by", "Ana", *why, allowed=(_PENDING,))
    first = Check(
        name="one approval does not resume",
        passed=switch.is_active(),
        found=f"approved by {', '.join(approval.by for approval in switch.standing().approvals)}",
    )
    await stage.qts("resume", "--authorized-by", "Ben", *why)
    second = Check(
        name="a second person resumes",
        passed=not switch.is_active(),
        found=f"{switch.level.name.lower()}, reset by {switch.state.by}",
    )
    small = await stage.until(lambda: _answer(stage, _SMALL, _passes), "an order that leaves again")
    large = await stage.ask(_LARGE)
    on_probation = switch.state.on_probation(stage.clock.now())
    return (
        first,
        second,
        Check(name="orders leave again", passed=small.result is Result.DONE, found=small.message),
        Check(
            name="limits on size are reduced for a while",
            passed=on_probation and large.result is Result.REFUSED,
            found=large.message,
        ),
    )


def _passes(outcome: Outcome) -> bool:
    return outcome.result is Result.DONE


async def _answer(stage: Stage, command: CheckOrder, wanted: Callable[[Outcome], bool]) -> Outcome | None:
    outcome = await stage.ask(command)
    return outcome if wanted(outcome) else None
