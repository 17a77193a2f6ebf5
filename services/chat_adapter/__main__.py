"""The chat adapter, as a process."""

from services.chat_adapter.start import start
from shared.runtime.lifecycle import run

run("chat_adapter", start)
