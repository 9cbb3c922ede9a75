"""What a query denies, and what articles say of it."""
