"""What a server may do to a client that logs in, and what that does instead, on every runtime."""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pop3proto import Auth, AuthenticationError, LocalProtocolError, LoginError, Pop3Error
from pop3proto.errors import (
    CredentialsError,
    DeadConnectionError,
    LimitError,
    MechanismError,
    PlaintextAuthError,
    SaslError,
    ServerVerificationError,
)
from pop3proto.sasl.server import ServerMechanism
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from pop3proto.transports import Security
from tests.client.test_channel_binding import Certified
from tests.runtimes import Flow, runtime
from tests.security.hostile import GREETING, HOST, Answer, Peer, hostile
from tests.tracebacks import shown

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
SECRET = "pa55word"
NO = b"-ERR no\r\n"
TLS, PLAIN = Security.TLS, Security.PLAINTEXT


def offering(*mechanisms: str) -> bytes:
    return b"+OK\r\nUSER\r\nSASL %s\r\n.\r\n" % " ".join(mechanisms).encode()


def failing_login(
    on: On,
    answers: Mapping[bytes, Answer],
    error: type[Pop3Error],
    match: str | None = None,
    *,
    mode: Security = TLS,
    greeting: bytes = GREETING,
    usable: bool = True,
    **how: Any,
) -> list[bytes]:
    """``login()`` has to fail; what the server has received since it was asked what it offers."""

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(error, match=match) as caught:
            await client.login("user", SECRET, **how)
        assert type(caught.value) is error
        assert caught.value.session_usable is usable
        assert SECRET not in shown(caught.value)
        if usable:
            await client.quit()
        else:
            with pytest.raises(DeadConnectionError):
                await client.noop()

    with hostile(mode, answers, greeting=greeting) as server:
        on(flow)
    lines = server.secret if mode is TLS else server.clear
    return [line for line in lines if line not in (b"CAPA", b"QUIT")]


# A mechanism downgrade


@runtime
@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (["LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"], b"SCRAM-SHA-256"),
        (["PLAIN", "CRAM-MD5", "SCRAM-SHA-1"], b"SCRAM-SHA-1"),
        (["PLAIN", "DIGEST-MD5", "LOGIN", "CRAM-MD5"], b"CRAM-MD5"),
    ],
)
def test_the_strongest_is_taken_and_nothing_weaker_behind_it(
    on: On, offered: list[str], taken: bytes
) -> None:
    answers: dict[bytes, Answer] = {b"CAPA": offering(*offered), b"AUTH": NO}
    lines = failing_login(on, answers, AuthenticationError)
    tried = [line.split(b" ")[1] for line in lines]
    assert tried[0] == taken
    # Others of the same strength may follow, but none that gives more away.
    assert not set(tried) & {b"PLAIN", b"LOGIN"}
    assert not any(line.startswith((b"USER", b"PASS", b"APOP")) for line in lines)
    assert b64encode(b"\0user\0" + SECRET.encode()) not in b" ".join(lines)


@runtime
def test_a_weaker_one_only_if_the_caller_lists_it(on: On) -> None:
    answers: dict[bytes, Answer] = {b"CAPA": offering("PLAIN", "CRAM-MD5"), b"AUTH": NO}
    names = ["CRAM-MD5", "PLAIN"]
    lines = failing_login(on, answers, AuthenticationError, mechanisms=names)
    assert [line.split(b" ")[1] for line in lines] == [b"CRAM-MD5", b"PLAIN"]


@runtime
def test_a_wrong_password_is_tried_once(on: On) -> None:
    answers: dict[bytes, Answer] = {
        b"CAPA": offering("PLAIN", "LOGIN", "CRAM-MD5"),
        b"AUTH": b"-ERR [AUTH] no\r\n",
    }
    names = ["CRAM-MD5", "PLAIN", "USER"]
    lines = failing_login(on, answers, CredentialsError, mechanisms=names)
    assert lines == [b"AUTH CRAM-MD5"]


# APOP


@runtime
@pytest.mark.parametrize(
    "stamp",
    [
        b"",
        b"<no-at-sign>",
        b"<a\xff@example.org>",
        b"<a b@example.org>",
        b"<a@>",
        b"<@example.org>",
    ],
)
def test_a_timestamp_that_is_no_msg_id(on: On, stamp: bytes) -> None:
    lines = failing_login(
        on,
        {},
        LocalProtocolError,
        "timestamp",
        greeting=b"+OK ready %s\r\n" % stamp,
        mechanisms=["APOP"],
    )
    assert lines == []


@runtime
@pytest.mark.parametrize("mode", [TLS, PLAIN])
def test_apop_is_never_chosen_for_the_caller(on: On, mode: Security) -> None:
    answers: dict[bytes, Answer] = {b"CAPA": offering(), b"USER": NO, b"AUTH": NO}
    greeting = b"+OK ready <1.2@example.org>\r\n"
    lines = failing_login(on, answers, AuthenticationError, mode=mode, greeting=greeting)
    assert lines == [b"USER user"]


# SCRAM


@dataclass(frozen=True)
class Scram:
    """The server of SCRAM-SHA-256 (RFC 5802 section 5), written once more, to go wrong."""

    nonce: bytes = b"%s0123456789"
    iterations: bytes = b"4096"
    before: bytes = b""
    proves: bool = True
    knows: bytes = SECRET.encode()
    ends_after: int = 3

    def __call__(self, peer: Peer) -> None:
        header, _, first = b64decode(peer.asked.split(b" ")[2]).partition(b",,")
        ours = first.split(b"r=")[1]
        salt = b64encode(b"salt")
        nonce = self.nonce % ours if b"%s" in self.nonce else self.nonce
        challenge = self.before + b"r=%s,s=%s,i=%s" % (nonce, salt, self.iterations)
        if self.ends_after < 2:
            peer.say(b"+OK\r\n")
            return
        peer.say(b"+ " + b64encode(challenge) + b"\r\n")
        answer = peer.line()
        if answer == b"*":
            peer.say(b"-ERR cancelled\r\n")
            return
        final = b64decode(answer)
        assert final.startswith(b"c=" + b64encode(header + b",,"))
        if self.ends_after < 3:
            peer.say(b"+OK\r\n")
            return
        salted = hashlib.pbkdf2_hmac("sha256", self.knows, b"salt", int(self.iterations))
        key = hmac.digest(salted, b"Server Key", "sha256")
        without_proof = final.rpartition(b",p=")[0]
        signature = hmac.digest(key, b",".join([first, challenge, without_proof]), "sha256")
        peer.say(b"+ " + b64encode(b"v=" + b64encode(signature)) + b"\r\n")
        peer.say(b"+OK\r\n" if peer.line() == b"" else b"-ERR cancelled\r\n")


def scram(how: Scram) -> dict[bytes, Answer]:
    return {b"CAPA": offering("SCRAM-SHA-256"), b"AUTH": how}


@runtime
@pytest.mark.parametrize("mode", list(Security))
def test_a_server_that_proves_itself(on: On, mode: Security) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        assert (await client.login("user", SECRET)).mechanism == "SCRAM-SHA-256"
        await client.quit()

    with hostile(mode, scram(Scram())) as server:
        on(flow)


@runtime
@pytest.mark.parametrize(
    ("how", "error", "match"),
    [
        (Scram(nonce=b"another"), SaslError, "nonce"),
        (Scram(nonce=b"%s"), SaslError, "nonce"),
        (Scram(iterations=b"4095"), SaslError, "iterations"),
        (Scram(iterations=b"1000001"), SaslError, "iterations"),
        (Scram(iterations=b"9" * 5000), SaslError, "iterations"),
        (Scram(iterations=b"-4096"), SaslError, "iterations"),
        (Scram(before=b"m=mandatory,"), SaslError, "m=mandatory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_challenges_of_scram_that_are_refused(
    on: On, how: Scram, error: type[Pop3Error], match: str
) -> None:
    # Nothing is computed from them: the client answers "*" and nothing else.
    lines = failing_login(on, scram(how), error, match, mechanisms=["SCRAM-SHA-256"])
    assert len(lines) == 1


@runtime
@pytest.mark.parametrize(
    ("how", "match"),
    [
        (Scram(knows=b"another"), "signature|password"),
        (Scram(ends_after=2), "proved"),
        (Scram(ends_after=1), "proved"),
    ],
)
def test_a_server_that_does_not_prove_itself(on: On, how: Scram, match: str) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(LoginError, match=match) as caught:
            await client.login("user", SECRET)
        assert isinstance(caught.value, ServerVerificationError)
        assert SECRET not in shown(caught.value)
        assert not caught.value.session_usable
        assert client.closed

    with hostile(TLS, scram(how)) as server:
        on(flow)
    # And no weaker mechanism behind it.
    assert [line[:4] for line in server.secret] == [b"CAPA", b"AUTH"]


# Channel binding


@runtime
@pytest.mark.parametrize("mode", [TLS, Security.STLS])
def test_an_offer_of_channel_binding_that_is_stripped(on: On, mode: Security) -> None:
    certified = Certified()

    def stripped(tls: ssl.SSLObject | None) -> list[ServerMechanism]:
        # What somebody in between leaves of the offer, to the server that has made it.
        return [each for each in certified.mechanisms(tls) if not each.name.endswith("-PLUS")]

    async def flow(connect: Connect) -> None:
        client = await connect(
            server.host, server.port, security=mode, ssl_context=certified.client_context()
        )
        with pytest.raises(AuthenticationError) as caught:
            await client.login("user", SECRET)
        assert SECRET not in shown(caught.value)
        # It was the flag: to whom it is not sent, the server opens.
        await client.login("user", SECRET, mechanisms=["CRAM-MD5"])
        await client.quit()

    with serve(
        MemoryMaildrops({"user": []}),
        users={"user": SECRET},
        security=mode,
        options=ServerOptions(failed_login_delay=0.0, max_failed_logins=9),
        mechanisms=stripped,
        tls_context=certified.context,
    ) as server:
        on(flow)


@runtime
@pytest.mark.parametrize(
    ("mode", "offered", "asks", "flag"),
    [
        (TLS, ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], True, b"p=tls-[a-z-]+"),
        (TLS, ["SCRAM-SHA-256"], True, b"y"),
        # There is no offer to strip, or nothing to bind to.
        (TLS, ["SCRAM-SHA-256"], False, b"n"),
        (PLAIN, ["SCRAM-SHA-256"], True, b"n"),
    ],
)
def test_the_server_is_told_whether_the_client_could_bind(
    on: On, mode: Security, offered: list[str], asks: bool, flag: bytes
) -> None:
    answers: dict[bytes, Answer] = {b"CAPA": offering(*offered), b"AUTH": b"-ERR [AUTH] no\r\n"}
    names = None if asks else offered

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(CredentialsError):
            await client.login("user", SECRET, mechanisms=names)
        await client.quit()

    with hostile(mode, answers, capabilities=asks) as server:
        on(flow)
    line, *others = [line for line in server.clear + server.secret if line.startswith(b"AUTH")]
    assert line.split(b" ")[1].decode() == offered[-1]
    assert re.match(flag + b",,n=user,", b64decode(line.split(b" ")[2]))
    # A bound login that is refused is followed by others that can be passed on to no server which
    # offers to bind: bound in another way, and at last with the word that it could have been.
    flags = [b64decode(other.split(b" ")[2])[:2] for other in others]
    assert flags == ([b"p="] * (len(flags) - 1) + [b"y,"] if offered[1:] else [])


# Challenges


@runtime
def test_a_challenge_that_is_huge(on: On) -> None:
    def auth(peer: Peer) -> None:
        peer.say(b"+ " + b64encode(b"x" * 66_000) + b"\r\n")
        assert peer.line() == b"*"
        peer.say(b"-ERR cancelled\r\n")

    answers: dict[bytes, Answer] = {b"CAPA": offering("CRAM-MD5"), b"AUTH": auth}
    failing_login(on, answers, SaslError, "limit challenge", mechanisms=["CRAM-MD5"])


@runtime
def test_a_challenge_without_end(on: On) -> None:
    taken: list[int] = []

    def auth(peer: Peer) -> None:
        peer.say(b"+ ")
        taken.append(peer.flood(b"A" * 65536))

    answers: dict[bytes, Answer] = {b"CAPA": offering("CRAM-MD5"), b"AUTH": auth}

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(LimitError, match="longer") as caught:
            await client.login("user", SECRET)
        assert not caught.value.session_usable

    with hostile(TLS, answers) as server:
        on(flow)
    assert taken[0] < 16 * 1024 * 1024


@runtime
def test_challenges_without_end(on: On) -> None:
    rounds: list[bytes] = []

    def auth(peer: Peer) -> None:
        while not rounds or rounds[-1] != b"*":
            peer.say(b"+ " + b64encode(b"once more") + b"\r\n")
            rounds.append(peer.line())
        peer.say(b"-ERR cancelled\r\n")

    class Patient:
        name = "X-PATIENT"
        complete = True

        def initial(self) -> bytes | None:
            return None

        def respond(self, challenge: bytes) -> bytes:
            return b"still here"

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(SaslError, match="more than 20 challenges") as caught:
            await client.authenticate(Patient())
        assert caught.value.session_usable
        await client.quit()

    with hostile(TLS, {b"AUTH": auth}) as server:
        on(flow)
    assert len(rounds) == 21


@runtime
@pytest.mark.parametrize("challenge", [b"+ not base64!\r\n", b"+ AAA\r\n", b"+ \xff\xfe\r\n"])
def test_a_challenge_that_is_not_base64(on: On, challenge: bytes) -> None:
    answered: list[bytes] = []

    def auth(peer: Peer) -> None:
        peer.say(challenge)
        answered.append(peer.line())
        peer.say(b"-ERR cancelled\r\n")

    answers: dict[bytes, Answer] = {b"CAPA": offering("CRAM-MD5"), b"AUTH": auth}
    failing_login(on, answers, SaslError, mechanisms=["CRAM-MD5"])
    assert answered == [b"*"]


@runtime
def test_a_server_that_does_not_accept_the_cancelling(on: On) -> None:
    def auth(peer: Peer) -> None:
        peer.say(b"+ not base64!\r\n")
        assert peer.line() == b"*"
        peer.say(b"+OK welcome\r\n")

    answers: dict[bytes, Answer] = {b"CAPA": offering("CRAM-MD5"), b"AUTH": auth}

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(Pop3Error, match="cancelled") as caught:
            await client.login("user", SECRET)
        assert not caught.value.session_usable
        assert client.closed

    with hostile(TLS, answers) as server:
        on(flow)


@runtime
def test_a_mechanism_that_nobody_knows_is_not_used_in_the_clear(on: On) -> None:
    class Own:
        name = "X-OWN"
        complete = True

        def initial(self) -> bytes | None:
            return SECRET.encode()

        def respond(self, challenge: bytes) -> bytes:
            return SECRET.encode()

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        for attempt in (client.authenticate(Own()), client.call(Auth("X-OWN", SECRET.encode()))):
            with pytest.raises(PlaintextAuthError) as caught:
                await attempt
            assert SECRET not in shown(caught.value)
        await client.quit()

    with hostile(PLAIN, {}, allow_plaintext_auth=False) as server:
        on(flow)
    assert server.clear == [b"CAPA", b"QUIT"]


@runtime
def test_nothing_safe_is_offered_in_the_clear(on: On) -> None:
    answers: dict[bytes, Answer] = {b"CAPA": offering("PLAIN", "LOGIN")}
    names = ["SCRAM-SHA-256", "CRAM-MD5"]
    lines = failing_login(on, answers, MechanismError, "PLAIN", mode=PLAIN, mechanisms=names)
    assert lines == []


@runtime
def test_what_a_server_says_of_a_failure_shows_no_escapes(on: On) -> None:
    answers: dict[bytes, Answer] = {
        b"CAPA": offering("PLAIN"),
        b"AUTH": b"-ERR [AUTH] \x1b[31mno\x07\x9b\r\n",
    }

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(CredentialsError) as caught:
            await client.login("user", SECRET)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", str(caught.value) + repr(caught.value))
        client.abort()

    with hostile(TLS, answers) as server:
        on(flow)
