"""LOGIN, ANONYMOUS and EXTERNAL, the server's side; PLAIN is where USER and PASS are."""

from __future__ import annotations

from collections.abc import Callable

from .plain import trace_problem
from .users import Attempt, Authenticator, LoggedIn, Verdict, as_text

__all__ = ["ServerAnonymous", "ServerExternal", "ServerLogin"]


class ServerLogin:
    """LOGIN: name and password in the clear, each on a prompt; never standardized."""

    name = "LOGIN"
    shows_password = True

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def begin(self) -> Attempt:
        """Begin an exchange."""
        return _Login(self._authenticator)


class _Login:
    __slots__ = ("_authenticator", "_over", "_user")

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._user: str | None = None
        self._over = False

    def respond(self, data: bytes | None) -> Verdict:
        """The two prompts, then the outcome. Some clients send the name with the command."""
        if self._over:
            return None
        if data is None:
            return b"Username:"
        if self._user is None:
            self._user = as_text(data)
            return b"Password:"
        self._over = True
        # What no name and no password holds is not shown to the authenticator.
        if not self._user or "\0" in self._user or b"\0" in data:
            return None
        known = self._authenticator.check(self._user, as_text(data))
        return LoggedIn(self._user) if known else None


class ServerExternal:
    """EXTERNAL (RFC 4422 appendix A): the client has proved who it is by other means.

    ``identity`` is the user that the caller knows the client to be, as by its TLS certificate;
    empty if it proved nothing, and then no login succeeds. A user can only act as that user.
    """

    name = "EXTERNAL"
    shows_password = False

    def __init__(self, identity: str) -> None:
        self._identity = identity

    def begin(self) -> Attempt:
        """Begin an exchange."""
        return self

    def respond(self, data: bytes | None) -> Verdict:
        """An empty challenge if there is no response yet, else the outcome."""
        if data is None:
            return b""
        itself = as_text(data) in ("", self._identity)
        return LoggedIn(self._identity) if itself and self._identity else None


class ServerAnonymous:
    """ANONYMOUS (RFC 4505): everybody is let in, to the maildrop of ``user``.

    ``on_trace`` is called with what the client says about itself, if that is not empty: an email
    address or any other text, which nobody has proved. It is free of control characters.
    """

    name = "ANONYMOUS"
    shows_password = False

    def __init__(
        self, user: str = "anonymous", *, on_trace: Callable[[str], object] | None = None
    ) -> None:
        self._user = user
        self._on_trace = on_trace

    def begin(self) -> Attempt:
        """Begin an exchange."""
        return self

    def respond(self, data: bytes | None) -> Verdict:
        """An empty challenge if there is no response yet, else the outcome."""
        if data is None:
            return b""
        if trace_problem(data) is not None:
            return None
        if data and self._on_trace is not None:
            self._on_trace(as_text(data))
        return LoggedIn(self._user)
