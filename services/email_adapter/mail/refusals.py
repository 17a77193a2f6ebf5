"""A mail that is not taken, with the SMTP reply that says why."""

from __future__ import annotations

from shared.contract.errors import ParleyError


class Refused(ParleyError):
    """The mail is beyond what is read of a stranger's mail; it was not taken.

    `reply` is the whole SMTP reply in one line: code, enhanced code (RFC 3463), words. None of the mail's own words are in it.
    """

    code = "malformed"

    def __init__(self, reply: str) -> None:
        self.reply = reply
        super().__init__(reply)

    @property
    def words(self) -> str:
        """The reply without its codes."""
        return self.reply.split(" ", 2)[2]

    @property
    def status(self) -> int:
        """The three digits of the reply."""
        return int(self.reply[:3])
