"""An app and its installations, as the accounts file has them — https://docs.slack.dev/authentication/installing-with-oauth."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field as Described, SecretStr

from shared.contract import channel


class App(channel.App):
    """One Slack app, which may be installed in many workspaces: Slack signs with its secret."""

    secret: SecretStr = Described(min_length=1, description="the signing secret, of the app's Basic Information")


class Account(channel.Account):
    """One installation: a workspace, or all of an organisation's."""

    called_by: ClassVar[str] = "team"
    team: str = Described(
        pattern=r"^[TE][A-Z0-9]{2,30}$",
        description="the workspace's id (T…); of an installation for a whole organisation the organisation's (E…)",
    )
    token: SecretStr = Described(min_length=1, description="the bot token (xoxb-…), of the app's OAuth & Permissions")
    agent: bool = Described(
        default=False,
        description="the app is an agent (agent_view or assistant_view): in direct messages each message is answered "
        "in its own thread",
    )
    app_token: SecretStr = Described(
        default=SecretStr(""),
        description="the app's own token (xapp-…, scope connections:write), for one of its accounts: what people write comes by "
        "Socket Mode then, where Slack cannot reach us",
    )
    connections: int = Described(default=1, ge=1, le=10, description="how many sockets are open at once in Socket Mode")
    api: str = Described(default="https://slack.com/api", description="where the Web API is")
