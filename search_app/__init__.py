"""Everything that answers: engine, query language, fusion, snippets, command line, web app."""
