"""The cases for clients, in the order of their numbers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..case import Cases

__all__ = ["client_cases"]

_MODULES = ("fetching", "deleting", "security", "quirky")


def client_cases() -> Cases[Any]:
    """Return all cases for clients."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
    from .run import CASES

    return CASES
