"""The cases for servers, in the order of their numbers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..case import Cases

__all__ = ["server_cases"]

_MODULES = (
    "framing",
    "arguments",
    "states",
    "transaction",
    "delivered",
    "unique_ids",
    "capabilities",
    "codes",
    "pipelining",
    "tls",
    "certificates",
    "auth",
    "mechanisms",
    "languages",
    "deletions",
    "endurance",
)


def server_cases() -> Cases[Any]:
    """Return all cases for servers."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
    from .run import CASES

    return CASES
