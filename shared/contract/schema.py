"""JSON Schema (2020-12) of every record type, for readers and writers that are not written in Python."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from shared.contract.records import RECORDS

SUFFIX: Final = ".schema.json"


def urn(name: str) -> str:
    """What `ce_dataschema` calls the schema of a record type."""
    return f"urn:parley:schema:{name}:v1"


def schema(name: str) -> dict[str, Any]:
    """The schema of the value of one record type, a key of RECORDS.

    It says what a writer must give: whatever has a default may be absent, since values are written without what is
    empty and older records lack newer fields. Fields that it does not name are allowed: v1 only grows.
    """
    record = RECORDS[name]
    made = record.model.model_json_schema(mode="validation", schema_generator=_Generator)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": urn(name),
        **made,
        "title": name,
    }


class _Generator(GenerateJsonSchema):
    """Without the titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def files() -> dict[str, str]:
    """Every schema as a file: its name, its text."""
    return {f"{name}{SUFFIX}": json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n" for name in RECORDS}
