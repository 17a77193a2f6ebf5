"""A file that a stranger names is fetched as a stranger's: only from public addresses, and without a token."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from shared.contract.channel import Asked, Http, Media, Response
from shared.contract.errors import Malformed, SendFailed
from shared.contract.readable import readable
from shared.inbound import translate
from tests.channels.conformance.bench import CHANNELS, Bench, bench, having


def homes(on: Bench) -> set[tuple[str, str]]:
    """Scheme and host of what may see the token: where the settings say that the API is, and `file_hosts` of settings.json."""
    told = [value for value in vars(on.account).values() if isinstance(value, str) and "://" in value]
    urls = [*told, *(f"https://{host}" for host in on.told.get("file_hosts", ()))]
    return {(url.scheme, url.netloc) for url in map(urlsplit, urls)}


def traps(on: Bench) -> list[str]:
    """Addresses of an attacker, some of which look like the provider's."""
    trusted = sorted(host for _, host in homes(on)) or ["provider.example"]
    traps = ["http://169.254.169.254/latest/meta-data", "https://attacker.example/file", "//attacker.example/file"]
    for host in trusted:
        traps += [
            f"https://{host}.attacker.example/file",
            f"https://{host}@attacker.example/file",
            f"https://{host}:pass@attacker.example/file",
            f"https://attacker.example/{host}",
            f"https://attacker.example/?x=https://{host}/",
            f"https://attacker.example#{host}/",
            f"http://{host}:81/file",
        ]
    return traps


@pytest.mark.parametrize("name", having("fetch"))
def test_no_token_goes_to_an_address_that_a_stranger_chose(name):
    """Whatever is fetched elsewhere than at the provider is marked as a stranger's, and carries no secret."""
    on = bench(name)
    for trap in traps(on):
        for request in asked(on, trap):
            url = urlsplit(request.url)
            if (url.scheme, url.netloc) not in homes(on):
                assert request.stranger, f"{trap} is fetched as if the provider had chosen it: stranger=True"
                shown = f"{request.url} {request.headers} {request.body!r}"
                assert not any(secret in shown for secret in (*on.secrets(), on.told.get("token")) if secret), trap


def asked(on: Bench, handle: str) -> list[Http]:
    """All that is asked for a file of this name, the file itself last."""
    requests: list[Http] = []

    def given(request: Asked) -> Response:
        assert isinstance(request, Http)
        requests.append(request)
        return Response.of_json({})

    steps = CHANNELS[on.channel.name].fetch(on.account, Media(media="file", handle=handle), on.context)
    with suppress(Malformed, SendFailed), readable():
        requests.append(translate.answer(steps, given=given, outcome=on.channel.outcome).request)
    return requests
