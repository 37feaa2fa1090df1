"""The reference back office: register, lifecycle, tariff, ledger and blacklist publisher."""
