"""The commands of `ssct`, one module each, imported only when called."""
