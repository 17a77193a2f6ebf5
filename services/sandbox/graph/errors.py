"""How the Graph API says no — https://developers.facebook.com/docs/graph-api/guides/error-handling."""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web


class GraphError(Exception):
    """Answered {"error": {"message", "type", "code", "error_subcode"?, "error_data"?, "fbtrace_id"}}."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int = 400,
        subcode: int | None = None,
        details: str | None = None,
        product: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.subcode = code, message, status, subcode
        self.details, self.product, self.retry_after = details, product, retry_after

    def response(self) -> web.Response:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return web.json_response({"error": self._error()}, status=self.status, headers=headers)

    def _error(self) -> dict[str, Any]:
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {self.message}",
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": secrets.token_urlsafe(12),
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.details is not None:
            product = {"messaging_product": self.product} if self.product else {}
            error["error_data"] = {**product, "details": self.details}
        return error


def invalid(what: str) -> GraphError:
    """A parameter that is missing or wrong."""
    return GraphError(100, what)


def no_such_object(node: str) -> GraphError:
    return GraphError(
        100,
        f"Unsupported request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions,"
        " or does not support this operation",
        subcode=33,
    )


def bad_token(why: str = "Invalid OAuth access token - Cannot parse access token") -> GraphError:
    return GraphError(190, why, status=401)
