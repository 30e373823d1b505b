"""The rule that no secret is shown to the network without TLS (RFC 8314 section 3).

``Login`` follows it for each of its ways to log in, and the client for each command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine.client import ClientConnection
from ..errors import PlaintextAuthError
from ..model.command import Command
from ..model.login_commands import Auth, Pass
from .registry import SHOWS_SECRET, shows_secret

if TYPE_CHECKING:
    from .mechanism import Mechanism

__all__ = ["may_show", "refuse_plaintext"]


def may_show(engine: ClientConnection, *, allowed: bool) -> bool:
    """Return whether a secret may be shown: under TLS, or if the caller has ``allowed`` it."""
    return engine.secure or allowed


def refuse_plaintext(
    command: Command[Any],
    engine: ClientConnection,
    *,
    allowed: bool,
    mechanism: Mechanism | None = None,
) -> None:
    """Raise ``PlaintextAuthError`` if ``command`` would show a secret to the network.

    PASS does, and so does AUTH with a mechanism that shows its secret. If ``mechanism`` is given,
    it says so itself; otherwise the name in the command decides.
    """
    if may_show(engine, allowed=allowed):
        return
    hint = PlaintextAuthError.hint
    if isinstance(command, Auth):
        if not shows_secret(command.mechanism if mechanism is None else mechanism):
            return
        if mechanism is not None and command.mechanism not in SHOWS_SECRET:
            hint += "; a mechanism that does not show its secret has shows_secret = False"
    elif not isinstance(command, Pass):
        return
    raise PlaintextAuthError(
        "this login would show the secret to the network", command=command, hint=hint
    )
