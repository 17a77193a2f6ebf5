"""The social channels, each pure: data and functions."""
