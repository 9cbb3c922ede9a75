"""Hits as people see them: snippets, highlights and reasons."""
