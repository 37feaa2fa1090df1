"""The back office side: the contract (schemas, messages) and the client."""
