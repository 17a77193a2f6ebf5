"""Whether a mail is its sender's: what its domain publishes in DNS, and what a server that we trust has found."""
