"""A second look at the first articles of a ranking."""
