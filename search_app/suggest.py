def corrected(query, vocabulary): return None
