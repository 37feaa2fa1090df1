"""The simulated card: a card operating system with files, keys, PIN and security state."""
