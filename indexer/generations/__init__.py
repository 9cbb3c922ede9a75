"""Generations of an index: written, named in one step, checked, backed up and restored."""
