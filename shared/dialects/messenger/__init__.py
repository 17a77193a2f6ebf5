"""The Messenger Platform, by which the people of a page and of an Instagram account are written with alike."""
