"""How good a ranking is: judged collections in, measures with significance out. Needs the extra 'eval'."""
