"""The card side: bytes in, typed facts out. Knows no network, database or screen."""
