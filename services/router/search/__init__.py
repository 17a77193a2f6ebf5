"""Words of messages, and names and addresses of conversations, found by whoever asks for them."""
