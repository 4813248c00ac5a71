"""Names of the files in the directory of an account; whoever only reads them need not load the engine."""

JOURNAL_FILE = "journal.db"
LATCH_FILE = "kill_latch.json"
DOOR_FILE = "control.sock"
"""The socket at which a running engine takes commands."""
