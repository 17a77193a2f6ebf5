"""The pages that an app has been installed on: their names and tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from services.sandbox.access import same
from services.sandbox.graph import Call, bad_token, no_such_object
from services.sandbox.shelf import Shelf


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """`base`: where the API was called, and so where its links lead."""

    id: str
    name: str
    token: str
    base: str


class Pages:
    """A page is born when it is first subscribed; its token is the one that did so last."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._pages = {kept["id"]: Page(**kept) for _, kept in shelf.under("page/")}

    def __iter__(self) -> Iterator[Page]:
        return iter(self._pages.values())

    def join(self, call: Call) -> Page:
        known = self._pages.get(call.node)
        name = known.name if known else f"Parley Shop {len(self._pages) + 1}" if self._pages else "Parley Shop"
        base = f"{call.request.scheme}://{call.request.host}"
        page = self._pages[call.node] = Page(id=call.node, name=name, token=call.token, base=base)
        self._shelf.put(f"page/{page.id}", asdict(page))
        return page

    def get(self, page_id: str) -> Page | None:
        return self._pages.get(page_id)

    def by_token(self, token: str) -> Page | None:
        return next((page for page in self if same(token, page.token)), None)

    def of(self, call: Call) -> Page:
        """The page that is called, by its own token. Raises GraphError."""
        page = self.by_token(call.token) if call.node == "me" else self._pages.get(call.node)
        if page is None:
            raise bad_token() if call.node == "me" else no_such_object(call.node)
        return self.allowed(page, call)

    def allowed(self, page: Page, call: Call) -> Page:
        if not same(call.token, page.token):
            raise bad_token()
        return page
