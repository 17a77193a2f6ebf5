"""A call to a provider, whichever it is and whatever is asked of it."""
