"""The social security card itself: its files, values, authentication and PIN."""
