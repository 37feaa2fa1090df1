"""The operating system of the simulated PSAM."""
