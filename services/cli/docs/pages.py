"""The generated pages of docs/, and the console's table: whatever is a table stands in the code, and is written from there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import orjson
from prometheus_client import REGISTRY
from pydantic import SecretStr

from services.cli.channels import CHANNELS, describe
from services.cli.docs import failures
from services.cli.docs.channels import channels_page
from services.cli.docs.facts import facts_page
from services.cli.docs.markdown import page, said, table
from services.cli.docs.matrix import console_matrix
from services.cli.docs.records import records_page
from services.router.api import TABLE, openapi
from shared.contract import errors, schema
from shared.contract.policy import Policy
from shared.runtime.settings import Settings


def files() -> dict[str, str]:
    """Every generated file: its path in the source tree, its text."""
    pages = {
        "records.md": records_page(),
        "settings.md": settings_page(),
        "metrics.md": metrics_page(),
        "errors.md": errors_page(),
        "channels.md": channels_page(),
        **{f"channels/facts/{name}.md": facts_page(channel, describe(channel)) for name, channel in CHANNELS.items()},
        "openapi.json": orjson.dumps(openapi.document(TABLE), option=orjson.OPT_INDENT_2).decode() + "\n",
        **{f"schemas/{name}": text for name, text in schema.files().items()},
    }
    return {
        **{f"docs/{name}": text for name, text in pages.items()},
        **failures.files(),
        "services/router/console/channels.json": console_matrix(CHANNELS),
    }


def settings_page() -> str:
    """settings.md: every environment variable."""
    rows = (
        (f"`PARLEY_{name.upper()}`", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return page(
        "Settings",
        "Every process reads the environment; accounts and their secrets have a file of their own (`PARLEY_ACCOUNTS`), "
        "which is read again when it changes. `parley doctor` looks whether all of it fits.",
        table(("variable", "default", "meaning"), rows),
        "## An account's policy",
        "What is done with an account's conversations stands in its table of the accounts file, "
        "`[accounts.CHANNEL.NAME.policy]`. A change is taken up at once: the adapter tells it on the account's state.",
        table(
            ("setting", "default", "meaning"),
            (
                (f"`{name}`", _default(field.default), field.description or "")
                for name, field in Policy.model_fields.items()
            ),
        ),
    )


def _default(value: Any) -> str:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return "(empty)" if plain in ("", {}) else f"`{plain}`"


def errors_page() -> str:
    """errors.md: every error, and what to do."""
    found = [value for value in vars(errors).values() if is_error(value)]
    rows = ((f"`{error.__name__}`", f"`{error.code}`", "yes" if error.retry else "no", said(error)) for error in found)
    return page(
        "Errors",
        "What can go wrong, in logs and dead letters (`dlq-error-class`). The code is also the metric label; what each "
        "code means stands in [records.md](records.md#codes). *Retry*: it passes by itself, and is tried again.",
        table(("error", "code", "retry", "what it says"), rows),
    )


def is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, errors.ParleyError) and value is not errors.ParleyError


def metrics_page() -> str:
    """metrics.md: every metric of ours."""
    import services
    import shared

    import_all(shared)
    import_all(services)
    return page(
        "Metrics",
        "Every service serves them at `/metrics`, beside those of the Python process itself.",
        table(("metric", "type", "labels", "meaning"), sorted(metrics())),
    )


def import_all(package: ModuleType) -> None:
    """Import every module below it, so that all metrics are registered; `__main__` would start a service."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)


def metrics() -> Iterator[tuple[str, ...]]:
    """Name, type, labels and meaning of each metric registered so far whose name is ours."""
    for collector in tuple(REGISTRY._collector_to_names):
        for family in getattr(collector, "describe", tuple)():
            if family.name.startswith("parley_"):
                name = family.name + ("_total" if family.type == "counter" else "")
                labels = ", ".join(f"`{label}`" for label in getattr(collector, "_labelnames", ()))
                yield f"`{name}`", family.type, labels or "–", family.documentation
