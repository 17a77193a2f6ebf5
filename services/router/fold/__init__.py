"""The rules of conversations: pure functions over facts."""
