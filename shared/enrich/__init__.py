"""What is asked of a provider after a message: its files, its people."""
