"""Short ids, as `parley tail` prints them: the first letters of a conversation's or a message's id, as far as they name one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.cli.running import MISUSED, fail

if TYPE_CHECKING:
    from services.cli.running import System

SHORT: Final = 8  # letters: what `parley tail` prints
PREFIX: Final = re.compile(r"[0-9a-f]{4,32}")
NOT_FOUND: Final = 3
CANNOT: Final = 1


async def resolve(system: System, name: str, *, router: str = "", kinds: tuple[str, ...]) -> UUID:
    """The one id of these kinds (conversations, messages) that begins so; a whole id is itself.

    Ends the command where it is no id, where nothing begins so, and where several do, which it then names.
    """
    if whole := as_uuid(name):
        return whole
    if not PREFIX.fullmatch(name.lower().replace("-", "")):
        fail(f"{name!r} is not an id, nor the first letters (4 at least) of one that `parley tail` prints.", MISUSED)
    address = router or system.services.get("router", "")
    if not address:
        fail(f"Only the router knows what {name} begins. Give the whole id, or set PARLEY_ROUTER.", MISUSED)
    found = [one for kind, ids in (await begins(system, address, name)).items() if kind in kinds for one in ids]
    if not found:
        fail(f"The router knows nothing whose id begins with {name}. See `parley tail --from-beginning`.", NOT_FOUND)
    if len(found) > 1:
        fail(f"{name} begins several ids: {', '.join(found)}. Give more letters.", MISUSED)
    return UUID(found[0])


def as_uuid(name: str) -> UUID | None:
    """The whole id, if it is one."""
    try:
        return UUID(name)
    except ValueError:
        return None


async def begins(system: System, address: str, prefix: str) -> dict[str, list[str]]:
    """{"conversations": ids, "messages": ids} that begin so, a few of each; ends the command where the token is refused."""
    async with asking(system, address) as router:
        return await get(router, f"/api/ids/{prefix}") or {}


def asking(system: System, address: str) -> Any:
    """A session with the router, behind its token."""
    import aiohttp

    bearer = {"Authorization": f"Bearer {system.settings.token.get_secret_value()}"}
    return aiohttp.ClientSession(address, headers=bearer, timeout=aiohttp.ClientTimeout(total=20))


async def get(router: Any, path: str) -> dict[str, Any] | None:
    """What the API says; None for what it does not know. Ends the command where it refuses the token."""
    async with router.get(path) as answer:
        if answer.status in {401, 403}:
            fail("The router refuses the token. Set PARLEY_TOKEN to the one it was started with.", CANNOT)
        if answer.status in {400, 404}:
            return None
        if answer.status == 410:
            fail((await answer.json())["error"]["detail"], NOT_FOUND)
        answer.raise_for_status()
        found: dict[str, Any] = await answer.json()
        return found
