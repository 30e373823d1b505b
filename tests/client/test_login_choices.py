"""What a login makes of what the server announces, or does not, and of odd arguments."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest

from pop3proto import Auth, LocalProtocolError
from pop3proto.client.stepping import run
from pop3proto.errors import CredentialsError, MechanismError, SaslError
from pop3proto.sasl import channel_bindings
from pop3proto.sasl.server import (
    Attempt,
    ChannelBinding,
    Passwords,
    ServerDigestMd5,
    ServerMechanism,
    ServerPlain,
    ServerScramSha256,
    Verdict,
    end_point,
    password_mechanisms,
)
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import memory_stream
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.client.test_authentication import NO, OK, SECRET, capa, client, login
from tests.client.test_channel_binding import USERS, Certified, under_tls, version
from tests.tracebacks import shown

# Each binding that is refused is a login that failed.
OPTIONS = ServerOptions(failed_login_delay=0.0, max_failed_logins=9)
Mechanisms = Callable[[ssl.SSLObject | None], list[ServerMechanism]]


def started(
    certified: Certified,
    mechanisms: Mechanisms,
    *,
    mode: Security = Security.TLS,
    secure: bool = True,
    **options: Any,
) -> Client:
    stream = memory_stream(
        MemoryMaildrops({"user": []}),
        users=USERS,
        security=mode,
        options=OPTIONS,
        mechanisms=mechanisms,
        tls_context=certified.context,
    )
    return Client.start(
        stream,
        security=mode if secure else Security.PLAINTEXT,
        ssl_context=certified.client_context(),
        server_hostname="localhost",
        options=ClientOptions(**options),
    )


# Channel bindings that a server does not know


class Watched:
    """A mechanism that notes its exchanges.

    If it is ``curt``, it refuses without a reason where its RFC has one, as Dovecot does.
    """

    shows_password = False

    def __init__(self, mechanism: ServerMechanism, begun: list[str], *, curt: bool) -> None:
        self.name = mechanism.name
        self._mechanism = mechanism
        self._begun = begun
        self._curt = curt

    def begin(self) -> Attempt:
        self._begun.append(self.name)
        exchange = self._mechanism.begin()

        class Curt:
            def respond(self, data: bytes | None) -> Verdict:
                outcome = exchange.respond(data)
                return None if isinstance(outcome, bytes) and outcome[:2] == b"e=" else outcome

        return Curt() if self._curt else exchange


def knowing(
    bindings: Callable[[ssl.SSLObject], list[ChannelBinding]],
    begun: list[str],
    *,
    curt: bool = False,
) -> Mechanisms:
    """What a server offers that knows these channel bindings."""

    def mechanisms(tls: ssl.SSLObject | None) -> list[ServerMechanism]:
        known = [] if tls is None else bindings(tls)
        offered = password_mechanisms(Passwords(USERS), host="localhost", channel_bindings=known)
        return [Watched(each, begun, curt=curt) for each in offered]

    return mechanisms


def strange(tls: ssl.SSLObject) -> list[ChannelBinding]:
    # As tls-exporter is to today's Pythons, which is all that Dovecot knows under TLS 1.3.
    return [ChannelBinding("example.org-binding", bytes(32))]


curtly = pytest.mark.parametrize("curt", [False, True])


@under_tls
@curtly
@pytest.mark.parametrize("known", ["tls-unique", "tls-server-end-point"])
def test_a_server_that_knows_one_of_them(known: str, mode: Security, curt: bool) -> None:
    certified = Certified(ssl.TLSVersion.TLSv1_2)
    begun: list[str] = []

    def one(tls: ssl.SSLObject) -> list[ChannelBinding]:
        return [binding for binding in certified.bindings(tls) if binding.type == known]

    with started(certified, knowing(one, begun, curt=curt), mode=mode) as made:
        with pytest.raises(CredentialsError) as caught:
            made.login("user", "wr0ng")
        # After tls-unique it could have been that; a server that refuses tls-unique by itself knows
        # the other one, and it was the password.
        doubted = "(channel bindings tried: tls-unique, tls-server-end-point)" in str(caught.value)
        assert doubted is (known == "tls-unique")
        assert begun == 2 * ["SCRAM-SHA-512-PLUS"]
        result = made.login("user", "pa55word")
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-512-PLUS", True)
    assert begun == (3 if known == "tls-unique" else 4) * ["SCRAM-SHA-512-PLUS"]


@curtly
@version
def test_a_server_that_knows_none_of_them(curt: bool, newest: ssl.TLSVersion) -> None:
    begun: list[str] = []
    with started(Certified(newest), knowing(strange, begun, curt=curt)) as made:
        assert made.tls is not None
        types = [binding.type for binding in channel_bindings(made.tls)]
        assert (types[0] == "tls-unique") is (newest is ssl.TLSVersion.TLSv1_2)
        assert types[-1] == "tls-server-end-point"
        with pytest.raises(CredentialsError if curt else SaslError) as caught:
            made.login("user", "pa55word")
        assert f"(channel bindings tried: {', '.join(types)})" in str(caught.value)
        assert 'mechanisms=["SCRAM-SHA-512"]' in caught.value.hint
        assert "pa55word" not in shown(caught.value)
        # Once for each of them, and once without, which says that there could have been one. The
        # server has offered it, so it refuses that.
        assert begun == [*len(types) * ["SCRAM-SHA-512-PLUS"], "SCRAM-SHA-512"]
        # As the hint says, and no less.
        result = made.login("user", "pa55word", mechanisms=["SCRAM-SHA-512"])
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-512", False)


@curtly
def test_what_is_listed_after_it_is_tried(curt: bool) -> None:
    begun: list[str] = []
    names = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"]
    with started(Certified(), knowing(strange, begun, curt=curt)) as made:
        # Without a binding, but with the word that there could have been one: this server, which
        # offers some, refuses that, as RFC 5802 section 6 demands.
        with pytest.raises(CredentialsError if curt else SaslError) as caught:
            made.login("user", "pa55word", mechanisms=names[:2])
        assert "channel bindings tried" in str(caught.value)
        assert list(dict.fromkeys(begun)) == names[:2]
        if not curt:
            assert made.login("user", "pa55word", mechanisms=names[:3:2]).mechanism == "PLAIN"


class Cyrus:
    """SCRAM with tls-unique alone, refused after the proof, with the words for a wrong password.

    With ``strict``, an unbound login is refused if it says that it could have been bound.
    """

    shows_password = False

    def __init__(self, bindings: list[ChannelBinding], begun: list[str], *, strict: bool) -> None:
        self.name = "SCRAM-SHA-256-PLUS" if bindings else "SCRAM-SHA-256"
        self._bindings = {each.type: each for each in bindings}
        self._begun = begun
        self._strict = strict

    def begin(self) -> Attempt:
        begun, bindings, strict = self._begun, self._bindings, self._strict

        class Exchange:
            inner: Attempt | None = None

            def respond(self, data: bytes | None) -> Verdict:
                if self.inner is None:
                    assert data is not None
                    flag = data.partition(b",")[0]
                    begun.append(flag.decode())
                    kind = flag[2:].decode()
                    # An unknown one gets a challenge first.
                    known = [bindings.get(kind, ChannelBinding(kind, b"?"))] if kind else []
                    server = ServerScramSha256(
                        Passwords(USERS), channel_bindings=known, offers_plus=strict
                    )
                    self.inner = server.begin()
                return self.inner.respond(data)

        return Exchange()


def cyrus(begun: list[str], *, strict: bool) -> Mechanisms:
    def mechanisms(tls: ssl.SSLObject | None) -> list[ServerMechanism]:
        if tls is None:
            return []
        unique = tls.get_channel_binding("tls-unique") or b"of TLS 1.3"
        bound = Cyrus([ChannelBinding("tls-unique", unique)], begun, strict=strict)
        return [bound, Cyrus([], begun, strict=strict), ServerPlain(Passwords(USERS))]

    return mechanisms


TRIED = "(channel bindings tried: tls-server-end-point)"


@under_tls
def test_cyrus_under_tls_1_3(mode: Security) -> None:
    begun: list[str] = []
    with started(Certified(), cyrus(begun, strict=True), mode=mode) as made:
        for password in ("pa55word", "wr0ng"):
            with pytest.raises(CredentialsError) as caught:
                made.login("user", password)
            # Which of the two it was, nobody can tell. The way out is named.
            assert TRIED in str(caught.value)
            assert 'mechanisms=["SCRAM-SHA-256"]' in caught.value.hint
            assert isinstance(caught.value.command, Auth)
            assert caught.value.command.mechanism == "SCRAM-SHA-256-PLUS"
            assert password not in shown(caught.value)
        assert begun == ["p=tls-server-end-point", "y"] * 2
        result = made.login("user", "pa55word", mechanisms=["SCRAM-SHA-256"])
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-256", False)
    assert begun[4:] == ["n"]


def test_a_server_that_announces_more_than_it_has_and_is_not_strict() -> None:
    begun: list[str] = []
    with started(Certified(), cyrus(begun, strict=False)) as made:
        with pytest.raises(CredentialsError):
            made.login("user", "wr0ng")
        result = made.login("user", "pa55word")
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-256", False)
    # Twice for each call, however wrong the password is.
    assert begun == ["p=tls-server-end-point", "y"] * 2


@pytest.mark.parametrize("password", ["pa55word", "wr0ng"])
def test_cyrus_under_tls_1_2(password: str) -> None:
    certified = Certified(ssl.TLSVersion.TLSv1_2)
    begun: list[str] = []
    with started(certified, cyrus(begun, strict=True)) as made:
        if password == "pa55word":
            assert made.login("user", password).channel_bound
            assert begun == ["p=tls-unique"]
        else:
            with pytest.raises(CredentialsError):
                made.login("user", password)
            assert begun == ["p=tls-unique", "p=tls-server-end-point"]


def test_somebody_in_between_gets_no_login_that_can_be_passed_on() -> None:
    """Nothing that the client sends by itself can be relayed over another connection.

    The server has its own certificate, and somebody in between has another one that the client
    trusts. The bound login is for the wrong certificate; the unbound one says that it could have
    been bound.
    """
    certified, false = Certified(), Certified()
    begun: list[str] = []
    own = end_point(certified.der)
    assert own is not None
    offered = password_mechanisms(Passwords(USERS), host="localhost", channel_bindings=[own])
    relayed: list[ServerMechanism] = [Watched(each, begun, curt=False) for each in offered]
    with started(false, lambda tls: relayed if tls else []) as made:
        with pytest.raises((CredentialsError, SaslError)) as caught:
            made.login("user", "pa55word")
        assert "channel bindings tried" in str(caught.value)
    assert "PLAIN" not in begun
    assert set(begun) == {"SCRAM-SHA-512-PLUS", "SCRAM-SHA-512"}


def test_a_wrong_password_is_bound_in_two_ways_at_most() -> None:
    certified = Certified(ssl.TLSVersion.TLSv1_2)
    begun: list[str] = []
    with started(certified, knowing(certified.bindings, begun)) as made:
        for names in (None, ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-512"]):
            with pytest.raises(CredentialsError):
                made.login("user", "wr0ng", mechanisms=names)
    assert begun == 4 * ["SCRAM-SHA-512-PLUS"]


# What the server has announced


def test_who_was_not_asked_has_stripped_nothing() -> None:
    certified = Certified()
    with started(certified, certified.mechanisms, capabilities=False) as made:
        result = made.login("user", "pa55word", mechanisms=["SCRAM-SHA-256"])
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-256", False)


@pytest.mark.parametrize("asks", [True, False])
def test_tls_that_is_begun_by_hand(asks: bool) -> None:
    certified = Certified()
    with started(
        certified, certified.mechanisms, mode=Security.STLS, secure=False, capabilities=asks
    ) as made:
        assert (made.capabilities is None) is not asks
        made.start_tls(certified.client_context(), "localhost")
        if not asks:
            assert made.capabilities is None
            return
        assert made.capabilities is not None
        assert made.capabilities.sasl[0] == "SCRAM-SHA-512-PLUS"
        result = made.login("user", "pa55word")
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-512-PLUS", True)
        # And again behind the login.
        assert made.capabilities.implementation is not None


def test_the_server_is_named_in_the_proof_of_digest_md5() -> None:
    """It is refused if it is made for another server."""

    def mechanisms(_: ssl.SSLObject | None) -> list[ServerMechanism]:
        return [ServerDigestMd5(Passwords(USERS), host="localhost", realm="example.org")]

    with started(Certified(), mechanisms) as made:
        result = made.login("user", "pa55word", mechanisms=["DIGEST-MD5"])
    assert result.mechanism == "DIGEST-MD5"


# Names and passwords that are not ASCII

NAME = "p\xf6st"
ODD = "gehe\xefm"


def plain_pass(name: str, password: str) -> list[tuple[bytes, bytes]]:
    return [(f"USER {name}".encode(), OK), (f"PASS {password}".encode(), OK), capa()]


@pytest.mark.parametrize(
    ("name", "password", "announced", "answer"),
    [
        (NAME, "x", "UTF8 USER", OK),
        ("user", ODD, "UTF8 USER", OK),
        # What is refused is not needed (RFC 6856 section 2.2).
        (NAME, ODD, "UTF8 USER", NO),
        # The server takes it for messages, and not for names.
        (NAME, ODD, "UTF8", None),
        (NAME, ODD, "TOP", None),
        ("user", "x", "UTF8 USER", None),
    ],
)
def test_utf8_for_names_and_passwords(
    name: str, password: str, announced: str, answer: bytes | None
) -> None:
    turns = [] if answer is None else [(b"UTF8", answer)]
    made, script = client(capa(announced), *turns, *plain_pass(name, password))
    assert run(made.login(name, password)).mechanism == "USER"
    assert len(script.sent) == 4 + len(turns)


@pytest.mark.parametrize("announced", ["UTF8 USER", "TOP"])
def test_apop_prepares_what_utf_8_can_write_in_two_ways(announced: str) -> None:
    # RFC 6856 section 2.2.
    prepared = announced == "UTF8 USER"
    given = "po\u0308st", "wo\u0308rt"
    name, password = ("p\xf6st", "w\xf6rt") if prepared else given
    digest = md5(b"<1.2@example.org>" + password.encode()).hexdigest().encode()
    turns = [(b"UTF8", OK)] if prepared else []
    turns.append((b"APOP %s %s" % (name.encode(), digest), OK))
    made, _ = client(capa(announced), *turns, capa(), greeting=b"+OK <1.2@example.org>\r\n")
    assert run(made.apop(*given)).mechanism == "APOP"
    made, _ = client(capa("UTF8 USER"), greeting=b"+OK <1.2@example.org>\r\n")
    odd = "\u0627" + SECRET
    for arguments, problem in (
        (("user", odd), "directions"),
        (("\u0627x", SECRET), "directions"),
        (("user", f"\xe9{SECRET}\0"), "control|prohibits"),
        (("user", f"\xe9{SECRET}\ud800"), "surrogate|prohibits"),
    ):
        with pytest.raises(LocalProtocolError, match=problem) as caught:
            run(made.apop(*arguments))
        assert SECRET not in shown(caught.value)


FORBIDDEN = "\u0627" + SECRET
"""It mixes directions of writing, which SASLprep forbids."""


@pytest.mark.parametrize(
    ("offered", "names"),
    [
        ("PLAIN", None),
        ("PLAIN", ["PLAIN", "USER"]),
        ("SCRAM-SHA-256 PLAIN", ["SCRAM-SHA-256", "PLAIN", "USER"]),
        ("PLAIN", ["APOP", "PLAIN", "USER"]),
    ],
)
def test_a_password_that_a_mechanism_cannot_carry(offered: str, names: list[str] | None) -> None:
    made, _ = client(capa(f"SASL {offered}"), *plain_pass("user", FORBIDDEN))
    assert run(made.login("user", FORBIDDEN, mechanisms=names)).mechanism == "USER"


@pytest.mark.parametrize("names", [None, ["SCRAM-SHA-256", "PLAIN"]])
def test_a_password_that_none_can_carry(names: list[str] | None) -> None:
    made, script = client(capa("SASL SCRAM-SHA-256 PLAIN"))
    with pytest.raises(LocalProtocolError, match="the password") as caught:
        run(made.login("user", FORBIDDEN, mechanisms=names))
    # By itself the client takes nothing weaker.
    assert script.sent == [b"CAPA\r\n"]
    assert SECRET not in shown(caught.value)


# Arguments


def test_mechanisms_are_a_list() -> None:
    made, script = client(capa("SASL PLAIN"))
    wrong: Any
    for wrong in ("PLAIN", "", "USER"):
        with pytest.raises(LocalProtocolError, match="a list of names"):
            run(made.login("user", SECRET, mechanisms=wrong))
    assert script.sent == [b"CAPA\r\n"]


@pytest.mark.parametrize("names", [["SCRAM-SHA-256-PLUS"], ["scram-sha-256-plus", "CRAM-MD5"]])
def test_there_is_nothing_to_bind_to_without_tls(names: list[str]) -> None:
    with pytest.raises(MechanismError, match="there is nothing to bind to"):
        login(capa("SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256"), how={"mechanisms": names})
