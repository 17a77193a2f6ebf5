"""`parley new`: a channel begun."""
