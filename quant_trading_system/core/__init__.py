"""The words of the domain: exact numbers, time, ids, orders, positions, signals, events, errors."""
