"""The official SDK `alpaca-py`, imported without the warnings of the libraries below it."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import Adjustment, DataFeed, MostActivesBy
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.historical.news import NewsClient
    from alpaca.data.historical.screener import ScreenerClient
    from alpaca.data.historical.stock import StockHistoricalDataClient
    from alpaca.data.live.stock import StockDataStream
    from alpaca.data.requests import (
        CorporateActionsRequest,
        MarketMoversRequest,
        MostActivesRequest,
        NewsRequest,
        StockBarsRequest,
        StockLatestBarRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockQuotesRequest,
        StockSnapshotRequest,
        StockTradesRequest,
    )
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import AssetExchange, AssetStatus, OrderClass, OrderSide, OrderStatus, TimeInForce
    from alpaca.trading.requests import (
        ClosePositionRequest,
        CreateWatchlistRequest,
        GetAssetsRequest,
        GetCalendarRequest,
        GetOrderByIdRequest,
        GetOrdersRequest,
        GetPortfolioHistoryRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopLimitOrderRequest,
        StopLossRequest,
        StopOrderRequest,
        TakeProfitRequest,
        TrailingStopOrderRequest,
        UpdateWatchlistRequest,
    )
    from alpaca.trading.stream import TradingStream

__all__ = [
    "APIError",
    "Adjustment",
    "AssetExchange",
    "AssetStatus",
    "ClosePositionRequest",
    "CorporateActionsClient",
    "CorporateActionsRequest",
    "CreateWatchlistRequest",
    "DataFeed",
    "GetAssetsRequest",
    "GetCalendarRequest",
    "GetOrderByIdRequest",
    "GetOrdersRequest",
    "GetPortfolioHistoryRequest",
    "LimitOrderRequest",
    "MarketMoversRequest",
    "MarketOrderRequest",
    "MostActivesBy",
    "MostActivesRequest",
    "NewsClient",
    "NewsRequest",
    "OrderClass",
    "OrderSide",
    "OrderStatus",
    "ReplaceOrderRequest",
    "ScreenerClient",
    "StockBarsRequest",
    "StockDataStream",
    "StockHistoricalDataClient",
    "StockLatestBarRequest",
    "StockLatestQuoteRequest",
    "StockLatestTradeRequest",
    "StockQuotesRequest",
    "StockSnapshotRequest",
    "StockTradesRequest",
    "StopLimitOrderRequest",
    "StopLossRequest",
    "StopOrderRequest",
    "TakeProfitRequest",
    "TimeFrame",
    "TimeFrameUnit",
    "TimeInForce",
    "TradingClient",
    "TradingStream",
    "TrailingStopOrderRequest",
    "UpdateWatchlistRequest",
]
