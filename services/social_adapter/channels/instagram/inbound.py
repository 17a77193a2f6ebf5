"""What Meta tells of an Instagram account — https://developers.facebook.com/documentation/instagram-platform/webhooks/examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from services.social_adapter.channels.instagram import comments, likeness
from services.social_adapter.channels.instagram.tables import MESSAGING, QUIET
from shared.contract.channel import Context, Incoming, Malformed, Message, Request
from shared.contract.readable import each
from shared.dialects import meta
from shared.dialects.messenger import events
from shared.dialects.messenger.entry import Entry

Json = dict[str, Any]


def read(app: meta.App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    """Every event of every entry, of as many accounts as there are; `standby` is what another app answers.

    Meta's page shows bodies in a list.
    """
    told = request.json()
    return each(lambda body: each(partial(_entry, app), body["entry"]), told if isinstance(told, list) else [told])


def _entry(app: meta.App, one: Json) -> Iterator[Incoming | Malformed]:
    """A change stands in `changes` with Facebook Login, by Meta's page in the entry itself with Instagram Login."""
    entry = Entry(account=one["id"], time=one.get("time"), app_id=app.app_id)
    aside = replace(entry, standby=True)
    yield from each(lambda event: _event(event, entry), one.get("messaging") or ())
    yield from each(lambda event: _event(event, aside), one.get("standby") or ())
    changes = [one] if "field" in one else one.get("changes") or ()
    yield from each(lambda change: _change(change, entry), changes)


def _event(event: Json, entry: Entry) -> Iterator[Incoming]:
    """An echo carries no name of ours: what it says, and to whom, is what it can be known by."""
    for record in events.read(event, entry):
        if isinstance(record, Message) and record.echo and record.external_id and "message" in event:
            yield replace(record, join_key=likeness.of_echo(record))
        else:
            yield record


def _change(change: Json, entry: Entry) -> Iterator[Incoming]:
    field, value = change["field"], change["value"]
    if field in comments.FIELDS:
        yield comments.read(field, value, entry)
    elif field in MESSAGING:
        yield from _event(value, entry)
    elif field not in QUIET:
        raise Malformed("a field that is not known here")
