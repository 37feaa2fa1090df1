"""The national medical insurance interface: its envelope, fields, amounts and codes."""
