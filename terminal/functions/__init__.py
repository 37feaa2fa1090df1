"""What a holder can do, one file a function, and the registry of them."""
