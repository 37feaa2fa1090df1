"""The terminal: decisions, flows, storage and faces."""
