"""A server that is right but for one thing, so that one case has to fail for it."""

from __future__ import annotations

import re
import ssl
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple
from unittest.mock import patch

from pop3proto.client.tls import TlsPipe
from pop3proto.conformance import ServerTarget
from pop3proto.conformance.server.facts import Facts, look
from pop3proto.conformance.server.mail import Mail
from pop3proto.conformance.server.run import ServerRun
from pop3proto.model.leniency import Leniency
from pop3proto.model.limits import Limits
from pop3proto.model.replies import MessageData, MessageStart
from pop3proto.model.secret import Secret
from pop3proto.sasl.server import (
    ChannelBinding,
    Passwords,
    ServerOAuthBearer,
    ServerXOAuth2,
    password_mechanisms,
)
from pop3proto.server import MemoryMaildrops, ServerOptions, ServerSession
from pop3proto.server.actions import Action, Close, Send
from pop3proto.server.hooks import Hooks
from pop3proto.testing.certificates import tls_for
from pop3proto.testing.loopback import LoopbackServer
from pop3proto.testing.sessions import Sessions
from pop3proto.transports import Security

USER, PASSWORD = "user", "pa55word"
USERS = {USER: PASSWORD}
MESSAGES = [
    b"Subject: %d\r\n\r\nfirst\r\nsecond\r\nthird %s\r\n" % (n, b"x" * n) for n in range(1, 5)
]
GREETING = "the greeting"


class Moment(NamedTuple):
    """An answer that can be changed, and what was before it."""

    line: bytes
    octets: bytes
    """The right answer."""
    earlier: list[bytes]
    """The lines of this session before this one."""
    before: list[bytes]
    """The lines of all sessions before this one."""

    @property
    def refused(self) -> bool:
        return self.octets.startswith(b"-")


# What it binds to does not matter to a client that does not bind.
BINDINGS = [ChannelBinding("tls-exporter", b"x" * 32)]


class NoTokens:
    """Knows no access token."""

    def check_token(self, user: str, token: str) -> bool:
        return False


Answer = bytes | None | Callable[[Moment], bytes]
"""What is answered instead: octets, nothing but the end, or what a function returns."""


class Fault(NamedTuple):
    """What is wrong with a server."""

    answers: tuple[tuple[str, Answer], ...] = ()
    """Patterns of whole lines, or ``GREETING``, and the answers to them."""
    arrives: Callable[[bytes], bytes | None] = lambda data: data
    """Changes what arrives; ``None`` closes."""
    under_tls: bytes = b""
    """What is said under TLS before anybody asks."""
    security: Security = Security.PLAINTEXT
    options: ServerOptions = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)
    old_tls: bool = False
    """True if TLS 1.1 is accepted."""
    login: str = "USER"
    """How the cases log in."""
    idle: float = 60.0
    """Seconds after which the server closes."""
    messages: int = len(MESSAGES)
    context: Callable[[], ssl.SSLContext] | None = None
    """Makes the TLS context of the server, if it is another one."""
    greets_in_the_clear: bool = False
    """True if there is no TLS where it is expected."""
    ends_without_a_word: bool = False
    """True if the end of TLS is not told."""
    bound: bool = False
    """True if SCRAM is offered with channel binding."""

    def right(self) -> Fault:
        """Return the same server without the fault."""
        return Fault(
            security=self.security, options=self.options, login=self.login, bound=self.bound
        )


def on(*answers: Any, **rest: Any) -> Fault:
    """Patterns and answers in turn."""
    pairs = tuple(zip(answers[::2], answers[1::2], strict=True))
    return Fault(pairs, **rest)


class Faulty(Hooks):
    """Makes one session wrong."""

    def __init__(self, fault: Fault, history: list[bytes]) -> None:
        self._fault = fault
        self._lines: deque[bytes] = deque()
        self._line: bytes | None = None
        self._earlier: list[bytes] = []
        self._before = history
        self._began = len(history)
        self._parts = b""
        self._said = False

    def arrived(self, session: ServerSession, data: bytes) -> bytes | None:
        taken = self._fault.arrives(data)
        if taken is not None:
            self._lines.extend(line.rstrip(b"\r") for line in taken.split(b"\n")[:-1])
        return taken

    def received(self, session: ServerSession, event: object) -> None:
        if self._line is not None:
            self._earlier.append(self._line)
        self._line = self._lines.popleft() if self._lines else b""
        self._before.append(self._line)

    def _answer(self) -> Answer | bool:
        for pattern, answer in self._fault.answers:
            if self._line is None:
                if pattern == GREETING:
                    return answer
            elif pattern != GREETING and re.fullmatch(pattern.encode("latin-1"), self._line, re.S):
                return answer
        return True

    def sending(self, session: ServerSession, reply: object, data: bytes) -> Iterable[Action]:
        answer = self._answer()
        if isinstance(answer, bool):
            return (Send(data),)
        self._parts += data
        if isinstance(reply, MessageStart | MessageData):
            return ()
        whole, self._parts = self._parts, b""
        if answer is None:
            return (Close(),)
        if callable(answer):
            before = self._before[: self._began]
            answer = answer(Moment(self._line or b"", whole, self._earlier, before))
        return (Send(answer),) if answer else ()

    def waiting(self, session: ServerSession) -> Iterable[Action]:
        if self._fault.under_tls and session.secure and not self._said:
            self._said = True
            return (Send(self._fault.under_tls),)
        return ()


class FaultySessions(Sessions):
    """Makes sessions that are all wrong in the same way."""

    def __init__(self, maildrops: MemoryMaildrops, fault: Fault) -> None:
        super().__init__(
            maildrops,
            password=None,
            users=USERS,
            security=fault.security,
            options=fault.options,
            mechanisms=(
                *password_mechanisms(
                    Passwords(USERS),
                    host="localhost",
                    channel_bindings=BINDINGS if fault.bound else [],
                ),
                ServerOAuthBearer(NoTokens()),
                ServerXOAuth2(NoTokens()),
            ),
            limits=Limits(),
            leniency=Leniency(),
        )
        self._fault = fault
        self._history: list[bytes] = []

    def _hooks(self) -> Hooks:
        # Its base class asks once before there is a fault.
        fault = getattr(self, "_fault", None)
        return Hooks() if fault is None else Faulty(fault, self._history)


class IntoMemory:
    """Delivers into a maildrop in memory."""

    exact = True

    def __init__(self, maildrops: MemoryMaildrops) -> None:
        self._maildrops = maildrops

    def deliver(self, message: bytes) -> None:
        self._maildrops.add(USER, message)


class Subject:
    """A running server, and what it takes to run a case against it."""

    def __init__(self, server: LoopbackServer, target: ServerTarget, facts: Facts) -> None:
        self.server = server
        self.target = target
        self.facts = facts
        self.mail = Mail(target.deliver)

    def run(self) -> ServerRun:
        return ServerRun(self.target, self.facts, self.mail)


_facts: dict[tuple[object, ...], Facts] = {}
_authority, _context = tls_for(Security.TLS, None)


def old_context() -> ssl.SSLContext:
    """A server's context that accepts TLS 1.1."""
    import warnings

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert _authority is not None
    _authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def server_context(fault: Fault) -> ssl.SSLContext | None:
    """The context of a server with a fault."""
    if fault.context is not None:
        return fault.context()
    return old_context() if fault.old_tls else _context


def certified(*names: str, ends: int = 1, told: bool = True, own: bool = False) -> ssl.SSLContext:
    """A server's context with a certificate that is wrong, or issued by way of another one.

    ``ends`` is the number of days in which it ends, ``told`` says if the certificate between it and
    the authority is sent, and ``own`` if nobody else's authority has issued it.
    """
    import datetime

    import trustme

    assert _authority is not None
    between = trustme.CA() if own else _authority.create_child_ca()
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=ends)
    begin = end - datetime.timedelta(days=2)
    issued = between.issue_cert(*names, not_before=begin, not_after=end)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with ExitStack() as stack:
        chain = issued.cert_chain_pems if told else issued.cert_chain_pems[:1]
        sent = trustme.Blob(b"".join(blob.bytes() for blob in chain))
        key = issued.private_key_pem
        context.load_cert_chain(*(stack.enter_context(blob.tempfile()) for blob in (sent, key)))
    return context


@contextmanager
def _running(
    fault: Fault, **more: Any
) -> Generator[tuple[LoopbackServer, ServerTarget], None, None]:
    maildrops = MemoryMaildrops({USER: MESSAGES[: fault.messages]})
    clear = fault.security is Security.PLAINTEXT
    served = Security.PLAINTEXT if fault.greets_in_the_clear else fault.security
    server = LoopbackServer(
        FaultySessions(maildrops, fault._replace(security=served)),
        security=served,
        tls_context=None if served is Security.PLAINTEXT else server_context(fault),
        certificate_authority=None if clear else _authority,
        idle_timeout=fault.idle,
    )
    target = ServerTarget(
        host=server.host,
        port=server.port,
        security=fault.security,
        user=USER,
        secret=Secret(PASSWORD),
        ssl_context=None if clear else server.client_context(),
        allow_plaintext_auth=True,
        **{
            "timeout": 5.0,
            "destructive": True,
            "slow": True,
            "deliver": IntoMemory(maildrops),
            **more,
        },
    )
    try:
        yield server, target
    finally:
        server.close()
        with suppress(IndexError):
            raise server.errors[0]


@contextmanager
def subject(fault: Fault, **more: Any) -> Generator[Subject, None, None]:
    """Run a server with ``fault``; the facts are those that a server without it has."""
    right = fault.right()
    key = (right.security, right.options, right.login, right.bound)
    if key not in _facts:
        with _running(right) as (_, target):
            facts = look(target)
            _facts[key] = Facts(
                facts.greeting, facts.clear, facts.before, facts.after, fault.login, facts.tls, 4
            )
    with ExitStack() as stack:
        if fault.ends_without_a_word:
            stack.enter_context(patch.object(TlsPipe, "close", lambda pipe: b""))
        server, target = stack.enter_context(_running(fault, **more))
        yield Subject(server, target, _facts[key])
