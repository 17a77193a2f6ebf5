"""The email adapter, as a process."""

from services.email_adapter.start import start
from shared.runtime.lifecycle import run

if __name__ == "__main__":
    run("email_adapter", start)
