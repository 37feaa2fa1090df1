"""Measurements, as tables: `python -m benchmarks`, or `make bench`.

A module of this package that has a function `tables() -> list[Table]` takes part. Times compare
only within one run on one machine; each is printed beside a null case of the same run.
"""
