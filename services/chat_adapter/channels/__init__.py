"""The chat channels, each pure: data and functions."""
