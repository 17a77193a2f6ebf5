"""The social adapter, as a process."""

from services.social_adapter.start import start
from shared.runtime.lifecycle import run

run("social_adapter", start)
