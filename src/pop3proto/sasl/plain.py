"""The mechanisms that just send a name or a password: PLAIN, LOGIN, EXTERNAL, ANONYMOUS."""

from __future__ import annotations

from collections.abc import Callable

from .._arguments import as_bytes
from ..errors import LocalProtocolError, SaslError
from ..model.grammar import has_control
from ..model.secret import Secret
from .saslprep import octets_of
from .users import Attempt, Authenticator, LoggedIn, Verdict, as_octets, as_text

__all__ = [
    "Anonymous",
    "External",
    "LoginMechanism",
    "Plain",
    "ServerAnonymous",
    "ServerExternal",
    "ServerLogin",
    "ServerPlain",
]

# RFC 4505 section 2.
_MAX_TRACE = 255


class _OneMessage:
    """A mechanism whose client sends only one message."""

    __slots__ = ("_message", "_sent")

    name: str
    shows_secret = False

    def __init__(self, message: Secret) -> None:
        self._message = message
        self._sent = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<secret>)"

    @property
    def complete(self) -> bool:
        """True if the message was handed out."""
        return self._sent

    def initial(self) -> bytes:
        """Return the message."""
        self._sent = True
        return self._message.octets()

    def respond(self, challenge: bytes) -> bytes:
        """Raise ``SaslError``: the mechanism has no challenges."""
        raise SaslError(f"the server sent a challenge, and {self.name} has none")


class Plain(_OneMessage):
    """PLAIN (RFC 4616): the password in the clear, so it needs TLS.

    ``user`` and ``password`` are prepared with SASLprep (RFC 4013) if they are ``str``; octets are
    sent as they are. ``authorization_id`` is the user to act as, if not ``user``. Raises
    ``LocalProtocolError`` for a control character, an empty name or password, and text that
    SASLprep forbids.
    """

    __slots__ = ()

    name = "PLAIN"
    shows_secret = True

    def __init__(
        self,
        user: str | bytes,
        password: str | bytes | Secret,
        *,
        authorization_id: str | bytes = "",
    ) -> None:
        password = Secret(password)
        identity = octets_of("the authorization identity", authorization_id, empty=True)
        name = octets_of("the user name", user, prepare=True)
        secret = Secret(octets_of("the password", password, prepare=True))
        super().__init__(Secret(b"%b\0%b\0%b" % (identity, name, secret.octets())))


class External(_OneMessage):
    """EXTERNAL (RFC 4422 appendix A): the server knows the client, for example by a certificate.

    ``authorization_id`` is the user to act as; if it is empty, the server decides from the
    certificate. Raises ``LocalProtocolError`` if it holds a control
    character.
    """

    __slots__ = ()

    name = "EXTERNAL"

    def __init__(self, authorization_id: str | bytes = "") -> None:
        identity = octets_of("the authorization identity", authorization_id, empty=True)
        super().__init__(Secret(identity))

    def __repr__(self) -> str:
        return f"External({self._message.octets()!r})"


class Anonymous(_OneMessage):
    """ANONYMOUS (RFC 4505): log in as a guest, perhaps with an email address or another trace.

    ``trace`` is an email address, or at most 255 characters without ``@``. Raises
    ``LocalProtocolError`` for any other text, for control characters, and for other characters that
    the ``trace`` profile of section 3 prohibits.
    """

    __slots__ = ()

    name = "ANONYMOUS"

    def __init__(self, trace: str | bytes = "") -> None:
        problem = _trace_problem(trace)
        if problem is not None:
            raise LocalProtocolError(problem)
        super().__init__(Secret(trace))

    def __repr__(self) -> str:
        return f"Anonymous({self._message.octets()!r})"


def _trace_problem(trace: object) -> str | None:
    """Return why ``trace`` is not what RFC 4505 sections 2 and 3 allow, or ``None``."""
    if not isinstance(trace, str | bytes):
        return f"the trace must be str or bytes, not {type(trace).__name__}"
    trace = as_text(trace)
    local_part, at, domain = trace.rpartition("@")
    if at and not (local_part and domain):
        return "the trace is neither an email address nor free of @"
    if not at and len(trace) > _MAX_TRACE:
        return f"the trace is longer than {_MAX_TRACE} characters"
    if _prohibited(trace):
        return "the trace holds a character that RFC 4505 prohibits"
    return None


def _prohibited(trace: str) -> bool:
    if trace.isascii():
        return not trace.isprintable()
    import stringprep

    # Section 3: these are fewer than SASLprep prohibits, and nothing is mapped.
    tables = (
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if any(table(character) for character in trace for table in tables):
        return True
    # RFC 3454 section 6: text from right to left holds no other letters, and begins and ends with
    # such a letter.
    rightward = [stringprep.in_table_d1(character) for character in trace]
    leftward = any(map(stringprep.in_table_d2, trace))
    return any(rightward) and (leftward or not (rightward[0] and rightward[-1]))


class LoginMechanism:
    """LOGIN: name and password in the clear after two prompts; never standardized; see ``Plain``.

    The prompts are not interpreted: the first one gets ``user``, the second one ``password``.
    Raises ``LocalProtocolError`` for a control character and an empty user name.
    """

    __slots__ = ("_answers",)

    name = "LOGIN"
    shows_secret = True

    def __init__(self, user: str | bytes, password: str | bytes | Secret) -> None:
        password = Secret(password)
        secret = Secret(octets_of("the password", password, empty=True))
        self._answers = [secret, Secret(octets_of("the user name", user))]

    def __repr__(self) -> str:
        return "LoginMechanism(<secret>)"

    @property
    def complete(self) -> bool:
        """True if both answers were handed out."""
        return not self._answers

    def initial(self) -> None:
        """Return nothing: the server has to prompt."""

    def respond(self, challenge: bytes) -> bytes:
        """Return the user name, then the password; raise ``SaslError`` when asked for more."""
        if not self._answers:
            raise SaslError("the server prompts for more than a name and a password")
        return self._answers.pop().octets()


class ServerPlain:
    """PLAIN (RFC 4616), the server's side. Users can only act as themselves."""

    name = "PLAIN"
    shows_password = True

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def begin(self) -> Attempt:
        """Begin an attempt."""
        return self

    def respond(self, data: bytes | None) -> Verdict:
        """Return an empty challenge if there is no response yet, else the verdict."""
        if data is None:
            return b""
        data = as_bytes("data", data)
        # RFC 4616 section 2: [authzid] NUL authcid NUL passwd.
        parts = data.split(b"\0")
        if len(parts) != 3 or not parts[1] or parts[0] not in (b"", parts[1]):
            return None
        if has_control(parts[1]) or has_control(parts[2]):
            return None
        user = as_text(parts[1])
        return LoggedIn(user) if self._authenticator.check(user, as_text(parts[2])) else None


class ServerLogin:
    """LOGIN, the server's side: name and password in the clear, each after a prompt."""

    name = "LOGIN"
    shows_password = True

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def begin(self) -> Attempt:
        """Begin an attempt."""
        return _LoginAttempt(self._authenticator)


class _LoginAttempt:
    __slots__ = ("_authenticator", "_over", "_user")

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._user: str | None = None
        self._over = False

    def respond(self, data: bytes | None) -> Verdict:
        """Return the two prompts, then the verdict. Some clients send the name with AUTH."""
        if self._over:
            return None
        if data is None:
            return b"Username:"
        if self._user is None:
            self._user = as_text(data)
            return b"Password:"
        self._over = True
        # The authenticator is not asked about octets that names and passwords cannot hold.
        if not self._user or has_control(as_octets(self._user)) or has_control(data):
            return None
        known = self._authenticator.check(self._user, as_text(data))
        return LoggedIn(self._user) if known else None


class ServerExternal:
    """EXTERNAL (RFC 4422 appendix A): the client has proved who it is by other means.

    ``identity`` is the user that the client has proved to be, for example by its TLS certificate.
    It is empty if the client has proved nothing; then no login succeeds. Users can only act as
    themselves.
    """

    name = "EXTERNAL"
    shows_password = False

    def __init__(self, identity: str) -> None:
        self._identity = identity

    def begin(self) -> Attempt:
        """Begin an attempt."""
        return self

    def respond(self, data: bytes | None) -> Verdict:
        """Return an empty challenge if there is no response yet, else the verdict."""
        if data is None:
            return b""
        itself = as_text(data) in ("", self._identity)
        return LoggedIn(self._identity) if itself and self._identity else None


class ServerAnonymous:
    """ANONYMOUS (RFC 4505): lets everybody into the maildrop of ``user``.

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
        """Begin an attempt."""
        return self

    def respond(self, data: bytes | None) -> Verdict:
        """Return an empty challenge if there is no response yet, else the verdict."""
        if data is None:
            return b""
        if _trace_problem(data) is not None:
            return None
        if data and self._on_trace is not None:
            self._on_trace(as_text(data))
        return LoggedIn(self._user)
