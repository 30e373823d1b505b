"""What a server's certificate says, whether it is trusted or not."""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from contextlib import suppress
from typing import Any

__all__ = ["certificate", "context_to_look"]

_DAY = 86_400


def context_to_look() -> ssl.SSLContext:
    """Return a context that accepts any certificate: to look at it, and never to log in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(tls: ssl.SSLObject) -> dict[str, Any]:
    """Return what the server's certificate says; ``None`` for what cannot be read."""
    found = _decoded(tls)
    names = [f"{kind}:{name}" for kind, name in found.get("subjectAltName", ())]
    return {
        "subject": _name(found.get("subject")),
        "names": names,
        "issuer": _name(found.get("issuer")),
        "not_before": _time(found.get("notBefore")),
        "not_after": _time(found.get("notAfter")),
        "days_left": _days_until(found.get("notAfter")),
    }


def _decoded(tls: ssl.SSLObject) -> dict[str, Any]:
    # An unreadable certificate is no reason not to show the rest.
    with suppress(ValueError, OSError):
        if verified := tls.getpeercert():
            return dict(verified)
        octets = tls.getpeercert(binary_form=True)
        if octets is not None:
            return _decoded_from_file(ssl.DER_cert_to_PEM_cert(octets))
    return {}


def _decoded_from_file(pem: str) -> dict[str, Any]:
    """Return what ``getpeercert()`` would return if the certificate were trusted."""
    import _ssl

    # The ssl module decodes a certificate for its callers only after it has verified it. This
    # function is there for the module's own tests; a Python without it shows less.
    decode = getattr(_ssl, "_test_decode_cert", None)
    if decode is None:
        return {}
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(pem)
        return dict(decode(path))
    finally:
        os.unlink(path)


def _name(parts: Any) -> str | None:
    """Return a distinguished name on one line."""
    if parts is None:
        return None
    return ", ".join(f"{kind}={text}" for part in parts for kind, text in part)


def _seconds(text: str | None) -> int | None:
    with suppress(ValueError):
        return None if text is None else ssl.cert_time_to_seconds(text)
    return None


def _time(text: str | None) -> str | None:
    seconds = _seconds(text)
    if seconds is None:
        return text
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _days_until(text: str | None) -> int | None:
    """Return the whole days until then, negative if it has passed."""
    seconds = _seconds(text)
    return None if seconds is None else int((seconds - time.time()) // _DAY)
