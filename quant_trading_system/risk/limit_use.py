"""How much of every account-wide limit is used: one list for screens, metrics and records."""

from __future__ import annotations

from collections.abc import Container

import msgspec

from quant_trading_system.core.risk_now import LimitUse
from quant_trading_system.risk.checks.soft import with_soft_limits
from quant_trading_system.risk.limit_readings import Facts, nearest
from quant_trading_system.risk.limit_table import TABLE

SOFT = "soft_limits"


def limit_uses(facts: Facts) -> tuple[LimitUse, ...]:
    """What is used of each limit that is in force and can be read now, in the order of the file.

    Of the soft limits, and of the budgets of strategies, the one that is nearest.
    """
    with facts.portfolio.lock:
        soft = nearest(_read(_at_soft_values(facts), {entry.partition(" ")[0] for entry in facts.limits.soft_limits}))
        found = _read(facts, TABLE)
    if soft is not None:
        found.append(msgspec.structs.replace(soft, rule=SOFT, of=" ".join(filter(None, (soft.rule, soft.of)))))
    return tuple(found)


def _read(facts: Facts, keys: Container[str]) -> list[LimitUse]:
    readings = [row.use for key, row in TABLE.items() if key in keys]
    return [use for read in readings if not isinstance(read, str) for use in read(facts)]


def _at_soft_values(facts: Facts) -> Facts:
    return facts._replace(limits=with_soft_limits(facts.limits))
