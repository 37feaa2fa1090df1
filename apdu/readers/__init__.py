"""One file a reader, each behind the `Reader` protocol."""
