"""What a customer wants to be sent without having asked, and who says so."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from services.router.api.answers import Mistake, answer, path_uuid
from services.router.api.people import check_stands
from services.router.api.requests import ask, read_asked
from services.router.api.tokens import GRANT
from shared.bus.produce import Producer
from shared.contract.requests import SetConsent
from shared.runtime.settings import Settings
from shared.storage.database import Pool

PERSON: Final = """SELECT coalesce(merged_into, id) AS person, erased_at FROM customer
    WHERE id = $1 AND ($2::text[] IS NULL OR tenant = ANY($2))"""
SAID: Final = """SELECT DISTINCT ON (s.purpose, s.channel) s.purpose, nullif(s.channel, '') AS channel, s.given, s.at, s.evidence,
        s.said_by AS by, s.customer_id AS customer
    FROM customer c JOIN consent s ON s.customer_id = c.id WHERE c.id = $1 OR c.merged_into = $1
    ORDER BY s.purpose, s.channel, s.at DESC, s.given"""


async def show_consent(pool: Pool, request: web.Request) -> web.Response:
    """GET /api/customers/{id}/consent: {"customer", "consent"}, the newest word of the whole person by purpose and channel; of what
    nothing is said everything may be sent.
    """
    asked = path_uuid(request)
    row = await pool.fetchrow(PERSON, asked, request[GRANT].only)
    if row is None:
        raise Mistake(404, "unknown_customer", f"no customer {asked}")
    await check_stands(pool, asked, row)
    return answer({"customer": row["person"], "consent": list(map(dict, await pool.fetch(SAID, row["person"])))})


async def set_consent(producer: Producer, settings: Settings, request: web.Request) -> web.Response:
    """POST /api/customers/{id}/consent: 202 {"request_id", …}; `customer.consent` says that it stands."""
    customer = str(path_uuid(request))
    asked = await read_asked(request, SetConsent, customer=customer)
    return await ask(producer, settings, request, asked, key=customer)
