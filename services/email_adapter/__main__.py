"""The email adapter, as a process."""

from services.email_adapter.start import start
from shared.lifecycle import run

run("email_adapter", start)
