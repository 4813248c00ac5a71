"""The command line, `qts`."""
