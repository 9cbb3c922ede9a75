"""The query as it is typed, and as it is read: words, phrases, operators, filters."""
