"""A server that misbehaves on purpose, in every way that real servers do."""

from .names import Quirk
from .server import QuirkyServer

__all__ = ["Quirk", "QuirkyServer"]
