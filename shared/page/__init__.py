"""What the pages of several services are made of: each serves these files as `shared/NAME` beside its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FILES: Final = {f"shared/{file.name}": file for file in sorted(Path(__file__).parent.glob("*.js"))}
