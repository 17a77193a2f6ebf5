"""python -m services.sandbox."""

from services.sandbox.service import start
from shared.runtime.lifecycle import run

if __name__ == "__main__":
    run("sandbox", start)
