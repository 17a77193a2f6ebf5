"""Addresses at which one file of ours can be read for a while by whoever has them: for providers that take files by address only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, SecretStr, ValidationError

from shared.contract.envelope import Media, Model
from shared.contract.errors import Refusal, Unverified
from shared.contract.seal import Purpose, seal, unseal

PATH: Final = "/files/"
LIFE: Final = timedelta(days=7)  # at the least: some providers fetch at once, some when the person looks
LONGEST: Final = 100  # characters of a name: some providers take 1000 of an address


class FileAddress(Model):
    """What an address of a file says, signed: whoever has it may read this blob until then."""

    blob: Annotated[str, Field(max_length=2000)]
    mime_type: str
    name: str
    until: AwareDatetime

    def sealed(self, secret: SecretStr, purpose: Purpose) -> str:
        return seal(secret, purpose, self.model_dump_json().encode())

    @classmethod
    def read(cls, sealed: str, secret: SecretStr, purpose: Purpose) -> FileAddress:
        """Raises Unverified for what was not signed with this secret for this purpose; `until` is the caller's to look at."""
        try:
            return cls.model_validate_json(unseal(secret, purpose, sealed))
        except ValidationError as error:
            raise Unverified("not an address of a file") from error


def no_link(media: Media) -> str:
    """Where nobody can reach us."""
    raise Refusal(
        "unsupported",
        "The provider takes files only by an address of ours: set PARLEY_PUBLIC_URL and PARLEY_SECRET (docs/settings.md).",
    )


def link(media: Media, *, base: str, secret: SecretStr, now: datetime) -> str:
    """The file's public address below `base`, the same all day. Raises Refusal where there is no address or key of ours, or no file."""
    if not base or not secret.get_secret_value():
        return no_link(media)
    if media.blob is None:
        raise Refusal("malformed", f"There are no bytes behind the {media.media}.")
    address = FileAddress(
        blob=media.blob,
        mime_type=media.mime_type or "application/octet-stream",
        name=(media.name or "file")[-LONGEST:],
        until=now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) + LIFE,
    )
    return f"{base}{PATH}{address.sealed(secret, 'file')}"
