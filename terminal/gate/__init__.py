"""The transit gate: no screens, one decision a tap."""
