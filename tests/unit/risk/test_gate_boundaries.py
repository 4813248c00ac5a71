"""Every rule of the gate at its boundary: one step inside, exactly at it, one step beyond.

`tests/support/gate_cases.py` tells how the lines are read. The last column is the first rule that refuses.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.orders import OrderType
from quant_trading_system.market.quotes import Quote
from quant_trading_system.risk.checks.soft import with_soft_limits
from quant_trading_system.risk.order_value import price_of
from tests.support.desk import limits_with
from tests.support.gate_cases import GateCase, cases, decide, verdict
from tests.support.market import NOON
from tests.support.orders import buy, sell

CASES = {
    Rule.KILL_SWITCH: """
                                                 | buy 1   | ok
halt=reducing                                    | buy 1   | kill_switch
halt=halted                                      | buy 1   | kill_switch
halt=flattening                                  | buy 1   | kill_switch
halt=reducing held=KO:10@100                     | sell 10 | ok           # a way out
halt=reducing held=KO:10@100                     | sell 11 | kill_switch  # one share past flat
halt=reducing held=KO:10@100                     | buy 1   | kill_switch
halt=flattening held=KO:10@100 open=KO:-4@100    | sell 6  | ok           # what is held less what is being sold
halt=flattening held=KO:10@100 open=KO:-4@100    | sell 7  | kill_switch
halt=flattening held=KO:-10@100 allow_short=true | buy 10  | ok
halt=flattening held=KO:-10@100 allow_short=true | buy 11  | kill_switch
halt=halted held=KO:10@100                       | sell 10 | kill_switch  # halted stops exits, too
""",
    Rule.EXACT_ARITHMETIC: """
precision=28               | buy 1  | ok
precision=27               | buy 1  | exact_arithmetic
precision=29               | buy 1  | ok
precision=27 held=KO:1@100 | sell 1 | exact_arithmetic
""",
    Rule.ACCOUNT_KNOWN: """
cash=2000                                 | buy 1  | ok
cash=0.01 max_position_pct=1              | buy 1  | max_position_pct  # known, though poor
cash=0                                    | buy 1  | account_known
cash=-0.01                                | buy 1  | account_known
cash=-500 allow_short=true                | sell 1 | account_known
cash=-500 held=KO:1@100                   | sell 1 | ok
cash=-500 held=KO:-1@100 allow_short=true | buy 1  | ok
""",
    Rule.WATCHED: """
                                                | buy 1   | ok
unwatched=gone                                  | buy 1   | watchdog
unwatched=gone allow_short=true                 | sell 1  | watchdog
unwatched=gone held=KO:10@100                   | sell 10 | ok        # a way out
unwatched=gone held=KO:10@100                   | sell 11 | watchdog  # one share past flat
unwatched=gone held=KO:-10@100 allow_short=true | buy 10  | ok
""",
    Rule.RECONCILED: """
                                                        | buy 1           | ok
unreconciled                                            | buy 1           | reconciled
unreconciled held=KO:10@100                             | sell 10         | ok           # a way out
unreconciled held=KO:10@100 allow_short=true            | sell 11         | reconciled
break=cash                                              | buy 1           | reconciled
break=cash                                              | buy 1 of PEP    | reconciled   # the whole account
break=cash held=KO:10@100                               | sell 10         | ok
break=PEP:5                                             | buy 1           | ok           # another symbol's
break=KO:5                                              | buy 1           | reconciled
break=KO:9 held=KO:10@100                               | sell 9          | ok           # no more than both sides hold
break=KO:9 held=KO:10@100                               | sell 10         | reconciled
break=KO:9 held=KO:10@100 open=KO:-4@100                | sell 5          | ok
break=KO:9 held=KO:10@100 open=KO:-4@100                | sell 6          | reconciled
break=KO:11 held=KO:10@100                              | sell 10         | ok
break=KO:0 held=KO:10@100                               | sell 1          | reconciled  # theirs is flat
break=KO:-10 held=KO:10@100                             | sell 1          | reconciled
break=KO:-9 held=KO:-10@100 allow_short=true            | buy 9           | ok
break=KO:-9 held=KO:-10@100 allow_short=true            | buy 10          | reconciled
""",
    Rule.STRATEGY_ARMED: """
                                              | buy 1   | ok
disarmed=runaway                              | buy 1   | strategy_armed
disarmed=runaway allow_short=true             | sell 1  | strategy_armed
disarmed=runaway held=KO:10@100               | sell 10 | ok              # a way out
disarmed=runaway held=KO:10@100               | sell 11 | strategy_armed  # one share past flat
""",
    Rule.MAX_DAILY_LOSS: """
day_start=100000 peak=100000 cash=95000.01                                  | buy 1   | ok
day_start=100000 peak=100000 cash=95000                                     | buy 1   | ok                  # 5 % exactly
day_start=100000 peak=100000 cash=94999.99                                  | buy 1   | max_daily_loss_pct
day_start=100000 peak=100000 cash=94999.99 allow_short=true                 | sell 1  | max_daily_loss_pct
day_start=90000 peak=100000 cash=100000                                     | buy 1   | ok                  # a gain
day_start=100000 peak=100000 cash=94999.99 held=KO:10@100                   | sell 10 | ok
day_start=100000 peak=100000 cash=94999.99 held=KO:-10@100 allow_short=true | buy 10  | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_DRAWDOWN: """
day_start=85000 peak=100000 cash=85000.01                  | buy 1   | ok
day_start=85000 peak=100000 cash=85000                     | buy 1   | ok                # 15 % exactly
day_start=85000 peak=100000 cash=84999.99                  | buy 1   | max_drawdown_pct
day_start=85000 peak=100000 cash=84999.99 allow_short=true | sell 1  | max_drawdown_pct
day_start=85000 peak=100000 cash=84999.99 held=KO:10@100   | sell 10 | ok
""",
    Rule.RESTRICTED: """
restricted_symbols=KO+blocked+by+Ana+because+board                                              | buy 1        | restricted_symbols
restricted_symbols=KO+blocked+by+Ana+because+board held=KO:1@100                                | sell 1       | restricted_symbols
restricted_symbols=KO+reduce_only+by+Ana+because+squeeze                                        | buy 1        | restricted_symbols
restricted_symbols=KO+reduce_only+by+Ana+because+squeeze held=KO:10@100                         | sell 10      | ok
restricted_symbols=KO+reduce_only+by+Ana+because+squeeze held=KO:10@100 allow_short=true        | sell 11      | restricted_symbols
restricted_symbols=KO+blocked+by+Ana+because+board                                              | buy 1 of PEP | ok
restricted_symbols=KO+blocked+until+2024-01-07+by+Ana+because+board                             | buy 1        | ok  # it is the 8th
restricted_symbols=KO+blocked+until+2024-01-08+by+Ana+because+board                             | buy 1        | restricted_symbols
""",  # noqa: E501 - a row of a table is read as one line
    Rule.ALLOWED: """
                                                                                | buy 1         | ok
allowed_symbols=KO+by+Ana+because+core                                          | buy 1         | ok
allowed_symbols=KO+by+Ana+because+core                                          | buy 1 of PEP  | allowed_symbols
allowed_symbols=KO+by+Ana+because+core,PEP+by+Ben+because+core                  | buy 1 of PEP  | ok
allowed_symbols=KO+until+2024-01-08+by+Ana+because+core                         | buy 1         | ok               # its last day
allowed_symbols=KO+until+2024-01-07+by+Ana+because+core                         | buy 1         | allowed_symbols
allowed_symbols=KO+until+2024-01-07+by+Ana+because+x,KO+by+Ben+because+y        | buy 1         | ok               # the later one
allowed_symbols=PEP+by+Ana+because+core held=KO:10@100                          | sell 10       | ok               # a way out
allowed_symbols=PEP+by+Ana+because+core held=KO:10@100 allow_short=true         | sell 11       | allowed_symbols
""",  # noqa: E501 - a row of a table is read as one line
    Rule.APPROVED_UNIVERSE: """
 | buy 1 of PEP   | ok
 | buy 1 of TSLA  | approved_universe
 | sell 1 of TSLA | approved_universe
 | buy 1 of ko    | approved_universe  # symbols are exact
""",
    Rule.INSTRUMENT_TRADABLE: """
                | buy 1 of SUSP   | instrument_tradable
held=SUSP:1@100 | sell 1 of SUSP  | instrument_tradable
                | buy 1.5         | ok
                | buy $150        | ok
                | buy 1.5 of PEP  | instrument_tradable
                | buy $150 of PEP | instrument_tradable
""",
    Rule.ORDER_SUPPORTED: """
unsupported=stop                        | buy 1          | ok
unsupported=stop                        | buy 1 stop 101 | order_supported
unsupported=trailing_stop held=KO:1@100 | sell 1 trail 1 | order_supported
held=KO:1@100                           | sell 1 trail 1 | ok
""",
    Rule.TRADING_HALTED: """
                           | buy 1   | ok
halted                     | buy 1   | trading_halted
halted held=KO:10@100      | sell 10 | ok  # waits for the reopening
halted allow_short=true    | sell 1  | trading_halted
""",
    Rule.TRADING_HOURS: """
now=2024-01-08T14:29:59.999999     | buy 1                    | trading_hours
now=2024-01-08T14:30               | buy 1                    | ok
now=2024-01-08T20:59:59.999999     | buy 1                    | ok
now=2024-01-08T21:00               | buy 1                    | trading_hours
now=2024-01-10T17:59:59.999999     | buy 1                    | ok             # a half day
now=2024-01-10T18:00               | buy 1                    | trading_hours
now=2024-01-11T17:00               | buy 1                    | trading_hours  # a holiday
now=2024-01-07T17:00               | buy 1                    | trading_hours  # a Sunday
now=2024-01-08T21:00 held=KO:1@100 | sell 1                   | trading_hours
now=2024-01-08T21:00               | buy 1 gtc limit 100      | trading_hours
now=2024-01-08T14:28               | buy 1 opg                | ok             # two minutes before the open
now=2024-01-08T14:28:00.000001     | buy 1 opg                | trading_hours
now=2024-01-08T14:30               | buy 1 opg                | trading_hours
now=2024-01-08T20:50               | buy 1 cls                | ok             # ten minutes before the close
now=2024-01-08T20:50:00.000001     | buy 1 cls                | trading_hours
now=2024-01-10T17:50               | buy 1 cls                | ok
now=2024-01-10T17:50:00.000001     | buy 1 cls                | trading_hours
now=2024-01-08T22:00               | buy 1 cls                | trading_hours
now=2024-01-09T08:59:59.999999     | buy 1 limit 100 extended | trading_hours
now=2024-01-09T09:00               | buy 1 limit 100 extended | ok             # 4:00 in New York
now=2024-01-09T00:59:59.999999     | buy 1 limit 100 extended | ok             # until 20:00 in New York
now=2024-01-09T01:00               | buy 1 limit 100 extended | trading_hours
now=2024-01-10T21:59:59.999999     | buy 1 limit 100 extended | ok             # four hours after a half day
now=2024-01-10T22:00               | buy 1 limit 100 extended | trading_hours
now=2024-01-09T09:00               | buy 1 limit 100          | trading_hours
""",
    Rule.NO_TRADE_AFTER_OPEN: """
now=2024-01-08T14:30                           no_trade_after_open_s=off                    | buy 1     | ok
now=2024-01-08T14:34:59.999999                 no_trade_after_open_s=300                    | buy 1     | no_trade_after_open_s
now=2024-01-08T14:35                           no_trade_after_open_s=300                    | buy 1     | ok
now=2024-01-08T14:35:00.000001                 no_trade_after_open_s=300                    | buy 1     | ok
now=2024-01-08T14:31 held=KO:1@100             no_trade_after_open_s=300                    | sell 1    | ok
now=2024-01-08T14:31                           no_trade_after_open_s=300                    | buy 1 cls | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.NO_TRADE_BEFORE_CLOSE: """
now=2024-01-08T20:59                           no_trade_before_close_s=off                  | buy 1     | ok
now=2024-01-08T20:49:59.999999                 no_trade_before_close_s=600                  | buy 1     | ok
now=2024-01-08T20:50                           no_trade_before_close_s=600                  | buy 1     | ok
now=2024-01-08T20:50:00.000001                 no_trade_before_close_s=600                  | buy 1     | no_trade_before_close_s
now=2024-01-10T17:50:00.000001                 no_trade_before_close_s=600                  | buy 1     | no_trade_before_close_s  # a half day
now=2024-01-08T20:55 held=KO:1@100             no_trade_before_close_s=600                  | sell 1    | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.BLACKOUT: """
blackouts=KO+reduce_only+from+2024-01-08T17:00Z+until+2024-01-08T17:01Z+by+Ana+because+earnings | buy 1        | blackouts  # its first moment
blackouts=KO+reduce_only+from+2024-01-08T17:01Z+until+2024-01-08T17:02Z+by+Ana+because+earnings | buy 1        | ok
blackouts=KO+reduce_only+from+2024-01-08T16:00Z+until+2024-01-08T17:00Z+by+Ana+because+earnings | buy 1        | ok         # its end is the first moment after it
now=2024-01-08T16:59:59.999999 blackouts=KO+reduce_only+from+2024-01-08T16:00Z+until+2024-01-08T17:00Z+by+Ana+because+news | buy 1 | blackouts
blackouts=everything+reduce_only+from+2024-01-08T17:00Z+until+2024-01-08T17:01Z+by+Ana+because+FOMC | buy 1 of PEP | blackouts
blackouts=KO+reduce_only+from+2024-01-08T17:00Z+until+2024-01-08T17:01Z+by+Ana+because+earnings | buy 1 of PEP | ok
blackouts=KO+reduce_only+from+2024-01-08T17:00Z+until+2024-01-08T17:01Z+by+Ana+because+earnings held=KO:10@100 | sell 10 | ok
blackouts=KO+reduce_only+from+2024-01-08T17:00Z+until+2024-01-08T17:01Z+by+Ana+because+earnings held=KO:10@100 allow_short=true | sell 11 | blackouts
blackouts=KO+blocked+from+2024-01-08T17:00Z+until+2024-01-08T17:01Z+by+Ana+because+news held=KO:10@100 | sell 10 | blackouts
blackouts=KO+reduce_only+from+2024-01-08T16:00Z+until+2024-01-08T18:00Z+by+Ana+because+news,everything+blocked+from+2024-01-08T16:00Z+until+2024-01-08T17:30Z+by+Ben+because+halt held=KO:10@100 | sell 10 | blackouts # the stricter one
""",  # noqa: E501 - a row of a table is read as one line
    Rule.LOT_SIZE: """
quote=9.99/10.01                 | buy 99 of LOT   | lot_size
quote=9.99/10.01                 | buy 100 of LOT  | ok
quote=9.99/10.01                 | buy 101 of LOT  | lot_size
quote=9.99/10.01                 | buy 200 of LOT  | ok
quote=9.99/10.01 held=LOT:150@10 | sell 150 of LOT | ok        # what fills in parts or people have left
quote=9.99/10.01 held=LOT:150@10 | sell 1 of LOT   | ok
quote=9.99/10.01 held=LOT:150@10 | buy 50 of LOT   | lot_size
quote=9.99/10.01 held=LOT:150@10 allow_short=true | sell 151 of LOT | lot_size
""",
    Rule.PRICE_TICK: """
                    | buy 1 limit 100.00           | ok
                    | buy 1 limit 100.001          | price_tick
                    | buy 1 limit 100.000          | ok          # the same price
                    | buy 1 stop 101.001           | price_tick
                    | buy 1 stop 101 limit 101.001 | price_tick
quote=0.4999/0.5001 | buy 10 limit 0.5001          | ok          # below a dollar
quote=0.4999/0.5001 | buy 10 limit 0.50011         | price_tick
quote=0.99/1.01     | buy 10 limit 1.0001          | price_tick
quote=0.99/1.01     | buy 10 limit 0.9999          | ok
held=KO:1@100       | sell 1 limit 100.001         | price_tick
""",
    Rule.QUOTE_PRESENT: """
quote=none               | buy 1           | quote_present
quote=none               | buy 1 limit 100 | quote_present
quote=none               | buy $100        | quote_present
quote=none held=KO:1@100 | sell 1          | quote_present
""",
    Rule.QUOTE_SANE: """
quote=100.00/100.01                                 | buy 1    | ok
quote=100.00/100.00                                 | buy 1    | quote_sane  # locked
quote=100.02/100.01                                 | buy 1    | quote_sane  # crossed
quote=0/100.01                                      | buy 1    | quote_sane
quote=99.99/0                                       | buy 1    | quote_sane
quote=-99.99/100.01                                 | buy 1    | quote_sane
quote=NaN/100.01                                    | buy 1    | quote_sane
quote=99.99/NaN                                     | buy 1    | quote_sane
quote=99.99/Infinity                                | buy 1    | quote_sane
quote=NaN/NaN                                       | buy $100 | quote_sane
quote=0/100.01 held=KO:1@100                        | sell 1   | quote_sane
quote=100.02/100.01 held=KO:-1@100 allow_short=true | buy 1    | quote_sane
quote=NaN/100.01 held=KO:1@100                      | sell 1   | quote_sane
""",
    Rule.MAX_QUOTE_AGE: """
age=14.999999                          | buy 1     | ok
age=15                                 | buy 1     | ok
age=15.000001                          | buy 1     | max_quote_age_s
age=0 received=15.000001               | buy 1     | max_quote_age_s  # the older of the two counts
age=15.000001 received=0               | buy 1     | max_quote_age_s
age=-0.000001                          | buy 1     | max_quote_age_s  # stamped in the future
age=15.000001 held=KO:1@100            | sell 1    | max_quote_age_s
age=3600 now=2024-01-08T14:00          | buy 1 opg | ok               # the open is judged by the last close
now=2024-01-08T14:00 age=234015        | buy 1 opg | ok               # 15 seconds before Friday's close
now=2024-01-08T14:00 age=234015.000001 | buy 1 opg | max_quote_age_s
""",
    Rule.MAX_QUOTE_DEVIATION: """
quote=99.99/100.01 last=125.00  max_quote_deviation_pct=0.20  | buy 1 limit 100 | ok
quote=99.99/100.01 last=125.01  max_quote_deviation_pct=0.20  | buy 1 limit 100 | max_quote_deviation_pct
quote=99.99/100.01 last=124.99  max_quote_deviation_pct=0.20  | buy 1 limit 100 | ok
quote=99.99/100.01 last=83.34   max_quote_deviation_pct=0.20  | buy 1 limit 100 | ok
quote=99.99/100.01 last=83.33   max_quote_deviation_pct=0.20  | buy 1 limit 100 | max_quote_deviation_pct
quote=99.99/100.01              max_quote_deviation_pct=0.20  | buy 1 limit 100 | ok  # it has not traded yet
quote=99.99/100.01 last=NaN     max_quote_deviation_pct=0.20  | buy 1 limit 100 | max_quote_deviation_pct
quote=99.99/100.01 last=Infinity max_quote_deviation_pct=0.20 | buy 1 limit 100 | max_quote_deviation_pct
quote=99.99/100.01 last=500     max_quote_deviation_pct=off   | buy 1 limit 100 | ok
quote=99.99/100.01 last=500     held=KO:1@100                 | sell 1 limit 100 | ok
""",
    Rule.MAX_SPREAD: """
quote=99.01/101.00                  | buy 1  | ok
quote=99.00/101.00                  | buy 1  | ok              # 2 of 100
quote=98.99/101.00                  | buy 1  | max_spread_pct
quote=98.99/101.00 allow_short=true | sell 1 | max_spread_pct
quote=98.99/101.00 held=KO:1@100    | sell 1 | ok
""",
    Rule.PRICE_COLLAR: """
quote=99.98/100.00                            | buy 1 limit 104.99             | ok
quote=99.98/100.00                            | buy 1 limit 105.00             | ok                # 5 % above the ask
quote=99.98/100.00                            | buy 1 limit 105.01             | price_collar_pct
quote=99.98/100.00                            | buy 1 limit 2.00               | ok                # far away on the good side
quote=100.00/100.02 held=KO:1@100             | sell 1 limit 95.01             | ok
quote=100.00/100.02 held=KO:1@100             | sell 1 limit 95.00             | ok                # 5 % below the bid
quote=100.00/100.02 held=KO:1@100             | sell 1 limit 94.99             | price_collar_pct
quote=100.00/100.02 held=KO:1@100             | sell 1 limit 900.00            | ok
quote=99.98/100.00 last=95.24                 | buy 1                          | ok                # the quote, held against the last trade
quote=99.98/100.00 last=95.23                 | buy 1                          | price_collar_pct
quote=100.00/100.02 last=105.26 held=KO:1@100 | sell 1                         | ok
quote=100.00/100.02 last=105.27 held=KO:1@100 | sell 1                         | price_collar_pct
quote=99.98/100.00 last=NaN max_quote_deviation_pct=off | buy 1 | price_collar_pct
quote=99.98/100.00 last=0 max_quote_deviation_pct=off | buy 1 | price_collar_pct
quote=99.98/100.00                            | buy 1 stop 99.98               | ok
quote=99.98/100.00                            | buy 1 stop 99.97               | price_collar_pct  # it would trigger at once
quote=99.98/100.00 held=KO:1@100              | sell 1 stop 100.00             | ok
quote=99.98/100.00 held=KO:1@100              | sell 1 stop 100.01             | price_collar_pct
quote=99.98/100.00                            | buy 1 stop 102.00 limit 107.10 | ok
quote=99.98/100.00                            | buy 1 stop 102.00 limit 107.11 | price_collar_pct
quote=99.98/100.00 held=KO:1@100              | sell 1 stop 98.00 limit 93.10  | ok
quote=99.98/100.00 held=KO:1@100              | sell 1 stop 98.00 limit 93.09  | price_collar_pct
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_QUANTITY: """
quote=0.0999/0.1001                      | buy 99999 limit 0.1000  | ok
quote=0.0999/0.1001                      | buy 100000 limit 0.1000 | ok
quote=0.0999/0.1001                      | buy 100001 limit 0.1000 | max_order_quantity
quote=99.99/100.01 max_order_quantity=10 | buy $999.90             | ok                  # ten shares at the bid
quote=99.99/100.01 max_order_quantity=10 | buy $999.91             | max_order_quantity
quote=0.0999/0.1001 held=KO:100001@0.1   | sell 100001             | max_order_quantity
""",
    Rule.MIN_NOTIONAL: """
quote=0.9999/1.0001                  | buy 1 limit 0.9999  | min_order_notional
quote=0.9999/1.0001                  | buy 1 limit 1.00    | ok
quote=0.9999/1.0001                  | buy 1 limit 1.01    | ok
quote=0.9998/0.9999 allow_short=true | sell 1 limit 0.9998 | min_order_notional
quote=0.4999/0.5001 held=KO:1@0.5    | sell 1              | ok
""",
    Rule.MAX_NOTIONAL: """
cash=20000000                                       | buy 10000 limit 99.99  | ok
cash=20000000                                       | buy 10000 limit 100.00 | ok                  # a million
cash=20000000                                       | buy 10000 limit 100.01 | max_order_notional
cash=20000000 quote=100.01/100.02 allow_short=true  | sell 10000             | max_order_notional
cash=20000000 quote=100.00/100.02 allow_short=true  | sell 10000             | ok
cash=20000000 quote=100.01/100.02 held=KO:10000@100 | sell 10000             | max_order_notional
""",
    Rule.VOLATILITY: """
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000 volatility=2                        | buy 9 limit 100       | ok
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000 volatility=2                        | buy 10 limit 100      | ok
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000 volatility=2                        | buy 10 limit 100.01   | volatility_tiers
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000 volatility=1.5                      | buy 20 limit 100      | ok               # the ratio itself is allowed
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000 volatility=1.500001                 | buy 20 limit 100      | volatility_tiers
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000                                     | buy 10 limit 100      | ok               # unknown: the strictest
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000                                     | buy 11 limit 100      | volatility_tiers
volatility_tiers=above+1.5+times+0.5,above+3+times+0.1 max_order_notional=2000 volatility=3.1    | buy 2 limit 100       | ok
volatility_tiers=above+1.5+times+0.5,above+3+times+0.1 max_order_notional=2000 volatility=3.1    | buy 3 limit 100       | volatility_tiers
volatility_tiers=above+1.5+times+0.5,above+3+times+0.1 max_order_notional=2000 volatility=3      | buy 10 limit 100      | ok
volatility_tiers=above+1.5+times+0 volatility=2                                                  | buy 1 limit 100       | volatility_tiers
volatility_tiers=above+1.5+times+0.5 max_order_quantity=20 volatility=2                          | buy 10                | ok
volatility_tiers=above+1.5+times+0.5 max_order_quantity=20 volatility=2                          | buy 11                | volatility_tiers
volatility_tiers=above+1.5+times+0 held=KO:10@100                                                | sell 10               | ok               # a way out
volatility_tiers=above+1.5+times+0 held=KO:10@100 allow_short=true                               | sell 11               | volatility_tiers
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000 volatility=2 quote=NaN/100          | buy 1                 | quote_sane
volatility_tiers=above+1.5+times+0.5 max_order_notional=2000 volatility=2 cash=-500              | buy 1                 | account_known
                                                                                                 | buy 90 limit 100      | ok               # off
""",  # noqa: E501 - a row of a table is read as one line
    Rule.WITHIN_PARENT: """
parent=-1                   | buy 1  | ok
parent=0                    | buy 1  | ok
parent=1                    | buy 1  | within_parent
parent=unknown              | buy 1  | ok  # nothing is kept for it
parent=1 held=KO:1@100      | sell 1 | ok
""",
    Rule.MAX_ORDER_MULTIPLE: """
max_order_multiple=off                                      | buy 90 limit 100 | ok
max_order_multiple=10 usual=11@100                          | buy 9 limit 100  | ok
max_order_multiple=10 usual=11@100                          | buy 10 limit 100 | ok
max_order_multiple=10 usual=11@100                          | buy 11 limit 100 | max_order_multiple
max_order_multiple=10 usual=10@100                          | buy 90 limit 100 | ok  # too few to call anything usual
max_order_multiple=10 usual=11@100 held=KO:90@100           | sell 90          | ok
max_order_multiple=10 usual=11@100 cash=-500 held=KO:90@100 | sell 90          | ok
max_order_multiple=10 usual=11@100 quote=NaN/100            | buy 1            | quote_sane
""",
    Rule.MAX_ORDER_ADV: """
adv=10000 max_order_adv_pct=0.01                    | buy 99  limit 100 | ok
adv=10000 max_order_adv_pct=0.01                    | buy 100 limit 100 | ok
adv=10000 max_order_adv_pct=0.01 max_position_pct=1 | buy 101 limit 100 | max_order_adv_pct
max_order_adv_pct=0.01                              | buy 1             | max_order_adv_pct  # nobody knows
adv=10 max_order_adv_pct=0.01 held=KO:50@100        | sell 50           | ok
adv=10 max_order_adv_pct=off                        | buy 50            | ok
""",
    Rule.MAX_PARTICIPATION: """
adv=1000 max_participation_pct=0.03 left=2@1000        | buy 10           | ok
adv=1000 max_participation_pct=0.03 left=1@1000        | buy 10           | ok
adv=1000 max_participation_pct=0.03 left=3@1000        | buy 10           | max_participation_pct
max_participation_pct=0.03                             | buy 1            | max_participation_pct
adv=1000 max_participation_pct=0.03 left=3@1000 held=KO:10@100 | sell 10  | ok
""",
    Rule.MAX_OPEN_ORDERS: """
open=KO:1@100 open=KO:1@100 open=KO:1@100                                           | buy 1  | ok
open=KO:1@100 open=KO:1@100 open=KO:1@100 open=KO:1@100                             | buy 1  | ok                          # the fifth
open=KO:1@100 open=KO:1@100 open=KO:1@100 open=KO:1@100 open=KO:1@100               | buy 1  | max_open_orders_per_symbol
open=PEP:1@100 open=PEP:1@100 open=PEP:1@100 open=PEP:1@100 open=PEP:1@100          | buy 1  | ok                          # another symbol's
held=KO:9@100 open=KO:1@100 open=KO:1@100 open=KO:1@100 open=KO:1@100 open=KO:1@100 | sell 9 | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_OPEN_ORDERS_IN_ALL: """
max_open_orders=3 open=PEP:1@100                   | buy 1 | ok
max_open_orders=3 open=PEP:1@100 open=XOM:1@100    | buy 1 | ok
max_open_orders=2 open=PEP:1@100 open=XOM:1@100    | buy 1 | max_open_orders
max_open_orders=1 open=PEP:1@100 held=KO:1@100     | sell 1 | ok
max_open_orders=1 replaces=1@99                    | buy 1 limit 99.5 | ok  # one makes way for the other
""",
    Rule.IN_DOUBT: """
doubt=KO:1@100                   | buy 1   | symbol_in_doubt
doubt=PEP:1@100                  | buy 1   | ok
doubt=KO:1@100 held=KO:10@100    | sell 10 | ok
doubt=KO:-4@100 held=KO:10@100   | sell 6  | ok
doubt=KO:-4@100 held=KO:10@100   | sell 7  | symbol_in_doubt  # the doubtful sale may fill
doubt=KO:-1@100 allow_short=true | sell 1  | symbol_in_doubt
""",
    Rule.DUPLICATE_ORDER: """
sent=4.999999               | buy 1        | duplicate_window_s
sent=5                      | buy 1        | ok
sent=5.000001               | buy 1        | ok
sent=0                      | buy 1        | duplicate_window_s
sent=0                      | buy 1 repeat | ok
sent=0 duplicate_window_s=0 | buy 1        | ok
sent=1 held=KO:10@100       | sell 1       | duplicate_window_s
""",
    Rule.MAX_ORDERS_PER_MINUTE: """
max_orders_per_minute=3 left=1@100                           | buy 1  | ok
max_orders_per_minute=3 left=2@100                           | buy 1  | ok
max_orders_per_minute=3 left=3@100                           | buy 1  | max_orders_per_minute
max_orders_per_minute=3 left=3@100/59.999999                 | buy 1  | max_orders_per_minute
max_orders_per_minute=3 left=3@100/60                        | buy 1  | ok
max_orders_per_minute=3 left=2@100/59 left=1@100             | buy 1  | max_orders_per_minute
max_orders_per_minute=3 left=2@100 changed=1                 | buy 1  | max_orders_per_minute  # a change is one, too
max_orders_per_minute=3 left=3@100 held=KO:10@100            | sell 9 | ok                     # a way out
""",
    Rule.MAX_NOTIONAL_PER_MINUTE: """
max_notional_per_minute=1000 left=9@100                      | buy 1 limit 99.99  | ok
max_notional_per_minute=1000 left=9@100                      | buy 1 limit 100.00 | ok
max_notional_per_minute=1000 left=9@100                      | buy 1 limit 100.01 | max_notional_per_minute
max_notional_per_minute=1000 left=9@100/60                   | buy 1 limit 100.01 | ok
max_notional_per_minute=1000 left=9@100                      | buy 1              | max_notional_per_minute
max_notional_per_minute=1000 left=9@100 held=KO:10@100       | sell 10            | ok
""",
    Rule.MAX_MESSAGES_PER_MINUTE: """
max_messages_per_minute=3 canceled=1                         | buy 1  | ok
max_messages_per_minute=3 canceled=2                         | buy 1  | ok
max_messages_per_minute=3 canceled=3                         | buy 1  | max_messages_per_minute
max_messages_per_minute=3 canceled=1 left=1@100 changed=1    | buy 1  | max_messages_per_minute
max_messages_per_minute=3 canceled=3 held=KO:10@100          | sell 9 | ok
crowded=full                                                 | buy 1  | max_messages_per_minute
crowded=full held=KO:10@100                                  | sell 10 | ok       # a way out tries its luck
crowded=full held=KO:10@100                                  | sell 11 | max_messages_per_minute
""",
    Rule.MAX_REPLACES_PER_MINUTE: """
max_replaces_per_minute=2 replaces=10@99           | buy 10 limit 98 | ok
max_replaces_per_minute=2 changed=1 replaces=10@99 | buy 10 limit 99.5 | ok
max_replaces_per_minute=2 changed=2 replaces=10@99 | buy 10 limit 99.5 | max_replaces_per_minute
max_replaces_per_minute=2 changed=2 replaces=10@99 | buy 9 limit 99  | ok                      # only takes risk away
max_replaces_per_minute=2 changed=2                | buy 1           | ok                      # changes nothing
""",
    Rule.MAX_CANCEL_RATIO: """
max_cancel_ratio=2 cancel_ratio_from=2 left=1@100 canceled=3             | buy 1   | ok
max_cancel_ratio=2 cancel_ratio_from=2 left=1@100 canceled=4             | buy 1   | ok
max_cancel_ratio=2 cancel_ratio_from=2 left=1@100 canceled=5             | buy 1   | max_cancel_ratio
max_cancel_ratio=2 cancel_ratio_from=6 left=1@100 canceled=5             | buy 1   | ok               # too few
max_cancel_ratio=2 cancel_ratio_from=2 left=1@100 changed=2 canceled=3   | buy 1   | max_cancel_ratio # changes count
max_cancel_ratio=2 cancel_ratio_from=2 left=1@100 canceled=1 replaces=1@100 | buy 2 limit 100 | ok
max_cancel_ratio=2 cancel_ratio_from=2 left=1@100 canceled=2 replaces=1@100 | buy 2 limit 100 | max_cancel_ratio
max_cancel_ratio=off canceled=99                                         | buy 1   | ok
max_cancel_ratio=2 cancel_ratio_from=2 canceled=9 held=KO:10@100         | sell 10 | ok
""",
    Rule.MAX_REPEATED_ORDERS: """
max_repeated_orders=3 left=1@100                                   | buy 1  | ok
max_repeated_orders=3 left=2@100                                   | buy 1  | ok
max_repeated_orders=3 left=3@100                                   | buy 1  | max_repeated_orders
max_repeated_orders=3 left=3@100/59.999999                         | buy 1  | max_repeated_orders
max_repeated_orders=3 left=3@100/60                                | buy 1  | ok
max_repeated_orders=3 repeat_window_s=120 left=3@100/119           | buy 1  | max_repeated_orders
max_repeated_orders=3 left=3@100 held=KO:10@100                    | sell 9 | ok
""",
    Rule.MAX_ORDERS_PER_DAY: """
max_orders_per_day=3 left=1@100/3600              | buy 1  | ok
max_orders_per_day=3 left=2@100/3600              | buy 1  | ok
max_orders_per_day=3 left=3@100/3600              | buy 1  | max_orders_per_day
max_orders_per_day=3 left=3@100/3600 changed=1    | buy 1  | max_orders_per_day
max_orders_per_day=3 left=3@100/230000            | buy 1  | max_orders_per_day  # after Friday's evening: Monday's
max_orders_per_day=3 left=3@100/236000            | buy 1  | ok                  # on Friday before 20:00
max_orders_per_day=3 left=3@100/3600 held=KO:9@99 | sell 9 | ok
""",
    Rule.MAX_NOTIONAL_PER_DAY: """
max_notional_per_day=1000 left=9@100/3600                | buy 1 limit 99.99  | ok
max_notional_per_day=1000 left=9@100/3600                | buy 1 limit 100.00 | ok
max_notional_per_day=1000 left=9@100/3600                | buy 1 limit 100.01 | max_notional_per_day
max_notional_per_day=1000 left=9@100/236000              | buy 1 limit 100.01 | ok
max_notional_per_day=1000 left=9@100/3600 held=KO:9@99   | sell 9             | ok
""",
    Rule.MAX_TURNOVER: """
max_turnover_per_day=0.01 left=4@200 | buy 1 limit 100  | ok
max_turnover_per_day=0.01 left=9@100 | buy 1 limit 100  | ok
max_turnover_per_day=0.01 left=9@100 | buy 1 limit 100.01 | max_turnover_per_day
max_turnover_per_day=0.01 left=9@100 | buy 2 limit 100  | max_turnover_per_day
max_turnover_per_day=0.01 left=10@100 held=KO:1@100 | sell 1 | ok
max_turnover_per_day=off left=10@10000 | buy 1 | ok
""",
    Rule.SELF_MATCH: """
resting=sell_1_limit_100.02 held=KO:9@100                         | buy 1 limit 100.01   | ok
resting=sell_1_limit_100.02 held=KO:9@100                         | buy 1 limit 100.02   | self_match
resting=sell_1_limit_100.02 held=KO:9@100                         | buy 1 limit 100.03   | self_match
resting=sell_1_limit_100.02 held=KO:9@100                         | buy 1                | self_match  # at any price
resting=sell_1_limit_100.02_of_PEP held=PEP:9@100                 | buy 1                | ok
resting=sell_1_stop_90 held=KO:9@100                              | buy 1 limit 99       | self_match  # a market order one day
resting=sell_1_trail_5 held=KO:9@100                              | buy 1 limit 99       | ok          # the broker keeps them apart
resting=sell_1_trail_5 held=KO:9@100                              | buy 1                | ok
resting=buy_1_limit_99.98 held=KO:-9@100 allow_short=true         | sell 1 limit 99.99   | ok
resting=buy_1_limit_99.99 held=KO:-9@100 allow_short=true         | sell 1 limit 99.99   | self_match
resting=buy_1_limit_99 allow_short=true                           | sell 1 limit 105     | self_match  # opens the other side
resting=buy_1_limit_99 allow_short=true                           | sell 1 trail 5       | self_match  # of whatever kind
resting=buy_1_trail_5 allow_short=true                            | sell 1 limit 105     | self_match
resting=buy_1_limit_99_of_PEP allow_short=true                    | sell 1 limit 105     | ok
resting=buy_1_limit_99                                            | sell 1 limit 105     | sell_within_held # a sale that opens nothing
resting=buy_1_limit_99 held=KO:9@100 allow_short=true             | sell 9 limit 105     | ok          # it closes
resting=sell_1_limit_105 allow_short=true                         | buy 1 limit 99       | self_match
resting=sell_1_limit_105 allow_short=true                         | buy 1 limit 99 reduce_only | reduce_only # it opens nothing
resting=sell_1_limit_105 held=KO:-9@100 allow_short=true          | buy 9 limit 99       | ok          # it closes
resting=sell_1_limit_105 held=KO:9@100 allow_short=true           | buy 1 limit 99       | ok          # the sale closes
resting=buy_1_limit_99 held=KO:-9@100 allow_short=true            | sell 1 limit 105     | ok          # the purchase closes
resting=sell_1_limit_105 held=KO:-9@100 allow_short=true          | sell 1 limit 106     | ok
doubt=KO:-1@105 allow_short=true                                  | sell 1 limit 106     | symbol_in_doubt
resting=buy_1_limit_99.98                                         | buy 1                | ok          # the same side
resting=buy_1_limit_99.98 held=KO:9@100                           | sell 9               | ok          # a way out
resting=buy_1_limit_99 replaces=10@99                             | buy 10 limit 98      | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.SELL_WITHIN_HELD: """
                                 | sell 1           | sell_within_held  # an accidental short
held=KO:10@100                   | sell 10          | ok
held=KO:10@100                   | sell 11          | sell_within_held
held=KO:10@100 open=KO:-4@100    | sell 6           | ok
held=KO:10@100 open=KO:-4@100    | sell 7           | sell_within_held
held=KO:1.5@100                  | sell 1.5         | ok
held=KO:1.5@100                  | sell 1.500000001 | sell_within_held
held=KO:10@100 resting=buy_5_limit_90    | sell 11 limit 100 | sell_within_held  # what is being bought is not held
allow_short=true                 | sell 1           | ok
allow_short=true                 | sell 1 of PEP    | sell_within_held  # not shortable
allow_short=true                 | sell 1.5         | sell_within_held  # no fractions short
allow_short=true held=KO:10@100  | sell 11          | sell_within_held  # never across zero in one order
allow_short=true held=KO:-10@100 | sell 1           | ok
""",
    Rule.SHORT_ELIGIBLE: """
allow_short=true                                                   | sell 1 | ok
allow_short=true flags=easy_to_borrow                              | sell 1 | short_eligible
allow_short=true flags=easy_to_borrow allow_hard_to_borrow=true    | sell 1 | ok
allow_short=true flags=easy_to_borrow held=KO:10@100               | sell 10 | ok
flags=easy_to_borrow                                               | buy 1  | ok
""",
    Rule.REDUCE_ONLY: """
held=KO:10@100                                 | sell 10 reduce_only | ok
                                               | buy 1 reduce_only   | reduce_only
held=KO:10@100                                 | buy 1 reduce_only   | reduce_only
allow_short=true                               | sell 1 reduce_only  | reduce_only
allow_short=true held=KO:-10@100               | buy 10 reduce_only  | ok
allow_short=true held=KO:-10@100               | buy 11              | reduce_only  # never across zero in one order
allow_short=true held=KO:-10@100 open=KO:4@100 | buy 6 reduce_only   | ok
allow_short=true held=KO:-10@100 open=KO:4@100 | buy 7 reduce_only   | reduce_only
""",
    Rule.MAX_POSITION_QUANTITY: """
max_position_quantity=10 held=KO:8@100                   | buy 1   | ok
max_position_quantity=10 held=KO:8@100                   | buy 2   | ok
max_position_quantity=10 held=KO:8@100                   | buy 3   | max_position_quantity
max_position_quantity=10 held=KO:8@100 open=KO:1@100     | buy 2   | max_position_quantity
max_position_quantity=10 held=KO:-8@100 allow_short=true | sell 3  | max_position_quantity
max_position_quantity=10 held=KO:20@100                  | sell 5  | ok                     # shrinking
""",
    Rule.MAX_POSITION: """
                                                     | buy 100 limit 99.99  | ok
                                                     | buy 100 limit 100.00 | ok                # 10 % of 100 000
                                                     | buy 100 limit 100.01 | max_position_pct
held=KO:90@100                                       | buy 10 limit 100.00  | ok
held=KO:90@100                                       | buy 10 limit 100.01  | max_position_pct
open=KO:90@100                                       | buy 10 limit 100.00  | ok                # open orders count in full
open=KO:90@100                                       | buy 11 limit 100.00  | max_position_pct
open=KO:80@120                                       | buy 4 limit 100.00   | max_position_pct  # all at the dearest price
quote=100.00/100.02 allow_short=true held=KO:-90@100 | sell 10              | ok
quote=100.00/100.02 allow_short=true held=KO:-90@100 | sell 11              | max_position_pct  # a short grows the same way
quote=99.98/100.00                                   | buy 100              | ok
quote=99.99/100.01                                   | buy 100              | max_position_pct  # bought at the ask
quote=99.99/100.00                                   | buy 80 trail 25      | ok                # by the stop that it has now
quote=99.99/100.00                                   | buy 80 trail 25.01   | max_position_pct
quote=100.00/100.02 allow_short=true                 | sell 100 trail 25    | ok                # a sale's stop lies below
held=KO:300@100                                      | sell 60              | ok                # still above the limit, but on the way out
held=KO:300@100                                      | buy 1                | max_position_pct
allow_short=true held=KO:-300@100                    | buy 60               | ok
cash=99999.99                                        | buy 100 limit 100.00 | max_position_pct
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_POSITION_NOTIONAL: """
max_position_notional=10000 max_position_pct=0.2 held=KO:50@100 max_sector_exposure=1 | buy 50 limit 99.99  | ok
max_position_notional=10000 max_position_pct=0.2 max_sector_exposure=1                | buy 100 limit 100   | ok
max_position_notional=10000 max_position_pct=0.2 max_sector_exposure=1                | buy 100 limit 100.01 | max_position_notional
max_position_notional=10000 max_position_pct=0.2 held=KO:150@100                      | sell 10             | ok
max_position_notional=off max_position_pct=0.2                                        | buy 150 limit 100   | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_CONCENTRATION: """
max_concentration=0.02 held=PEP:100@100 | buy 100 limit 100 | ok
max_concentration=0.02 held=PEP:100@100 max_position_pct=1 | buy 101 limit 100 | max_concentration
max_concentration=0.02 held=PEP:100@100 | buy 99 limit 100  | ok
max_concentration=0.02 held=PEP:150@100 | buy 1 limit 100   | max_concentration
max_concentration=0.02 held=PEP:150@100 held=KO:1@100 | sell 1 | ok
max_concentration=off held=PEP:150@100  | buy 1 limit 100   | ok
""",
    Rule.MAX_POSITIONS: """
max_portfolio_positions=2 held=PEP:1@100                  | buy 1  | ok
max_portfolio_positions=2 held=PEP:1@100 held=XOM:1@100   | buy 1  | max_portfolio_positions
max_portfolio_positions=2 held=PEP:1@100 held=KO:1@100    | buy 1  | ok                       # it is held already
max_portfolio_positions=2 open=PEP:1@100 open=XOM:1@100   | buy 1  | max_portfolio_positions  # being opened counts
max_portfolio_positions=1 held=PEP:1@100 held=KO:1@100    | sell 1 | ok
max_portfolio_positions=1 held=PEP:1@100 allow_short=true | sell 1 | max_portfolio_positions
""",
    Rule.MAX_SECTOR: """
max_position_pct=0.20 held=PEP:200@100                                       | buy 100 limit 99.99  | ok
max_position_pct=0.20 held=PEP:200@100                                       | buy 100 limit 100.00 | ok                   # 30 % of 100 000
max_position_pct=0.20 held=PEP:200@100                                       | buy 100 limit 100.01 | max_sector_exposure
max_position_pct=0.20 open=PEP:200@100                                       | buy 100 limit 100.01 | max_sector_exposure
max_position_pct=0.20 held=XOM:200@100                                       | buy 100 limit 100.01 | ok                   # another sector
max_position_pct=0.20 held=PEP:-200@100 allow_short=true                     | buy 100 limit 100.01 | max_sector_exposure  # shorts do not make room
max_position_pct=0.20 held=PEP:-200@100 allow_short=true quote=100.01/100.02 | sell 100             | max_sector_exposure
max_position_pct=0.20 held=PEP:400@100 held=KO:10@100                        | sell 10              | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_GROSS: """
max_position_pct=0.20 max_gross_exposure=0.30 held=XOM:200@100  | buy 100 limit 99.99  | ok
max_position_pct=0.20 max_gross_exposure=0.30 held=XOM:200@100  | buy 100 limit 100.00 | ok
max_position_pct=0.20 max_gross_exposure=0.30 held=XOM:200@100  | buy 100 limit 100.01 | max_gross_exposure
max_position_pct=0.20 max_gross_exposure=0.30 open=XOM:200@100  | buy 100 limit 100.01 | max_gross_exposure
max_position_pct=0.20 max_gross_exposure=0.30 held=XOM:-200@100 | buy 100 limit 100.01 | max_gross_exposure
max_gross_exposure=0.30 held=XOM:400@100 held=KO:10@100         | sell 10              | ok
""",
    Rule.MAX_NET: """
max_net_exposure=0.10                                                   | buy 99 limit 100  | ok
max_net_exposure=0.10                                                   | buy 100 limit 100 | ok
max_net_exposure=0.10 max_position_pct=1                                | buy 101 limit 100 | max_net_exposure
max_net_exposure=0.10 open=XOM:50@100                                   | buy 51 limit 100  | max_net_exposure  # open orders count
max_net_exposure=0.10 open=XOM:-50@100 allow_short=true                 | buy 100 limit 100 | ok  # but do not help
max_net_exposure=0.10 open=XOM:-50@100 allow_short=true                 | sell 51 limit 100 | max_net_exposure  # open short sales
max_net_exposure=0.10 held=XOM:-50@100 allow_short=true max_position_pct=1 | buy 150 limit 100 | ok
max_net_exposure=0.10 held=XOM:-50@100 allow_short=true                 | sell 51 limit 100 | max_net_exposure
max_net_exposure=0.10 held=XOM:200@100 held=KO:1@100                    | sell 1            | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_CORRELATION: """
held=XOM:1@100 corr=KO/XOM:0.799999                                  | buy 1  | ok
held=XOM:1@100 corr=KO/XOM:0.80                                      | buy 1  | ok
held=XOM:1@100 corr=KO/XOM:0.800001                                  | buy 1  | max_correlation
held=XOM:1@100 corr=KO/XOM:none                                      | buy 1  | max_correlation  # unknown is no permission
held=XOM:1@100 corr=KO/XOM:-1                                        | buy 1  | ok               # a hedge
held=XOM:1@100 corr=KO/PEP:0.99                                      | buy 1  | ok               # PEP is not held
held=XOM:1@100 held=PEP:1@100 corr=KO/XOM:0.81 corr=KO/PEP:0.1           | buy 1  | max_correlation  # one is enough
held=XOM:1@100 held=PEP:1@100 corr=KO/XOM:0.1 corr=KO/PEP:0.81           | buy 1  | max_correlation
open=XOM:1@100 corr=KO/XOM:0.800001                                  | buy 1  | max_correlation  # being opened counts
held=XOM:1@100 allow_short=true corr=KO/XOM:0.99                     | sell 1 | ok
held=XOM:1@100 allow_short=true corr=KO/XOM:-0.800001                | sell 1 | max_correlation  # short of the opposite
held=XOM:-1@100 allow_short=true corr=KO/XOM:-0.800001               | buy 1  | max_correlation
held=XOM:-1@100 allow_short=true corr=KO/XOM:0.800001                | sell 1 | max_correlation
open=XOM:-1@100 allow_short=true corr=KO/XOM:0.800001                | sell 1 | max_correlation  # a short that is being opened
open=XOM:-1@100 open=XOM:1@100 allow_short=true corr=KO/XOM:0.800001 | buy 1  | max_correlation  # it may become either
open=XOM:-1@100 open=XOM:1@100 allow_short=true corr=KO/XOM:0.800001 | sell 1 | max_correlation
open=XOM:-1@100 open=XOM:1@100 allow_short=true corr=KO/XOM:-0.800001 | buy 1 | max_correlation
held=XOM:1@100 open=XOM:-1@100 allow_short=true corr=KO/XOM:0.99     | sell 1 | ok               # its own exit makes it no short
held=XOM:1@100 held=KO:1@100 corr=KO/XOM:none                        | sell 1 | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.BUYING_POWER: """
cash=10000 roomy                                                     | buy 100 limit 99.99  | ok
cash=10000 roomy                                                     | buy 100 limit 100.00 | ok
cash=10000 roomy held=XOM:1@100                                      | buy 99 limit 100.00  | ok
cash=10000 roomy held=XOM:1@100                                      | buy 99 limit 100.01  | buying_power
cash=10000 roomy open=XOM:1@100                                      | buy 99 limit 100.01  | buying_power
cash=10000 roomy held=XOM:100@100 held=KO:10@100                     | sell 10              | ok
cash=10000 roomy held=XOM:1@100 allow_short=true quote=100.01/100.02 | sell 99              | buying_power
cash=10000 roomy buying_power_multiplier=2 held=XOM:100@100          | buy 100 limit 100.00 | ok
""",
    Rule.MARGINABLE: """
held=XOM:50@100 cash=10000 roomy buying_power_multiplier=2                            | buy 60 limit 100 | ok
held=XOM:50@100 cash=10000 roomy buying_power_multiplier=2 flags=marginable           | buy 49 limit 100 | ok
held=XOM:50@100 cash=10000 roomy buying_power_multiplier=2 flags=marginable           | buy 50 limit 100 | ok
held=XOM:50@100 cash=10000 roomy buying_power_multiplier=2 flags=marginable           | buy 51 limit 100 | marginable
held=KO:150@100 cash=10000 roomy buying_power_multiplier=2 flags=marginable           | sell 5           | ok
""",
    Rule.SETTLED_CASH: """
use_unsettled_cash=true                                                     | buy 90 limit 100 | ok
use_unsettled_cash=false unsettled=91000                                    | buy 89 limit 100 | ok
use_unsettled_cash=false unsettled=91000                                    | buy 90 limit 100 | ok
use_unsettled_cash=false unsettled=91000                                    | buy 91 limit 100 | settled_cash
use_unsettled_cash=false unsettled=91000 open=XOM:40@100                    | buy 51 limit 100 | settled_cash  # open buys
use_unsettled_cash=false unsettled=91000 open=KO:40@100                      | buy 50 limit 100 | ok
use_unsettled_cash=false unsettled=91000 open=KO:40@100                      | buy 51 limit 100 | settled_cash  # of its own symbol, too
use_unsettled_cash=false unsettled=91000 open=XOM:-40@100 held=XOM:40@100   | buy 50 limit 100 | ok  # a sale brings nothing yet
use_unsettled_cash=false unsettled=91000 replaces=90@100                    | buy 90 limit 100 | ok            # not both
use_unsettled_cash=false unsettled=91000 replaces=90@100                    | buy 91 limit 100 | settled_cash
use_unsettled_cash=false                                                    | buy 1            | settled_cash  # nobody knows
use_unsettled_cash=false unsettled=0 quote=NaN/100                          | buy 1            | quote_sane
use_unsettled_cash=false allow_short=true                                   | sell 1           | ok
use_unsettled_cash=false cash=-500 held=KO:9@100                            | sell 9           | ok
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_MARGIN_USE: """
max_margin_use_pct=0.03                                             | buy 99 limit 100   | ok
max_margin_use_pct=0.03                                             | buy 100 limit 100  | ok
max_margin_use_pct=0.03 roomy                                       | buy 101 limit 100  | max_margin_use_pct
max_margin_use_pct=0.03 rate=KO:0.5                                 | buy 61 limit 100   | max_margin_use_pct
max_margin_use_pct=0.03 held=XOM:50@100                             | buy 51 limit 100   | max_margin_use_pct
max_margin_use_pct=0.03 open=XOM:50@100                             | buy 51 limit 100   | max_margin_use_pct
max_margin_use_pct=0.03 quote=2.39/2.40                             | buy 1250 limit 2.4 | ok                 # cheap: all of it
max_margin_use_pct=0.03 quote=2.39/2.40                             | buy 1251 limit 2.4 | max_margin_use_pct
max_margin_use_pct=0.03 quote=3.99/4.00 allow_short=true            | sell 752           | max_margin_use_pct # short: all
max_margin_use_pct=0.03 quote=9.99/10.00 allow_short=true           | sell 600           | ok                 # 5 a share
max_margin_use_pct=0.03 quote=9.99/10.00 allow_short=true           | sell 601           | max_margin_use_pct
max_margin_use_pct=0.001 held=KO:100@100                            | sell 50            | ok
max_margin_use_pct=0.03 cash=-500                                   | buy 1              | account_known
max_margin_use_pct=0.03 quote=NaN/100                               | buy 1              | quote_sane
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_DAY_TRADES: """
max_day_trades=off                           | buy 1   | ok
max_day_trades=3 day_trades=2                | buy 1   | ok
max_day_trades=3 day_trades=3                | buy 1   | ok
max_day_trades=3 day_trades=4                | buy 1   | max_day_trades
max_day_trades=3                             | buy 1   | max_day_trades  # nobody knows
max_day_trades=0 day_trades=1                | buy 1   | max_day_trades
max_day_trades=3 day_trades=4 held=KO:10@100 | sell 10 | ok              # getting out is never refused
""",
    Rule.MAX_BETA: """
max_beta_exposure=off                                                       | buy 1            | ok
max_beta_exposure=0.1 beta=KO:1                                             | buy 100 limit 100 | ok
max_beta_exposure=0.1 beta=KO:1 roomy                                       | buy 101 limit 100 | max_beta_exposure
max_beta_exposure=0.1 beta=KO:2                                             | buy 50 limit 100 | ok
max_beta_exposure=0.1 beta=KO:2                                             | buy 51 limit 100 | max_beta_exposure
max_beta_exposure=0.1 beta=KO:2 beta=XOM:1 held=XOM:-50@100 allow_short=true | buy 75 limit 100 | ok  # a hedge
max_beta_exposure=0.1 beta=KO:2 beta=XOM:1 held=XOM:-50@100 allow_short=true | buy 76 limit 100 | max_beta_exposure
max_beta_exposure=0.1 beta=KO:2 beta=XOM:1 open=XOM:-50@100 allow_short=true | buy 51 limit 100 | max_beta_exposure  # open
max_beta_exposure=0.1 beta=KO:-2 allow_short=true                           | sell 50 limit 100.01 | max_beta_exposure
max_beta_exposure=0.1 beta=KO:2 allow_short=true                            | sell 51 limit 100 | max_beta_exposure
max_beta_exposure=0.1 beta=KO:1 beta=XOM:1 open=XOM:-50@100 allow_short=true    | sell 51 limit 100 | max_beta_exposure  # open shorts
max_beta_exposure=0.1 beta=KO:-2                                                | buy 51 limit 100 | max_beta_exposure  # long of the opposite
max_beta_exposure=0.1                                                       | buy 1            | max_beta_exposure  # unknown
max_beta_exposure=0.1 beta=KO:1 held=XOM:1@100                              | buy 1            | max_beta_exposure  # of XOM
max_beta_exposure=0.1 held=KO:10@100                                        | sell 10          | ok
max_beta_exposure=0.1 beta=KO:1 quote=NaN/100                               | buy 1            | quote_sane
max_beta_exposure=0.1 beta=KO:1 cash=-500                                   | buy 1            | account_known
""",  # noqa: E501 - a row of a table is read as one line
    Rule.MAX_VAR: """
max_var_95_pct=off                                                       | buy 1             | ok
max_var_95_pct=0.002 tail=0.02                                           | buy 99 limit 100  | ok
max_var_95_pct=0.002 tail=0.02                                           | buy 100 limit 100 | ok
max_var_95_pct=0.002 tail=0.02 roomy                                     | buy 101 limit 100 | max_var_95_pct
max_var_95_pct=0.002 tail=0.02 held=XOM:50@100                           | buy 51 limit 100  | max_var_95_pct
max_var_95_pct=0.002 tail=0.02 open=XOM:50@100                           | buy 51 limit 100  | max_var_95_pct
max_var_95_pct=0.001 tail=0.02 held=XOM:-90@100 allow_short=true         | buy 30 limit 100  | ok  # beyond, but less so
max_var_95_pct=0.001                                                     | buy 1             | max_var_95_pct  # unknown
max_var_95_pct=0.001 held=KO:90@100                                      | sell 9            | ok
max_var_95_pct=0.001 tail=0.02 quote=NaN/100                             | buy 1             | quote_sane
max_var_95_pct=0.001 tail=0.02 cash=-500                                 | buy 1             | account_known
""",
    Rule.MAX_ES: """
max_es_95_pct=off                                                        | buy 1             | ok
max_es_95_pct=0.004 tail=0.02                                            | buy 100 limit 100 | ok
max_es_95_pct=0.004 tail=0.02 roomy                                      | buy 101 limit 100 | max_es_95_pct
max_es_95_pct=0.004                                                      | buy 1             | max_es_95_pct
max_es_95_pct=0.004 held=KO:90@100                                       | sell 9            | ok
""",
    Rule.STRATEGY_VALUE: """
strategy_budgets=T+value+5000                                            | buy 49 limit 100 by T | ok
strategy_budgets=T+value+5000                                            | buy 50 limit 100 by T | ok
strategy_budgets=T+value+5000                                            | buy 51 limit 100 by T | strategy_value
strategy_budgets=T+value+5000                                            | buy 51 limit 100 by U | ok  # no budget of its own
strategy_budgets=T+value+5000 shares=XOM:20 held=XOM:20@100              | buy 31 limit 100 by T | strategy_value
strategy_budgets=T+value+5000 shares=XOM:-20 held=XOM:-20@100            | buy 31 limit 100 by T | strategy_value
strategy_budgets=T+value+5000 resting=buy_20_limit_100_of_XOM_by_T       | buy 31 limit 100 by T | strategy_value
strategy_budgets=T+value+5000 resting=buy_20_limit_100_of_XOM_by_U       | buy 31 limit 100 by T | ok
strategy_budgets=T+value+5000 resting=sell_20_limit_100_of_XOM_by_T allow_short=true | buy 31 limit 100 by T | strategy_value  # a short
strategy_budgets=T+value+5000 shares=XOM:20 held=XOM:20@100 resting=sell_20_limit_100_of_XOM_by_T | buy 30 limit 100 by T | ok  # an exit
strategy_budgets=T+value+9000,T+value+5000                               | buy 51 limit 100 by T | strategy_value  # the tighter
strategy_budgets=T+value+50 held=KO:10@100                               | sell 10 by T          | ok
strategy_budgets=T+value+50 quote=NaN/100                                | buy 1 by T            | quote_sane
""",  # noqa: E501 - a row of a table is read as one line
    Rule.STRATEGY_LOSS: """
strategy_budgets=T+loss+50 realized=-49.99                               | buy 1 by T  | ok
strategy_budgets=T+loss+50 realized=-50                                  | buy 1 by T  | ok
strategy_budgets=T+loss+50 realized=-50.01                               | buy 1 by T  | strategy_loss
strategy_budgets=T+loss+50 realized=-50.01                               | buy 1 by U  | ok
strategy_budgets=T+loss+50 realized=100                                  | buy 1 by T  | ok
strategy_budgets=T+loss+50 realized=-50 shares=KO:10                         | buy 1 by T  | ok  # the account is flat
strategy_budgets=T+loss+50                                               | buy 1 by T  | strategy_loss  # nobody knows
strategy_budgets=T+loss+50 realized=-50.01 held=KO:10@100                | sell 9 by T | ok
""",
    Rule.STRATEGY_ORDERS: """
strategy_budgets=T+orders+3 left=1@100                                   | buy 1 by T  | ok
strategy_budgets=T+orders+3 left=2@100                                   | buy 1 by T  | ok
strategy_budgets=T+orders+3 left=3@100                                   | buy 1 by T  | strategy_orders
strategy_budgets=T+orders+3 left=3@100                                   | buy 1 by U  | ok
strategy_budgets=T+orders+3 left=3@100 held=KO:10@100                    | sell 9 by T | ok
""",
    Rule.SOFT_LIMITS: """
soft_limits=max_order_notional+5000                            | buy 49 limit 100  | ok
soft_limits=max_order_notional+5000                            | buy 50 limit 100  | ok
soft_limits=max_order_notional+5000                            | buy 51 limit 100  | soft_limits
soft_limits=max_order_notional+5000                            | buy 101 limit 100 | max_position_pct  # the hard limit
soft_limits=max_order_notional+5000 held=KO:100@100            | sell 100          | ok                # a way out
soft_limits=max_order_notional+5000 held=KO:9@100              | sell 51           | sell_within_held
soft_limits=max_position_pct+0.05                              | buy 50 limit 100  | ok
soft_limits=max_position_pct+0.05                              | buy 51 limit 100  | soft_limits
soft_limits=max_portfolio_positions+1 held=XOM:1@100           | buy 1             | soft_limits
soft_limits=max_portfolio_positions+2 held=XOM:1@100           | buy 1             | ok
soft_limits=max_position_notional+100                          | buy 2             | soft_limits       # no hard one
soft_limits=max_order_notional+2000000                         | buy 51 limit 100  | ok
soft_limits=max_order_notional+5000 replaces=40@100            | buy 50 limit 100  | ok
soft_limits=max_order_notional+5000 replaces=40@100            | buy 51 limit 100  | soft_limits
soft_limits=max_order_notional+5000 cash=-500 held=KO:-90@100  | buy 51            | ok
""",
    Rule.CHECK_FAILED: """
broken=calendar                                  | buy 1  | check_failed
broken=quotes                                    | buy 1  | check_failed
broken=broker                                    | buy 1  | check_failed
broken=correlations held=XOM:1@100               | buy 1  | check_failed
broken=calendar held=KO:1@100                    | sell 1 | check_failed  # nobody knows whether the exchange is open
broken=correlations held=XOM:1@100 held=KO:1@100 | sell 1 | ok            # an exit does not ask
""",
}

ALL = [pytest.param(case, id=f"{rule}: {case}") for rule, table in CASES.items() for case in cases(table)]


@pytest.mark.parametrize("case", ALL)
@pytest.mark.control("gate")
def test_the_gate_decides_as_the_table_says(case: GateCase) -> None:
    assert case.verdict == verdict(decide(case))


@pytest.mark.control("gate")
def test_every_rule_refuses_in_its_own_table() -> None:
    """Whoever adds a rule adds its boundary here."""
    assert list(Rule) == list(CASES)
    silent = [rule for rule, table in CASES.items() if rule not in {case.verdict for case in cases(table)}]
    assert [] == silent


def test_every_rule_lets_something_pass_in_its_own_table() -> None:
    """A rule that refuses everything would pass a test of refusals only; two rules have nothing to pass alone."""
    strict = [rule for rule, table in CASES.items() if "ok" not in {case.verdict for case in cases(table)}]
    assert [Rule.QUOTE_PRESENT] == strict


EXITS = """
nothing is wrong           |                                                             |
equity is negative         | cash=-500                                                   |
the day's loss is beyond   | day_start=200000                                            |
the drawdown is beyond     | peak=200000                                                 |
the order is tiny          | min_order_notional=5000                                     |
many orders are open       | max_open_orders_per_symbol=1 open=KO:1@100                  |
an order is in doubt       | doubt=KO:1@100                                              |
the position is too large  | max_position_pct=0.001                                      |
too many are held          | max_portfolio_positions=1 held=XOM:1@100                    |
the sector is too large    | max_sector_exposure=0.001 max_position_pct=0.001            |
gross is too large         | max_gross_exposure=0.001                                    |
correlation is unknown     | held=XOM:1@100 corr=KO/XOM:none                             |
buying power is used up    | held=XOM:2000@100                                           |
reducing                   | halt=reducing                                               |
"""


@pytest.mark.parametrize("line", EXITS.strip().splitlines(), ids=lambda line: line.split("|")[0].strip())
@pytest.mark.parametrize("way_out", ["held=KO:20@100 | sell 10", "held=KO:-20@100 allow_short=true | buy 10"])
def test_a_way_out_passes_whatever_is_wrong_with_the_account(line: str, way_out: str) -> None:
    position, _, order = way_out.partition("|")
    given = line.split("|")[1]
    assert "ok" == verdict(decide(GateCase(f"{given} {position}", order.strip(), "ok")))


@pytest.mark.parametrize("line", EXITS.strip().splitlines()[1:], ids=lambda line: line.split("|")[0].strip())
def test_the_same_trouble_stops_an_entry(line: str) -> None:
    """Otherwise the test above would prove nothing."""
    answer = decide(GateCase(f"{line.split('|')[1]} allow_short=true", "buy 10", "refused"))
    assert isinstance(answer, Rejection)


@pytest.mark.parametrize("side", ["buy 100", "sell 100"])
@pytest.mark.parametrize(
    "flaw", ["quote=none", "quote=0/100", "quote=100/0", "quote=101/100", "quote=NaN/100", "quote=100/sNaN", "age=16"]
)
@pytest.mark.fault("price-senseless")
def test_without_a_usable_price_there_is_no_order_on_either_side(flaw: str, side: str) -> None:
    answer = decide(GateCase(f"{flaw} allow_short=true", side, "refused"))
    assert isinstance(answer, Rejection)
    assert answer.rule in {Rule.QUOTE_PRESENT, Rule.QUOTE_SANE, Rule.MAX_QUOTE_AGE}


GENEROUS = (
    "max_net_exposure=4 max_concentration=1 max_turnover_per_day=1000 max_position_notional=1000000 "
    "max_margin_use_pct=1 max_beta_exposure=10 beta=KO:1 max_var_95_pct=1 max_es_95_pct=1 tail=0.01 "
    "volatility_tiers=above+1+times+1 volatility=2 "
    "use_unsettled_cash=false unsettled=0 max_order_multiple=1000 usual=11@100 strategy_budgets=T+value+1000000"
)
OF_EQUITY = {
    Rule.ACCOUNT_KNOWN,
    Rule.MAX_TURNOVER,
    Rule.MAX_POSITION,
    Rule.MAX_CONCENTRATION,
    Rule.MAX_SECTOR,
    Rule.MAX_GROSS,
    Rule.MAX_NET,
    Rule.BUYING_POWER,
    Rule.SETTLED_CASH,
    Rule.MAX_MARGIN_USE,
    Rule.MAX_BETA,
    Rule.MAX_VAR,
    Rule.MAX_ES,
}
"""Rules whose limit is a share of equity, or of cash."""
PRICED = (OF_EQUITY - {Rule.ACCOUNT_KNOWN}) | {
    Rule.MIN_NOTIONAL,
    Rule.MAX_NOTIONAL,
    Rule.VOLATILITY,
    Rule.MAX_ORDER_MULTIPLE,
    Rule.MAX_NOTIONAL_PER_MINUTE,
    Rule.MAX_NOTIONAL_PER_DAY,
    Rule.MAX_POSITION_NOTIONAL,
    Rule.STRATEGY_VALUE,
}
"""Rules that value the order."""
QUOTED = {Rule.MAX_QUOTE_DEVIATION, Rule.MAX_SPREAD, Rule.PRICE_COLLAR}
"""Rules that hold it against the quote."""


def refusals(given: str) -> set[Rule]:
    return {check.rule for check in decide(GateCase(given, "buy 1 by T", "")).decision.checks if not check.passed}


def test_generous_limits_refuse_nothing():
    """Otherwise the tests below would prove nothing."""
    assert refusals(GENEROUS) == set()


@pytest.mark.parametrize("cash", ["-500", "-0.01", "0"])
@pytest.mark.control("gate")
def test_without_equity_every_share_of_it_refuses(cash: str) -> None:
    assert refusals(f"{GENEROUS} cash={cash}") >= OF_EQUITY


@pytest.mark.parametrize("quote", ["none", "NaN/100", "100/NaN", "Infinity/100", "0/100", "101/100"])
@pytest.mark.control("gate")
def test_without_a_usable_price_every_rule_that_values_the_order_refuses(quote: str) -> None:
    assert refusals(f"{GENEROUS} quote={quote}") >= PRICED | QUOTED


def test_whole_numbers_are_whole_also_as_soft_limits_of_what_is_off():
    limits = with_soft_limits(limits_with(soft_limits=("max_day_trades 3", "max_net_exposure 0.5")))
    assert (limits.max_day_trades, limits.max_net_exposure) == (3, Decimal("0.5"))
    assert isinstance(limits.max_day_trades, int)


def test_a_trailing_purchase_is_valued_at_the_stop_that_it_has_now():
    """4 % of the ask above it; a sale's stop lies below the bid, which is then the dearest price."""
    quote = Quote("KO", Decimal(99), Decimal(100), NOON, NOON)
    trailing = {"order_type": OrderType.TRAILING_STOP, "trail_percent": Decimal(4)}
    assert [price_of(order, quote) for order in (buy(1, **trailing), sell(1, **trailing))] == [104, 99]
