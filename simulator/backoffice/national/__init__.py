"""The reference back office as a centre of the national interface, over the same ledger."""
