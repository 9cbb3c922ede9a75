"""Encoders: texts in, unit vectors out; the original, and what an index carries of it."""
