"""Orders on their way: broker, order manager, position tracker, quality of execution."""
