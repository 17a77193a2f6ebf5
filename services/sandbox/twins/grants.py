"""Providers that give access tokens for an hour (RFC 6749)."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from aiohttp import web

from services.sandbox.access import same
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.twin import Twin

Json = dict[str, Any]
HOUR: Final = 3600


class Granting(Twin):
    """Only the last token of an account is good."""

    def allowed(self, seat: Seat, request: web.Request) -> bool:
        token, until = self.shelf.get(f"token/{seat.name}") or ("", 0)
        return same(request.headers.get("Authorization", ""), f"Bearer {token}") and time.time() < until

    def grant(self, seat: Seat) -> Json:
        """A new token (§5.1)."""
        token = secrets.token_urlsafe(60)
        self.shelf.put(f"token/{seat.name}", (token, time.time() + HOUR))
        return {"access_token": token, "expires_in": HOUR - 1, "token_type": "Bearer"}
