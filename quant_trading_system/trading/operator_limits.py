"""What people ask about limits and approvals: the same answer from a running engine and without one."""

from __future__ import annotations

from quant_trading_system.core.approval_events import ApprovalAnswer
from quant_trading_system.core.commands import AnswerApproval, Outcome, ProposeLimits, Result
from quant_trading_system.risk.limits_governance import LimitsGovernance, Settled


def propose(governance: LimitsGovernance, command: ProposeLimits, by: str, source: str) -> Outcome:
    """Want other limits, for good or until a moment.

    Raises:
        ConfigurationError, ApprovalRefused: as `LimitsGovernance.propose` and `raise_until`.
    """
    if command.until is None:
        settled = governance.propose(command.values, by=by, why=command.why, source=source)
    else:
        settled = governance.raise_until(command.values, command.until, by=by, why=command.why, source=source)
    result = Result.DONE if settled.approval is None else Result.PENDING
    return Outcome(result=result, message=_told(settled))


def answer(governance: LimitsGovernance, command: AnswerApproval, by: str, source: str) -> Outcome:
    """Say yes or no to what waits for people.

    Raises:
        ApprovalRefused: as `Approvals.give` and `refuse`.
    """
    approval, approvals = command.approval, governance.approvals
    if command.answer is ApprovalAnswer.NO:
        approvals.refuse(approval, by=by, reason=command.reason, source=source)
        return Outcome(result=Result.DONE, message=f"{approval} is refused; what is in force stays")
    view = approvals.find(approval)
    if governance.approve(approval, by=by, content=command.content, reason=command.reason, source=source):
        return Outcome(result=Result.DONE, message=f"{approval} is approved: {view.text}")
    missing = view.needed - len(view.given)
    return Outcome(result=Result.PENDING, message=f"{approval}: {by} says yes; {missing} more to approve it")


def _told(settled: Settled) -> str:
    told = [f"in force now: {change}" for change in settled.at_once]
    if settled.approval is not None:
        view = settled.approval
        told.append(f"{view.approval} waits for {view.needed} to approve it: {view.text}")
    return "; ".join(told)
