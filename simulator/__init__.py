"""Everything that stands in for hardware and for the city."""
