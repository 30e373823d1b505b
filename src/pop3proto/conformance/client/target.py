"""The program that is tested."""

from __future__ import annotations

from ..._arguments import listed, require, require_seconds
from ..._value import value
from ...errors import LocalProtocolError
from ...transports import Security

__all__ = ["PLACEHOLDERS", "ClientTarget"]

PLACEHOLDERS: tuple[str, ...] = (
    "host",
    "port",
    "user",
    "password",
    "output",
    "url",
    "ca",
    "security",
)
"""What is replaced in the command where it stands in braces, such as ``{port}``."""


@value
class ClientTarget:
    """A command that fetches mail into a folder, and how it connects.

    Raises ``LocalProtocolError`` for an empty command, a time-out that is not a number of seconds,
    and a command that does not say where to connect.
    """

    command: tuple[str, ...]
    """The program and its arguments, with ``PLACEHOLDERS``. The same texts are in the environment:
    ``POP3_HOST``, ``POP3_PORT`` and so on."""
    security: Security = Security.TLS
    """How the program connects."""
    deletes: bool = False
    """True if it is to delete what it has stored."""
    timeout: float = 30.0
    """The seconds after which it is ended."""

    def __post_init__(self) -> None:
        command = tuple(listed("command is a program and its arguments", self.command, str))
        require_seconds("timeout", self.timeout, zero=False)
        if not command or not command[0]:
            raise LocalProtocolError("command is empty")
        require("deletes", self.deletes, bool, "True or False")
        object.__setattr__(self, "command", command)
        object.__setattr__(self, "security", Security.of(self.security))
