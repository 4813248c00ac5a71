"""The simulated venue behind Alpaca's wire: HTTP and WebSocket on one port, for any client that Alpaca has."""
