"""The control API and the operator's console, on one server. They read the journal and send commands."""
