"""The store: tables, migrations, journal and blacklist index."""
