"""An adapter, put together from the wings below."""
