"""What happened, in order: entries, codec, stores, replay and verification."""
