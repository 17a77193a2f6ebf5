"""The business accounts and phone numbers that WhatsApp knows, and whose tokens they take."""

from __future__ import annotations

from typing import Any, Final

from services.sandbox.access import same
from services.sandbox.graph import GraphError, bad_token, no_such_object
from services.sandbox.shelf import Shelf

Json = dict[str, Any]
PREFIX: Final = "85523"  # what the sandbox's own numbers begin with


class Numbers:
    """An account is born when an app joins it, a number when its account's token first asks for it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.accounts: dict[str, Json] = {kept["id"]: kept for _, kept in shelf.under("waba/")}
        self.numbers: dict[str, Json] = {kept["id"]: kept for _, kept in shelf.under("number/")}
        self._newest: dict[str, str] = {}  # by token, the account that was last joined with it

    def join(self, waba: str, token: str) -> None:
        known = self.accounts.get(waba, {"id": waba, "tokens": []})
        if token not in known["tokens"]:
            known = {**known, "tokens": [*known["tokens"], token]}
            self._shelf.put(f"waba/{waba}", known)
        self.accounts[waba] = known
        self._newest[token] = waba

    def meet(self, number: str, token: str) -> Json:
        """The number, new where this token's account had none of this id. Raises GraphError."""
        if number not in self.numbers:
            if token not in self._newest:
                raise bad_token()
            self._born(number, self._newest[token])
        return self.number(number, token)

    def _born(self, number: str, waba: str) -> None:
        display = PREFIX + number[-6:].rjust(6, "0")
        born = {"id": number, "waba": waba, "display": display, "name": f"Business {number[-4:]}", "registered": True}
        self.numbers[number] = born
        self._shelf.put(f"number/{number}", born)

    def number(self, number: str, token: str) -> Json:
        """Raises GraphError where there is none, or the token is not its account's."""
        if (found := self.numbers.get(number)) is None:
            raise no_such_object(number)
        self.account(found["waba"], token)
        return found

    def register(self, number: Json, *, registered: bool) -> Json:
        """https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration."""
        self.numbers[number["id"]] = {**number, "registered": registered}
        self._shelf.put(f"number/{number['id']}", self.numbers[number["id"]])
        return {"success": True}

    def account(self, waba: str, token: str) -> Json:
        if (found := self.accounts.get(waba)) is None:
            raise no_such_object(waba)
        if not any(same(token, known) for known in found["tokens"]):
            raise bad_token()
        return found

    def allows(self, number: str, token: str) -> bool:
        try:
            return bool(self.number(number, token))
        except GraphError:
            return False
