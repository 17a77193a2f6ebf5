"""What a process is made of: settings, a life, a port, and what is seen of it from outside."""
