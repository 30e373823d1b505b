"""Base64 as AUTH writes it (RFC 5034 section 4, RFC 4648 section 4)."""

from __future__ import annotations

from binascii import Error, a2b_base64

__all__ = ["decode_base64"]


def decode_base64(text: bytes) -> bytes | None:
    """What ``text`` encodes, or ``None`` if it is no base64 to the letter."""
    try:
        data = a2b_base64(text, strict_mode=True)
    except Error:
        return None
    # The strict mode of Python 3.11 lets padding pass that nothing needs.
    return data if len(data) == len(text) // 4 * 3 - text[-2:].count(b"=") else None
