"""SCRAM, the server's side, against our client and another library's."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramClient

from pop3proto import LocalProtocolError, Secret
from pop3proto.errors import SaslError
from pop3proto.sasl import ChannelBinding
from pop3proto.sasl import scram as _scram
from pop3proto.sasl import scram_server as _server_scram
from pop3proto.sasl.scram_messages import keys_for
from pop3proto.sasl.server import (
    LoggedIn,
    Passwords,
    ScramKeys,
    ServerScramSha1,
    ServerScramSha256,
    ServerScramSha512,
)

USERS = {"user": "pencil", "us,er=": "pencil", "us\u00e9r": "p\u00e4ss\u00adword", "odd": "\u0627x"}
BINDING = ChannelBinding("tls-server-end-point", b"certificate")
OTHER = ChannelBinding("tls-server-end-point", b"another")
SERVERS: list[Callable[..., Any]] = [ServerScramSha1, ServerScramSha256, ServerScramSha512]


def server_of(cls: Callable[..., Any] = ServerScramSha1, **options: Any) -> Any:
    return cls(Passwords(USERS), **options)


def client_of(
    server: Any, user: str = "user", password: str | bytes = "pencil", **options: Any
) -> Any:
    return getattr(_scram, type(server).__name__.removeprefix("Server"))(user, password, **options)


def talked(server: Any, client: Any) -> Any:
    """Return the verdict on a login."""
    exchange = server.begin()
    outcome = exchange.respond(client.initial())
    while isinstance(outcome, bytes):
        outcome = exchange.respond(client.respond(outcome))
    return outcome


@pytest.mark.parametrize(
    ("first", "known"),
    [
        (b"n,,n=user,r=nonce", True),
        (b"n,,n=tab\t,r=nonce", False),
        (b"n,,n=user,r=", False),
        (b"n,,n=user,r=a b", False),
        (b"n,,n=user,r=\xff", False),
    ],
)
def test_names_and_nonces_are_printable(first: bytes, known: bool) -> None:
    verdict = ServerScramSha1(Passwords({**USERS, "tab\t": "pencil"})).begin().respond(first)
    assert isinstance(verdict, bytes) is known


@pytest.mark.parametrize("cls", SERVERS)
@pytest.mark.parametrize("user", ["user", "us,er=", "us\u00e9r"])
def test_the_two_sides_agree(cls: Callable[..., Any], user: str) -> None:
    server = server_of(cls)
    client = client_of(server, user, USERS[user])
    assert talked(server, client) == LoggedIn(user)
    assert client.complete
    assert not server.shows_password
    assert talked(server, client_of(server, user, "wrong")) is None


def test_a_password_that_cannot_be_prepared() -> None:
    server = server_of()
    assert talked(server, client_of(server, "odd", USERS["odd"].encode())) == LoggedIn("odd")


@pytest.mark.parametrize("cls", SERVERS)
@pytest.mark.parametrize("binding", [None, BINDING])
def test_another_librarys_client(cls: Callable[..., Any], binding: ChannelBinding | None) -> None:
    server = server_of(cls, channel_bindings=[binding] if binding else [])
    bound = None if binding is None else (binding.type, binding.data)
    client = ScramClient([server.name], "user", "pencil", channel_binding=bound)
    exchange = server.begin()
    client.set_server_first(exchange.respond(client.get_client_first().encode()).decode())
    client.set_server_final(exchange.respond(client.get_client_final().encode()).decode())
    assert exchange.respond(b"") == LoggedIn("user")


def test_the_client_may_wait_to_be_asked() -> None:
    server, exchange = server_of(), server_of().begin()
    client = client_of(server)
    assert exchange.respond(None) == b""
    assert exchange.respond(None) is None
    assert exchange.respond(client.initial()).startswith(b"r=")


def test_the_binding_has_to_be_that_of_the_connection() -> None:
    server = server_of(channel_bindings=[BINDING])
    assert server.name == "SCRAM-SHA-1-PLUS"
    assert talked(server, client_of(server, channel_binding=BINDING)) == LoggedIn("user")
    assert talked(server, client_of(server, channel_binding=OTHER)) is None
    assert talked(server, client_of(server)) is None


def test_a_type_of_binding_that_is_not_known_is_named_as_the_reason() -> None:
    unknown = ChannelBinding("tls-unique", b"certificate")
    server = server_of(channel_bindings=[BINDING])
    client, exchange = client_of(server, channel_binding=unknown), server.begin()
    refusal = exchange.respond(client.initial())
    # RFC 5802 section 7.
    assert refusal == b"e=unsupported-channel-binding-type"
    with pytest.raises(SaslError, match="unsupported-channel-binding-type"):
        client.respond(refusal)
    # What follows is no login, whatever it is.
    right = client_of(server, channel_binding=BINDING)
    assert [exchange.respond(data) for data in (right.initial(), b"", None)] == [None] * 3
    # And who does not offer to bind has no type to name.
    unbound = server_of()
    assert unbound.begin().respond(client.initial()) is None


def test_a_stripped_offer_shows() -> None:
    beside = server_of(offers_plus=True)
    assert beside.name == "SCRAM-SHA-1"
    assert talked(beside, client_of(beside, can_bind=True)) is None
    assert talked(beside, client_of(beside)) == LoggedIn("user")
    alone = server_of()
    assert talked(alone, client_of(alone, can_bind=True)) == LoggedIn("user")


def test_a_user_acts_as_that_user_only() -> None:
    server = server_of()
    assert talked(server, client_of(server, authorization_id="user")) == LoggedIn("user")
    assert talked(server, client_of(server, authorization_id="other")) is None


def first(server: Any, user: str) -> list[bytes]:
    message: bytes = server.begin().respond(client_of(server, user).initial())
    return [part[:2] for part in message.split(b",")] + message.split(b",")[1:]


def test_an_unknown_user_is_asked_like_a_known_one() -> None:
    server = server_of()
    assert first(server, "none")[:3] == first(server, "user")[:3]
    assert first(server, "none") == first(server, "none")
    assert first(server, "none") != first(server, "user")
    assert talked(server, client_of(server, "none")) is None


def asked(server: Any, user: str) -> tuple[int, bytes]:
    """How many octets of salt a user is told, and the number of iterations."""
    message: bytes = server.begin().respond(client_of(server, user).initial())
    _, salt, iterations = message.split(b",")
    return len(b64decode(salt[2:])), iterations


def test_salts_last_longer_than_a_connection() -> None:
    # A server can make its mechanisms anew for each connection.
    for user in ("user", "none"):
        assert first(server_of(), user)[3] == first(server_of(), user)[3]
        own = [first(server_of(secret=b"own"), user)[3] for _ in range(2)]
        assert own[0] == own[1] != first(server_of(), user)[3]
        # Each mechanism has its own.
        assert first(server_of(ServerScramSha256), user)[3] != first(server_of(), user)[3]


@pytest.mark.parametrize(
    "options",
    [
        {"iterations": 0},
        {"iterations": -4096},
        {"salt_octets": 0},
        {"salt_octets": 33},
        {"secret": b""},
    ],
)
def test_what_makes_no_server(options: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        server_of(**options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"iterations": 1, "salt_octets": 1}, (1, b"i=1")),
        ({"iterations": 4096, "salt_octets": 32}, (32, b"i=4096")),
    ],
)
def test_the_least_and_the_most(options: dict[str, Any], told: tuple[int, bytes]) -> None:
    assert asked(server_of(**options), "user") == told


@pytest.mark.parametrize("name", ["iterations", "salt_octets", "secret", "channel_bindings"])
def test_an_argument_of_a_wrong_type_is_named(name: str) -> None:
    wrong: dict[str, Any] = {name: 1.5}
    with pytest.raises(LocalProtocolError, match=rf"^{name} "):
        server_of(**wrong)


class Keys:
    def __init__(self, keys: ScramKeys) -> None:
        self._keys = keys

    def scram_keys(self, user: str, mechanism: str) -> ScramKeys | None:
        assert mechanism == "SCRAM-SHA-256"
        return self._keys if user == "user" else None


def test_keys_in_place_of_passwords() -> None:
    keys = keys_for("sha256", Secret(b"pencil"), b"salt", 5000)
    server = ServerScramSha256(Keys(keys))
    assert talked(server, client_of(server)) == LoggedIn("user")
    assert talked(server, client_of(server, password="wrong")) is None
    assert talked(server, client_of(server, "none")) is None
    assert b"i=5000" in first(server, "user")


def test_an_unknown_user_seems_to_have_keys_too(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Keys(keys_for("sha256", Secret(b"pencil"), b"s" * 24, 10_000))

    def derive(*args: Any) -> Any:
        raise AssertionError("it takes another time than looking keys up")

    monkeypatch.setattr(_server_scram, "keys_for", derive)

    def server() -> Any:
        # A new one for each connection.
        return ServerScramSha256(source, iterations=10_000, salt_octets=24)

    assert asked(server(), "none") == asked(server(), "user") == (24, b"i=10000")
    assert first(server(), "none")[3] == first(server(), "none")[3]
    assert first(server(), "none")[3] != first(server(), "nobody")[3]
    assert talked(server(), client_of(server(), "none")) is None
    assert talked(server(), client_of(server())) == LoggedIn("user")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,n=,r=x",
        b"n,,n=user,r=",
        b"n,,n=us=er,r=x",
        b"n,,n=us=2cer,r=x",
        b"n,,m=x,n=user,r=x",
        b"n,,n=user,r=x,m=x",
        b"x,,n=user,r=x",
        b"p=,,n=user,r=x",
        b"p=\xff,,n=user,r=x",
        b"n,b=x,n=user,r=x",
        b"n,n=user,r=x",
    ],
)
def test_first_messages_that_are_none(message: bytes) -> None:
    exchange = server_of().begin()
    assert exchange.respond(message) is None
    assert exchange.respond(b"c=biws,r=,p=QQ==") is None
    assert exchange.respond(b"") is None


def finished(change: Callable[[bytes], bytes]) -> Any:
    server = server_of()
    exchange, client = server.begin(), client_of(server)
    final = client.respond(exchange.respond(client.initial()))
    return exchange.respond(change(final)), exchange.respond(b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda final: b"",
        lambda final: final.replace(b"c=biws", b"c=eSws"),
        lambda final: final.replace(b"c=biws", b"c=*"),
        lambda final: final.replace(b",r=", b",r=x"),
        lambda final: final.rpartition(b",p=")[0],
        lambda final: final + b"A",
        lambda final: final.replace(b",p=", b",m=x,p="),
    ],
)
def test_final_messages_that_are_none(change: Callable[[bytes], bytes]) -> None:
    assert finished(change) == (None, None)


def test_the_end_is_the_end() -> None:
    server = server_of()
    exchange, client = server.begin(), client_of(server)
    proof = exchange.respond(client.respond(exchange.respond(client.initial())))
    assert proof.startswith(b"v=")
    assert exchange.respond(b"more") is None
    assert exchange.respond(b"") is None


@given(
    st.lists(
        st.lists(
            st.sampled_from([b"n,,", b"y,,", b"n=user", b"r=x", b",", b"c=biws", b",p=QQ=="])
            | st.binary(max_size=3),
            max_size=6,
        ).map(b"".join)
        | st.none(),
        max_size=4,
    )
)
def test_whatever_a_client_says(messages: list[bytes | None]) -> None:
    exchange = server_of().begin()
    for message in messages:
        outcome = exchange.respond(message)
        assert outcome is None or isinstance(outcome, bytes)


def test_a_server_that_is_not_ours_is_found_out() -> None:
    server = ServerScramSha1(Passwords({"user": "another"}))
    client = client_of(server)
    exchange = server.begin()
    client.respond(exchange.respond(client.initial()))
    with pytest.raises(SaslError):
        client.respond(b"e=other-error")
