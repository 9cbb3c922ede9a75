"""Coverage-guided fuzzing with Atheris (`make fuzz`): readers, dates, dumps of pages and the query language."""
