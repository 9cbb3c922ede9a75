"""The lexical index: BM25 over columns of frequencies, positions in Whoosh."""
