"""What a login makes of what the server announces, or does not, and of odd arguments."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest

from pop3proto import LocalProtocolError
from pop3proto.client.stepping import run
from pop3proto.errors import CredentialsError, MechanismError, SaslError
from pop3proto.sasl import channel_bindings
from pop3proto.sasl.server import (
    Attempt,
    ChannelBinding,
    Passwords,
    ServerMechanism,
    Verdict,
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
    attempts = 1 if known == "tls-unique" else 2

    def one(tls: ssl.SSLObject) -> list[ChannelBinding]:
        return [binding for binding in certified.bindings(tls) if binding.type == known]

    with started(certified, knowing(one, begun, curt=curt), mode=mode) as made:
        with pytest.raises(CredentialsError) as caught:
            made.login("user", "wr0ng")
        # It was the password after all.
        assert "channel binding" not in str(caught.value)
        assert begun == attempts * ["SCRAM-SHA-512-PLUS"]
        result = made.login("user", "pa55word")
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-512-PLUS", True)
    assert begun == 2 * attempts * ["SCRAM-SHA-512-PLUS"]


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
        # Once for each of them, and nothing weaker.
        assert begun == len(types) * ["SCRAM-SHA-512-PLUS"]
        # As the hint says, and no less.
        result = made.login("user", "pa55word", mechanisms=["SCRAM-SHA-512"])
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-512", False)


@curtly
def test_what_is_listed_behind_it_is_tried(curt: bool) -> None:
    begun: list[str] = []
    names = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]
    with started(Certified(), knowing(strange, begun, curt=curt)) as made:
        assert made.login("user", "pa55word", mechanisms=names).mechanism == "SCRAM-SHA-256"
    assert list(dict.fromkeys(begun)) == names


def test_a_wrong_password_is_bound_in_one_way_only() -> None:
    certified = Certified(ssl.TLSVersion.TLSv1_2)
    begun: list[str] = []
    with started(certified, knowing(certified.bindings, begun)) as made:
        for names in (None, ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-512"]):
            with pytest.raises(CredentialsError):
                made.login("user", "wr0ng", mechanisms=names)
    assert begun == 2 * ["SCRAM-SHA-512-PLUS"]


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
