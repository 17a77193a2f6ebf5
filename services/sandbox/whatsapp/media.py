"""Media of WhatsApp: uploaded by the business, fetched by links that end — https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from aiohttp import web

from services.sandbox.faults import Control
from services.sandbox.files import File, Files
from services.sandbox.graph import Call, invalid, no_such_object
from services.sandbox.graph.links import Links
from services.sandbox.whatsapp.numbers import Numbers

Json = dict[str, Any]
ATTACHMENTS: Final = "/whatsapp_business/attachments/"
MEGABYTE: Final = 1024 * 1024
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
TYPES: Final = {
    **dict.fromkeys(("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus"), 16 * MEGABYTE),
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * MEGABYTE),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * MEGABYTE),
    "image/webp": 500 * 1024,
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            f"{_OFFICE}.wordprocessingml.document",
            f"{_OFFICE}.spreadsheetml.sheet",
            f"{_OFFICE}.presentationml.presentation",
        ),
        100 * MEGABYTE,
    ),
}


class Media:
    """Its three calls and the links."""

    def __init__(self, numbers: Numbers, files: Files, control: Control) -> None:
        self._numbers, self._files = numbers, files
        self._links = Links(control, files, path=ATTACHMENTS)

    def routes(self) -> list[web.RouteDef]:
        return [web.get(ATTACHMENTS, self._download)]

    def knows(self, node: str) -> bool:
        return self._files.get(node) is not None

    def upload(self, call: Call, number: str) -> Json:
        if call.values.get("messaging_product") != "whatsapp":
            raise invalid("The parameter messaging_product is required.")
        upload = call.file("file")
        if upload.mime_type not in TYPES:
            types = ", ".join(TYPES)
            raise invalid(
                f"Param file must be a file with one of the following types: {types}."
                f" Received file of type '{upload.mime_type}'."
            )
        if len(upload.data) > TYPES[upload.mime_type]:
            raise invalid("Param file is larger than its type may be")
        file = self._files.keep(upload.data, owner=number, mime_type=upload.mime_type, name=upload.name)
        return {"id": file.id}

    def answer(self, call: Call) -> Json:
        """GET: where the file is; DELETE: forget it."""
        file = self._own(call)
        if call.method == "DELETE":
            self._files.drop(file.id)
            return {"success": True}
        return {
            "messaging_product": "whatsapp",
            "url": self._links.make(call.request, file),
            "mime_type": file.mime_type,
            "sha256": self.sha256(file),
            "file_size": file.size,
            "id": file.id,
        }

    def _own(self, call: Call) -> File:
        file = self._files.get(call.node)
        if file is None or call.values.get("phone_number_id", file.owner) != file.owner:
            raise no_such_object(call.node)
        self._numbers.number(file.owner, call.token)
        return file

    def sha256(self, file: File) -> str:
        return base64.b64encode(hashlib.sha256(self._files.data(file)).digest()).decode()

    async def _download(self, request: web.Request) -> web.Response:
        """The link alone is not enough: the token must be the number's."""
        file = self._links.file(request.query)
        if file is None:
            raise web.HTTPNotFound
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self._numbers.allows(file.owner, token):
            raise web.HTTPUnauthorized
        return web.Response(body=self._files.data(file), content_type=file.mime_type)
