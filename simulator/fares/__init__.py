"""Sample fare tables: `sim:metro` and `sim:bus`. Their stations are nowhere."""
