"""The providers' documented APIs on loopback, strict as they are, and a phone to write from."""
