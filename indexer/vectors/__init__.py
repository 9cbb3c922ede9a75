"""The vector index: exact, or by short codes and then exact."""
