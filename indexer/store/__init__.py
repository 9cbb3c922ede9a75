"""The store: articles, passages and vectors in SQLite, the only truth of an index."""
