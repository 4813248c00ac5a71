"""The keys of `risk_params.yaml` about stopping: what trips the kill switch, how it is reset, how positions close."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.config.key_ranges import SHARE, WINDOW, count, up_to
from quant_trading_system.config.limit_key import FRACTION, LimitKey, Range
from quant_trading_system.config.looseness import Looser
from quant_trading_system.config.scalars import HALT_LEVELS, read_flag, read_level, read_name, read_number, read_whole
from quant_trading_system.core.numbers import ZERO

# fmt: off
KILL_SWITCH_KEYS: tuple[LimitKey, ...] = (
    LimitKey(
        "halt", "max_consecutive_losses", read_whole, count(1_000), "round trips",
        "Losing round trips in a row; one more trips the kill switch.", Looser.HIGHER,
    ),
    LimitKey(
        "halt", "halt_level", read_level, None, " or ".join(HALT_LEVELS),
        "The level that an automatic trigger of the kill switch sets.", Looser.ANY_CHANGE,
    ),
    LimitKey(
        "halt", "authorized_resetters", read_name, None, "list of names",
        "Who may reset the kill switch; empty means that any named person may.", Looser.MORE_NAMES, is_list=True,
    ),
    LimitKey(
        "triggers", "warn_at_share", read_number, Range(ZERO, Decimal("0.99"), open_below=True), "share of a limit",
        "From this share of the limit of an automatic trigger on, people are warned, once a day each.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "max_weekly_loss_pct", read_number, SHARE, FRACTION + "the week's opening equity",
        "Loss of one week beyond which the kill switch trips; 1 does without.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "max_monthly_loss_pct", read_number, SHARE, FRACTION + "the month's opening equity",
        "Loss of one month beyond which the kill switch trips; 1 does without.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "max_rapid_loss_pct", read_number, SHARE, FRACTION + "the highest equity of the window",
        "Loss within `rapid_loss_window_s` beyond which the kill switch trips; 1 does without.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "rapid_loss_window_s", read_number, WINDOW, "seconds",
        "Time within which a rapid loss is looked for.", Looser.LOWER,
    ),
    LimitKey(
        "triggers", "max_rejection_rate", read_number, SHARE, FRACTION + "orders",
        "Share of the orders within `rejection_window_s` that the broker may refuse; 1 does without.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "rejection_min_orders", read_whole, count(10_000), "orders",
        "Fewest orders within the window for their rejection rate to mean something.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "rejection_window_s", read_number, WINDOW, "seconds",
        "Time over which refusals are counted.", Looser.ANY_CHANGE,
    ),
    LimitKey(
        "triggers", "max_broker_errors", read_whole, count(1_000_000), "orders",
        "Orders within `broker_error_window_s` that could not be sent or got no answer.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "broker_error_window_s", read_number, WINDOW, "seconds",
        "Time over which orders without an answer are counted.", Looser.LOWER,
    ),
    LimitKey(
        "triggers", "max_slippage_bps", read_number, up_to(10_000), "basis points",
        "Average cost of the latest fills of market orders, beyond the quotes that judged them.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "slippage_fills", read_whole, count(10_000), "fills",
        "How many fills of market orders that average is over; it counts from as many on.", Looser.ANY_CHANGE,
    ),
    LimitKey(
        "triggers", "max_stress_loss_pct", read_number, up_to(10), FRACTION + "equity",
        "Loss in the worst stress scenario beyond which only exits may leave; needs past prices.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "max_equity_difference_pct", read_number, SHARE, FRACTION + "our own equity",
        "How far the broker's equity may differ from ours, twice in a row, before the account halts.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "max_feed_silence_s", read_number, WINDOW, "seconds",
        "Longest time without a quote of any symbol held, while the exchange is open.", Looser.HIGHER,
    ),
    LimitKey(
        "triggers", "max_broker_silence_s", read_number, WINDOW, "seconds",
        "Longest time for which the broker's order stream or its answers may be missing.", Looser.HIGHER,
    ),
    LimitKey(
        "reset", "reset_approvals", read_whole, count(5), "persons",
        "Persons who must approve a reset of the kill switch in live trading; elsewhere one is enough.", Looser.LOWER,
    ),
    LimitKey(
        "reset", "solo_reset_delay_s", read_whole, Range(ZERO, Decimal(43_200)), "seconds",
        "Time after which one who approved a reset may reset alone; 0 for never.", Looser.ANY_CHANGE,
    ),
    LimitKey("reset", "probation_s", read_whole, Range(ZERO, Decimal(604_800)), "seconds",
             "Time after a reset during which limits are reduced; 0 for none.", Looser.LOWER),
    LimitKey("reset", "probation_factor", read_number, SHARE, FRACTION + "each limit on size",
             "What is left of the limits on size during that time.", Looser.HIGHER),
    LimitKey("liquidation", "liquidation_slice_notional", read_number, up_to(10**12), "dollars",
             "Largest value of one closing order of a liquidation.", Looser.HIGHER),
    LimitKey(
        "liquidation", "liquidation_collar_pct", read_number, SHARE, FRACTION + "the quote",
        "How far beyond the far side of the quote the first closing order may reach.", Looser.HIGHER,
    ),
    LimitKey(
        "liquidation", "liquidation_patience_s", read_number, up_to(3_600), "seconds",
        "Time for a closing order to fill; then the next one reaches twice as far.", Looser.LOWER,
    ),
    LimitKey("liquidation", "liquidation_extended_hours", read_flag, None, "true or false",
             "Whether positions are closed before the open and after the close, too.", Looser.HIGHER),
)
# fmt: on
"""In the order of the file."""
