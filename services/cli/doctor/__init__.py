"""`parley doctor`: one file per thing that an operator can get wrong."""
