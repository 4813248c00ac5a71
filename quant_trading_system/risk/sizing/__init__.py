"""Position sizing: how many shares to hold, exact, rounded down, and with the constraint that bound named."""
