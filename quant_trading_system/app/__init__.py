"""The object graph, built in one place."""
