"""What is generated in docs/ is what the code says today, and says all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.__main__ import app
from services.cli.docs import pages, records
from services.cli.docs.command import FOLDER, stale
from shared.contract import errors
from shared.contract.codes import CODES, STATUSES
from shared.contract.records import RECORDS, TOPICS
from shared.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MARKDOWN = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
)


def test_no_page_is_stale() -> None:
    assert sorted(stale(FOLDER)) == [], "run `parley docs` and commit what it writes"


def test_a_stale_page_is_found_and_written_again(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(app, ["docs", "--check", "--folder", str(tmp_path)]).exit_code == 2
    assert run.invoke(app, ["docs", "--folder", str(tmp_path)]).exit_code == 0
    (tmp_path / "records.md").write_text("old")
    (tmp_path / "schemas" / "gone.schema.json").write_text("{}")
    (tmp_path / "schemas" / "inbound.schema.json").unlink()
    assert set(stale(tmp_path)) == {"records.md", "schemas/gone.schema.json", "schemas/inbound.schema.json"}
    assert run.invoke(app, ["docs", "--folder", str(tmp_path)]).exit_code == 0
    assert stale(tmp_path) == {}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        (
            "records.md",
            [*(record.ce_type for record in RECORDS.values()), *STATUSES, *CODES, *(t.name for t in TOPICS)],
        ),
        ("settings.md", [f"PARLEY_{name.upper()}" for name in Settings.model_fields]),
        ("errors.md", [name for name, value in vars(errors).items() if pages.is_error(value)]),
        ("metrics.md", ["parley_ingress_requests_total", "parley_outbox_rows", "parley_webchat_sockets"]),
    ],
)
def test_a_page_names_everything_there_is(page: str, names: list[str]) -> None:
    text = pages.files()[page]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_status_and_code_is_explained() -> None:
    assert records.STATUS_MEANINGS.keys() == set(STATUSES)
    assert records.CODE_MEANINGS.keys() == set(CODES)


@pytest.mark.parametrize("page", pages.files())
def test_every_row_of_a_table_has_as_many_cells_as_its_head(page: str) -> None:
    width = None
    for line in pages.files()[page].splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert cells is None or width in {None, cells}, line
        width = cells


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(file: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", file.read_text())
    assert [link for link in links if not (file.parent / link).exists()] == []
