"""What is told beside the words: a name, a time, hints of a person. What of it cannot be read takes nothing else along."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from shared.contract.envelope import LATEST, Party
from shared.contract.readable import few, otherwise

LONGEST: Final = 900  # characters of a name


def word(value: object) -> str:
    """Whatever it is, in so many characters as a notice or a key has room for."""
    return str(value)[:LONGEST]


def name(value: object) -> str | None:
    """What things are told apart by; None where it is none."""
    return value if isinstance(value, str) and 0 < len(value) < LONGEST else None


def listed(value: object) -> list[Any]:
    """As much of a list as a message can show; nothing where it is none."""
    return few(value) if isinstance(value, list) else []


def moment(value: Any) -> datetime:
    """RFC 3339; LATEST, which is when it comes, where it is none."""
    return otherwise(lambda: datetime.fromisoformat(value).astimezone(UTC), LATEST)


def party(plain: Party, **told: object) -> Party:
    """The person with each of these hints (fields of Party) that says something and can be read."""
    said = {field: value for field, value in told.items() if value}
    found = {field: otherwise(lambda field=field: _read(plain, field, said[field]), None) for field in said}  # type: ignore[misc]
    return plain.model_copy(update={field: value for field, value in found.items() if value is not None})


def vouched(address: str, **told: object) -> Party:
    """Whom the provider knows by this address, with the hints that can be read."""
    return party(Party(address=address, verified="provider"), **told)


def _read(plain: Party, field: str, value: object) -> Any:
    return getattr(Party.model_validate({"address": plain.address, field: value}), field)
