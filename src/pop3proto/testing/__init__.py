"""Servers to test clients against. ``serve()`` runs one for the length of a ``with`` block."""

from ._server import LoopbackServer, serve

__all__ = ["LoopbackServer", "serve"]
