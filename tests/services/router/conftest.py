"""The house of the promises, for the router's own tests too."""

from tests.promises.conftest import house

__all__ = ["house"]
