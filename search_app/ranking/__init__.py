"""Two rankings, their fusion, and what happens to the order before it is shown."""
