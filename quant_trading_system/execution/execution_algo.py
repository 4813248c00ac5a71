"""Front door of the execution algorithms: TWAP, VWAP, implementation shortfall, POV, iceberg, peg, auctions, adaptive.

`plan_execution` chooses one and says what it is expected to cost; `step` walks the parent order that comes out
of it. Everything here is pure: the caller has the clock, the market and the order manager.
"""

from __future__ import annotations

from quant_trading_system.execution.algo.advice import Alternative, ExecutionAdvice, PlanRequest
from quant_trading_system.execution.algo.almgren_chriss import (
    ShortfallProblem,
    Trajectory,
    calculate_urgency,
    efficient_frontier,
    optimal_trajectory,
    urgency_score,
)
from quant_trading_system.execution.algo.calibration import Calibration, ImpactSample, calibrate, calibrate_exponent
from quant_trading_system.execution.algo.children import ChildReport
from quant_trading_system.execution.algo.impact import (
    AlmgrenImpact,
    ImpactModel,
    LinearImpact,
    Market,
    SquareRootImpact,
    impact_of,
)
from quant_trading_system.execution.algo.parent import (
    Algorithm,
    AtEnd,
    ParentLimits,
    ParentOrder,
    ParentState,
    ParentStatus,
    Placement,
    new_parent,
)
from quant_trading_system.execution.algo.planner import parent_of, plan_execution
from quant_trading_system.execution.algo.profile import (
    VolumeForecast,
    VolumeProfile,
    learn_profile,
    profile_from_bars,
)
from quant_trading_system.execution.algo.schedule import (
    Schedule,
    Slice,
    randomised,
    twap_schedule,
    weighted_schedule,
)
from quant_trading_system.execution.algo.slicing import largest_remainder
from quant_trading_system.execution.algo.walker import (
    AfterCrash,
    CancelChild,
    PlaceChild,
    Step,
    cancel,
    pause,
    recover,
    reduce_to,
    resume,
    speed_up,
    step,
)
from quant_trading_system.execution.algo.wishes import MarketFacts

__all__ = [
    "AfterCrash",
    "Algorithm",
    "AlmgrenImpact",
    "Alternative",
    "AtEnd",
    "Calibration",
    "CancelChild",
    "ChildReport",
    "ExecutionAdvice",
    "ImpactModel",
    "ImpactSample",
    "LinearImpact",
    "Market",
    "MarketFacts",
    "ParentLimits",
    "ParentOrder",
    "ParentState",
    "ParentStatus",
    "PlaceChild",
    "Placement",
    "PlanRequest",
    "Schedule",
    "ShortfallProblem",
    "Slice",
    "SquareRootImpact",
    "Step",
    "Trajectory",
    "VolumeForecast",
    "VolumeProfile",
    "calculate_urgency",
    "calibrate",
    "calibrate_exponent",
    "cancel",
    "efficient_frontier",
    "impact_of",
    "largest_remainder",
    "learn_profile",
    "new_parent",
    "optimal_trajectory",
    "parent_of",
    "pause",
    "plan_execution",
    "profile_from_bars",
    "randomised",
    "recover",
    "reduce_to",
    "resume",
    "speed_up",
    "step",
    "twap_schedule",
    "urgency_score",
    "weighted_schedule",
]
