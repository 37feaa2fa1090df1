"""What the terminal keeps on disk: journal, blacklist, audit trail, identity, known statuses.

One SQLite file in the data directory, opened by one process at a time. Personal data in it are
sealed with a key that lies beside it in a file of its own, or comes from the environment.
"""
