"""How YouTube shows a comment — https://developers.google.com/youtube/v3/docs/comments#resource."""

from __future__ import annotations

from typing import Any

from services.sandbox.chats import Chat

Json = dict[str, Any]


def comment(chat: Chat, view: Json) -> Json:
    ours, parent = view["direction"] == "in", parent_of(chat, view)
    place = {"channelId": chat.account, "videoId": "sandboxVid1", "moderationStatus": "published"}
    words = dict.fromkeys(("textDisplay", "textOriginal"), view.get("text", ""))
    author, who = ("@parley-shop", chat.account) if ours else (f"@{chat.name}", chat.user)
    by = {"authorDisplayName": author, "authorChannelId": {"value": who}}
    changed = chat.about.get("edited", {}).get(view["id"], view["at"])
    snippet = {**place, **words, **by, "publishedAt": view["at"], "updatedAt": changed}
    snippet |= {"parentId": parent} if parent else {}
    return {"kind": "youtube#comment", "id": name_of(chat, view), "snippet": snippet}


def parent_of(chat: Chat, view: Json) -> str | None:
    """The comment under which it stands: YouTube has one storey of answers."""
    while (above := view.get("reply_to")) in chat.views:
        view = chat.views[str(above)]
        if "reply_to" not in view:
            return str(view["id"])
    return None


def name_of(chat: Chat, view: Json) -> str:
    """An answer's name begins with its comment's."""
    name, parent = str(view["id"]), parent_of(chat, view)
    return f"{parent}.{name}" if parent and "." not in name else name
