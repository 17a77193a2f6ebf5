"""What an answer says of when to try again, where a token may be shown, and how a file goes out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.contract.channel import Blob, Piece, Response, SendFailed, is_trusted
from shared.contract.envelope import Media, Part, Text

HOSTS = ("slack.com", ".slack.com")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), (" 0.25 ", 0.25), ("0", 0), ("9" * 400, 24 * 3600), *((bad, None) for bad in (
        "", "-1", "soon", "1e3", "NaN", "\u0661", "Fri, 31 Dec 1999 23:59:59 GMT"))],
)  # fmt: skip
def test_when_to_try_again_is_read_in_seconds_and_at_most_a_day(said: str, seconds: float | None) -> None:
    wait = Response(headers={"retry-after": said}).retry_after
    assert wait == (None if seconds is None else timedelta(seconds=seconds))
    assert Response().retry_after is None


@pytest.mark.parametrize(
    "url",
    [
        "https://slack.com/api",
        "https://files.slack.com/f",
        "https://FILES.slack.com/f",
        "http://127.0.0.1:9/f",
    ],
)
def test_a_token_goes_to_a_providers_hosts_and_to_where_the_api_is(url: str) -> None:
    assert is_trusted(url, "http://127.0.0.1:9/api", HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "http://slack.com/f",
        "https://slack.com.example/f",
        "https://evilslack.com/f",
        "https://a@files.slack.com/f",
        "https://files.slack.com@example.com/f",
        "https://files.slack.com:8443/f",
        "https://example.com\\.slack.com/f",
        "https://example.com\t.slack.com/f",
        "http://127.0.0.1:99/f",
        "https://127.0.0.1:9/f",
        "https://[slack.com/f",
        "",
    ],
)
def test_a_token_goes_nowhere_else(url: str) -> None:
    assert not is_trusted(url, "http://127.0.0.1:9/api", HOSTS)


def test_a_file_goes_out_by_what_it_is_called_and_only_where_it_is_stored() -> None:
    assert Blob.of(Media(media="file", blob="b", size=3)) == Blob("b", "application/octet-stream", "file", 3)
    with pytest.raises(SendFailed, match="not stored"):
        Blob.of(Media(media="file"))


@pytest.mark.parametrize(("part", "files"), [(Text(text="hello"), ["b"]), (Media(media="image", blob="a"), ["a", "b"])])
def test_the_files_of_a_piece_are_its_part_and_what_goes_along(part: Part, files: list[str]) -> None:
    piece = Piece(id="p/0", to="alice", part=part, attachments=(Media(media="file", blob="b"),))
    assert [file.blob for file in piece.files] == files
