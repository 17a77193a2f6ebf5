"""Who someone is — https://docs.slack.dev/reference/methods/users.info."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field as Described

from services.chat_adapter.channels.slack import places
from services.chat_adapter.channels.slack.calls import ask
from services.chat_adapter.channels.slack.settings import Account
from shared.contract.channel import Context, Steps
from shared.contract.envelope import Model, Party
from shared.contract.identities import proved


class About(Model):
    display_name: str | None = None
    real_name: str | None = None
    email: str | None = None


class Organisation(Model):
    enterprise_id: str | None = None


class User(Model):
    name: Annotated[str | None, Described(max_length=255)] = None
    locale: Annotated[str | None, Described(max_length=35)] = None
    tz: Annotated[str | None, Described(max_length=64)] = None
    profile: About = About()
    team_id: str | None = None
    enterprise_user: Organisation = Organisation()
    is_email_confirmed: bool = False


class Known(Model):
    """https://docs.slack.dev/reference/methods/users.info."""

    user: User = User()


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """Of people; of an app all is known that it says of itself."""
    if not places.is_person(address):
        return Party(address=address)
    answer = yield ask(account, "users.info", {"user": address, "include_locale": "true"})
    user = Known.model_validate_json(answer.body).user
    return Party(
        address=address,
        name=user.profile.display_name or user.profile.real_name,
        username=user.name,
        verified="provider",
        email=user.profile.email,
        proofs=proved("email", user.profile.email, by="provider") if _vouched(account, user) else (),
        locale=user.locale,
        time_zone=user.tz,
    )


def _vouched(account: Account, user: User) -> bool:
    """Whether the account's own administrators have let them in by this address: not of who comes by Slack Connect."""
    return user.is_email_confirmed and account.team in {user.team_id, user.enterprise_user.enterprise_id}
