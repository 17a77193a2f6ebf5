"""What is generated in docs/ is what the code says today, and says all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.channels import CHANNELS
from services.cli.docs import matrix, pages, records
from services.cli.docs.command import FOLDER, stale
from shared.contract import errors
from shared.contract.codes import CODES, STATUSES
from shared.contract.records import RECORDS, TOPICS
from shared.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MARKDOWN = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
)
FILES = pages.files()


def test_no_page_is_stale() -> None:
    assert sorted(stale(FOLDER)) == [], "run `parley docs` and commit what it writes"


def test_a_stale_page_is_found_and_written_again(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(app, ["docs", "--check", "--folder", str(tmp_path)]).exit_code == 2
    assert run.invoke(app, ["docs", "--folder", str(tmp_path)]).exit_code == 0
    (tmp_path / "docs/records.md").write_text("old")
    (tmp_path / "docs/schemas" / "gone.schema.json").write_text("{}")
    (tmp_path / "docs/schemas" / "inbound.schema.json").unlink()
    assert set(stale(tmp_path)) == {
        "docs/records.md",
        "docs/schemas/gone.schema.json",
        "docs/schemas/inbound.schema.json",
    }
    assert run.invoke(app, ["docs", "--folder", str(tmp_path)]).exit_code == 0
    assert stale(tmp_path) == {}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        (
            "docs/records.md",
            [*(record.ce_type for record in RECORDS.values()), *STATUSES, *CODES, *(t.name for t in TOPICS)],
        ),
        ("docs/settings.md", [f"PARLEY_{name.upper()}" for name in Settings.model_fields]),
        ("docs/errors.md", [name for name, value in vars(errors).items() if pages.is_error(value)]),
        ("docs/metrics.md", ["parley_ingress_requests_total", "parley_outbox_rows", "parley_webchat_sockets"]),
    ],
)
def test_a_page_names_everything_there_is(page: str, names: list[str]) -> None:
    text = FILES[page]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_status_and_code_is_explained() -> None:
    assert records.STATUS_MEANINGS.keys() == set(STATUSES)
    assert records.CODE_MEANINGS.keys() == set(CODES)


def test_the_matrix_claims_nothing_that_no_sample_and_no_test_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its samples a channel has said what it can do, and shown nothing."""
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for ways in matrix.TESTS.values() for features in ways.values() for name in features.values()}
    assert [name for name in named if f"def {name}(" not in tests] == []
    shown = {one["name"]: one for one in matrix.matrix(CHANNELS)}["telegram"]
    assert (shown["in"]["text"], shown["in"]["call"], shown["out"]["react"]) == ("shown", "", "shown")
    monkeypatch.setattr(matrix, "samples", lambda _channel: ())
    claimed = {one["name"]: one for one in matrix.matrix(CHANNELS)}["telegram"]
    assert (claimed["in"]["text"], claimed["out"]["react"], claimed["out"]["template"]) == ("", "said", "")


@pytest.mark.parametrize("page", FILES)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(page: str) -> None:
    width = None
    for line in FILES[page].splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert cells is None or width in {None, cells}, line
        width = cells


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(file: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", file.read_text())
    assert [link for link in links if not (file.parent / link).exists()] == []
