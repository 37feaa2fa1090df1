"""One file a revision. Only ever add; a revision that was released does not change."""
