"""The limits of `risk_params.yaml` as one frozen value."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.core.events import HaltLevel


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Every limit in force. Names are the keys of `risk_params.yaml`; a trailing ``_pct`` is a fraction (0.10 is 10 %).

    Attributes:
        max_position_pct: largest worst-case value of one position, as a fraction of equity.
        max_portfolio_positions: most symbols held or being opened at once.
        max_daily_loss_pct: loss since the day opened, fraction of day-start equity; beyond it the kill switch trips.
        max_drawdown_pct: loss from peak equity, fraction of the peak; beyond it the kill switch trips.
        max_sector_exposure: largest worst-case value of all positions of one sector, fraction of equity.
        max_correlation: highest correlation of a new symbol's returns with those of any symbol held.
        max_position_quantity: largest worst-case shares of one position.
        max_order_quantity: shares in one order.
        min_order_notional, max_order_notional: dollars in one order.
        max_open_orders_per_symbol: orders of one symbol that may be open at once, the new one included.
        duplicate_window_s: seconds within which an identical order is taken for a mistake.
        max_orders_per_minute, max_notional_per_minute: orders and changes within a minute, and their dollars.
        max_messages_per_minute: the same with cancels; `max_replaces_per_minute`: changes only.
        max_repeated_orders: orders of one strategy, symbol and side within `repeat_window_s` seconds; one more
            stops the strategy.
        max_orders_per_day, max_notional_per_day: orders and changes of one day of the exchange, and their dollars.
        allow_short: positions below zero are permitted (the instrument must be shortable too).
        buying_power_multiplier: 1 for a cash account, 2 for Regulation T margin.
        max_gross_exposure: largest worst-case sum of absolute position values, fraction of equity.
        price_collar_pct: farthest that a price may lie on the hurting side of the quote, fraction of the quote.
        max_quote_age_s: oldest usable quote in seconds.
        max_spread_pct: widest usable spread, fraction of the mid.
        max_clock_skew_s: seconds by which our clock may be off: further from the broker's, new risk is refused; further
            behind a quote's stamp, the account halts.
        max_position_notional: largest worst-case value of one position in dollars; None when it is off.
        max_net_exposure: largest worst-case difference between long and short positions, fraction of equity; None
            when it is off.
        max_concentration: largest sum of squared position values as fractions of equity, Herfindahl index; None when
            it is off.
        max_open_orders: orders of all symbols that may be open at once, the new one and its legs included.
        max_turnover_per_day: what the orders of one day of the exchange may add up to, measured by equity, fraction
            of equity; None when it is off.
        max_quote_deviation_pct: farthest that the middle of the quote may lie from the last trade, fraction of the
            last trade; None when it is off.
        max_order_adv_pct: largest order, measured by the average volume of the last 20 sessions, fraction of average
            daily volume; None when it is off.
        max_participation_pct: what all orders of one symbol and day may add up to, measured by the average volume of
            the last 20 sessions, fraction of average daily volume; None when it is off.
        no_trade_after_open_s: time after the open in which only exits and auction orders leave, seconds; None when
            it is off.
        no_trade_before_close_s: time before the close in which only exits and auction orders leave, seconds; None
            when it is off.
        blackouts: times in which only exits leave, or nothing.
        restricted_symbols: symbols that may not be traded, or only be sold out of: who says so, until when, and why.
        allow_hard_to_borrow: whether stocks that are not easy to borrow may be sold short.
        max_consecutive_losses: losing round trips in a row; one more trips the kill switch.
        halt_level: the level that an automatic trigger sets: reducing, halted or flattening.
        authorized_resetters: who may reset the kill switch; empty means that any named person may.
        warn_at_share: share of a trigger's limit from which people are warned.
        max_weekly_loss_pct, max_monthly_loss_pct: loss since week or month opened, fraction of the equity then.
        max_rapid_loss_pct: loss from the highest equity of the last `rapid_loss_window_s`, fraction of it.
        max_rejection_rate: share of the orders within `rejection_window_s` that the broker may refuse, once they are
            `rejection_min_orders`.
        max_broker_errors: orders within `broker_error_window_s` that could not be sent or got no answer.
        max_slippage_bps: average cost of the last `slippage_fills` fills of market orders against their quotes.
        max_stress_loss_pct: loss in the worst stress scenario, fraction of equity; beyond it only exits leave.
        max_equity_difference_pct: the broker's equity against ours, fraction of ours.
        max_feed_silence_s: longest time without a quote of any symbol held, while the exchange is open.
        max_broker_silence_s: longest time for which the broker's stream or answers may be missing.
        reset_approvals: different persons who must approve a reset in live trading.
        solo_reset_delay_s: seconds after which one who approved a reset may reset alone; 0 for never.
        probation_s: seconds of reduced limits after a reset; `probation_factor`: what is left of limits on size then.
        liquidation_slice_notional: dollars of one closing order of a liquidation.
        liquidation_collar_pct: how far the first closing order reaches beyond the quote, fraction of the quote.
        liquidation_patience_s: seconds until a closing order that has not filled makes way for another one.
        liquidation_extended_hours: positions are closed before the open and after the close, too.
        correlation_window: bars over which correlations are measured.
        correlation_min_observations: fewest bars for a correlation to be believed.
        authorized_approvers: who may approve looser limits and held orders; empty means that any named person may.
        live_loosening_approvals, paper_loosening_approvals: persons who have to approve looser limits, with real money
            and without.
        approval_expiry_s: seconds that looser limits wait for people.
        max_raise_s: longest that a limit may be raised for a while, seconds.
        allowed_symbols: the only symbols that may be traded: who says so, until when, and why; empty for all approved.
        max_order_multiple: largest order, times the median of its strategy's latest orders; None when it is off.
        max_cancel_ratio: cancels and changes for each new order of the last minute, asked from `cancel_ratio_from` of
            them on; None when it is off.
        use_unsettled_cash: the proceeds of a sale may buy before they have settled.
        max_margin_use_pct: largest worst-case maintenance margin of all positions, fraction of equity; None when it is
            off.
        max_day_trades: positions that may be opened and closed on one day, within five sessions; None when it is off.
        max_beta_exposure: largest worst-case sum of positions times their betas, fraction of equity; None when it is
            off.
        max_var_95_pct, max_es_95_pct: value at risk and expected shortfall (95 %, one bar) with the order, fraction of
            equity; None when it is off.
        volatility_tiers: how much of the largest order is left while the market is so many times as volatile as usual.
        volatility_reference: whose volatility it is: a symbol, or ``market`` for the average of all.
        volatility_short_window, volatility_long_window: bars over which it is measured now, and as usual.
        strategy_budgets: what each strategy may use of the account.
        soft_limits: keys and lower values, from which on `soft_limit_approvals` persons have to approve an order
            within `soft_limit_expiry_s` seconds.
    """

    max_position_pct: Decimal
    max_portfolio_positions: int
    max_daily_loss_pct: Decimal
    max_drawdown_pct: Decimal
    max_sector_exposure: Decimal
    max_correlation: Decimal
    max_position_quantity: Decimal
    max_order_quantity: Decimal
    min_order_notional: Decimal
    max_order_notional: Decimal
    max_open_orders_per_symbol: int
    duplicate_window_s: Decimal
    max_orders_per_minute: int
    max_notional_per_minute: Decimal
    max_messages_per_minute: int
    max_replaces_per_minute: int
    max_repeated_orders: int
    repeat_window_s: Decimal
    max_orders_per_day: int
    max_notional_per_day: Decimal
    allow_short: bool
    buying_power_multiplier: Decimal
    max_gross_exposure: Decimal
    price_collar_pct: Decimal
    max_quote_age_s: Decimal
    max_spread_pct: Decimal
    max_clock_skew_s: Decimal
    max_position_notional: Decimal | None
    max_net_exposure: Decimal | None
    max_concentration: Decimal | None
    max_open_orders: int
    max_turnover_per_day: Decimal | None
    max_quote_deviation_pct: Decimal | None
    max_order_adv_pct: Decimal | None
    max_participation_pct: Decimal | None
    no_trade_after_open_s: Decimal | None
    no_trade_before_close_s: Decimal | None
    blackouts: tuple[str, ...]
    restricted_symbols: tuple[str, ...]
    allow_hard_to_borrow: bool
    max_consecutive_losses: int
    halt_level: HaltLevel
    authorized_resetters: tuple[str, ...]
    warn_at_share: Decimal
    max_weekly_loss_pct: Decimal
    max_monthly_loss_pct: Decimal
    max_rapid_loss_pct: Decimal
    rapid_loss_window_s: Decimal
    max_rejection_rate: Decimal
    rejection_min_orders: int
    rejection_window_s: Decimal
    max_broker_errors: int
    broker_error_window_s: Decimal
    max_slippage_bps: Decimal
    slippage_fills: int
    max_stress_loss_pct: Decimal
    max_equity_difference_pct: Decimal
    max_feed_silence_s: Decimal
    max_broker_silence_s: Decimal
    reset_approvals: int
    solo_reset_delay_s: int
    probation_s: int
    probation_factor: Decimal
    liquidation_slice_notional: Decimal
    liquidation_collar_pct: Decimal
    liquidation_patience_s: Decimal
    liquidation_extended_hours: bool
    correlation_window: int
    correlation_min_observations: int
    authorized_approvers: tuple[str, ...]
    live_loosening_approvals: int
    paper_loosening_approvals: int
    approval_expiry_s: Decimal
    max_raise_s: Decimal
    allowed_symbols: tuple[str, ...]
    max_order_multiple: Decimal | None
    max_cancel_ratio: Decimal | None
    cancel_ratio_from: int
    use_unsettled_cash: bool
    max_margin_use_pct: Decimal | None
    max_day_trades: int | None
    max_beta_exposure: Decimal | None
    max_var_95_pct: Decimal | None
    max_es_95_pct: Decimal | None
    volatility_tiers: tuple[str, ...]
    volatility_reference: str
    volatility_short_window: int
    volatility_long_window: int
    strategy_budgets: tuple[str, ...]
    soft_limits: tuple[str, ...]
    soft_limit_approvals: int
    soft_limit_expiry_s: Decimal
    version: str = ""
