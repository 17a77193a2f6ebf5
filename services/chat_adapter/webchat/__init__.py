"""Web live chat, the one channel that Parley itself provides: a widget, its server, and the transcript they share."""
