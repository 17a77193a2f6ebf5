"""What every service is made of; imports no service."""
