"""`parley docs`: the generated pages."""
