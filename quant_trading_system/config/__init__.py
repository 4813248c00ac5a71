"""Files and environment turned into frozen settings and limits."""
