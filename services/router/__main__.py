"""The router, as a process."""

from services.router.start import start
from shared.runtime.lifecycle import run

run("router", start)
