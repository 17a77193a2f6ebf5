"""A bridge between Snapchat's messaging of brands and creators, which Snap opens by allowlist, and Parley's webhook channel.

It needs Python and nothing else, and remembers nothing: what Parley has it takes in once, what Snap has is known by its id.
SNAP_TOKEN, SNAP_PROFILE: the brand's; SNAP_CREATORS: whom to listen to, profiles with commas between; PARLEY_HOOK: Parley's
address /hooks/webhook/APP; PARLEY_SECRET: the whsec_… of app and account; PORT: where the account's `url` points.
"""

import base64
import hashlib
import hmac
import json
import os
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode
from urllib.request import Request, urlopen

PROFILES = os.environ.get("SNAP_API", "https://businessapi.snapchat.com") + "/v1/public_profiles/"
CREATORS = [name for name in os.environ["SNAP_CREATORS"].split(",") if name]
KEY = base64.b64decode(os.environ["PARLEY_SECRET"].removeprefix("whsec_"))
PAUSE = float(os.environ.get("PAUSE", "10"))  # seconds between two looks
OURS = "9a61e700"  # how the ids of what we send begin, so that it is not taken for the creator's


def snap(method: str, what: str, body: dict | None = None, **query: str) -> dict:
    """A call of https://developers.snap.com/api/marketing-api/Public-Profile-API/Messaging; a no under 200 is a no."""
    url = f"{PROFILES}{os.environ['SNAP_PROFILE']}/{what}?{urlencode(query)}"
    headers = {"Authorization": f"Bearer {os.environ['SNAP_TOKEN']}", "Content-Type": "application/json"}
    with urlopen(
        Request(url, json.dumps(body).encode() if body else None, headers, method=method), timeout=20
    ) as answer:
        told = json.load(answer)
    if told.get("request_status") != "SUCCESS":
        raise OSError(told.get("debug_message") or "Snap says no")
    return told


def place(creator: str) -> dict:
    """How Snap calls the conversation with this creator."""
    told = snap("GET", "group_conversation", creator_profile_id=creator)["conversation"]
    return {"conversation_id": told["conversation_id"], "token": told["token"]}


def sign(name: str, stamp: str, body: bytes) -> str:
    """https://www.standardwebhooks.com."""
    return "v1," + base64.b64encode(hmac.digest(KEY, f"{name}.{stamp}.".encode() + body, hashlib.sha256)).decode()


def listen(creator: str) -> None:
    """Tell Parley what the creator wrote; it takes nothing in twice."""
    for one in snap("GET", "group_conversation_messages", **place(creator))["group_conversation_messages"]:
        said = one["group_conversation_message"]
        name, stamp = said["message_id"], str(int(time.time()))
        if name.startswith(OURS) or not said.get("text_message"):
            continue
        part = {"kind": "text", "text": said["text_message"]}
        body = json.dumps({"id": name, "message": name, "from": {"address": creator}, "parts": [part]}).encode()
        proof = {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": sign(name, stamp, body)}
        headers = {"Content-Type": "application/json", **proof}
        urlopen(Request(os.environ["PARLEY_HOOK"], body, headers), timeout=20).close()


def send(name: str, to: str, text: str) -> str:
    """The same id however often Parley posts it."""
    own = str(uuid.UUID(OURS + hashlib.sha256(name.encode()).hexdigest()[:24]))
    message = {"type": "TEXT", "message_id": own, "text_message": text}
    snap("POST", "group_conversation_messages", {**place(to), "group_conversation_messages": [message]})
    return own


class Answers(BaseHTTPRequestHandler):
    """What Parley posts; the status says what became of it (docs/channels/webhook.md)."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, stamp = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "0")
        good, given = sign(name, stamp, body), self.headers.get("webhook-signature", "").split()
        if abs(time.time() - int(stamp)) > 300 or not any(hmac.compare_digest(good, one) for one in given):
            return self.answer(401, {})
        told = json.loads(body)
        if told["type"] != "message" or told["part"]["kind"] != "text":
            return self.answer(200 if told["type"] == "typing" else 415, {})
        try:
            return self.answer(200, {"external_ids": [send(name, told["to"], told["part"]["text"])]})
        except OSError:
            return self.answer(502, {})

    def answer(self, status: int, told: dict) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        for creator in CREATORS:
            try:
                listen(creator)
            except OSError as error:
                print(f"{creator}: {error}; looking again", flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
