"""TLS without I/O: both ends of it, in memory."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

from pop3proto import ConnectionLostError, LocalProtocolError, TlsError
from pop3proto.client.advice import PORTS
from pop3proto.transports import TlsPipe

NAME = "pop.example.org"
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def contexts() -> Contexts:
    """The client's, and the server's with a certificate for ``NAME`` that the client trusts."""
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(server)
    return client, server


def pipes(contexts: Contexts, name: str = NAME) -> tuple[TlsPipe, TlsPipe]:
    client = TlsPipe(contexts[0], server_hostname=name)
    return client, TlsPipe(contexts[1], server_side=True)


def carry(sender: TlsPipe, receiver: TlsPipe) -> None:
    data = sender.data_to_send()
    if data:
        receiver.receive_data(data)


def shake_hands(client: TlsPipe, server: TlsPipe) -> None:
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            one.handshake()
            carry(one, other)
        if client.established and server.established:
            return
    raise AssertionError("the handshake does not end")


def connected(contexts: Contexts) -> tuple[TlsPipe, TlsPipe]:
    client, server = pipes(contexts)
    shake_hands(client, server)
    return client, server


def test_the_handshake_tells_when_it_needs_more(contexts: Contexts) -> None:
    client, server = pipes(contexts)
    assert not client.handshake()
    assert not client.established
    assert client.data_to_send().startswith(b"\x16\x03")
    assert client.data_to_send() == b""
    assert not server.handshake()
    client, server = connected(contexts)
    assert client.established
    assert server.established
    assert client.ssl_object.version() == server.ssl_object.version()


def test_what_is_sent_is_read_at_the_other_end(contexts: Contexts) -> None:
    client, server = connected(contexts)
    for one, other in ((client, server), (server, client)):
        assert other.read() is None
        octets = one.send(b"NOOP\r\n")
        assert b"NOOP" not in octets
        other.receive_data(octets)
        assert other.read() == b"NOOP\r\n"
        assert other.read() is None


def test_many_records_are_read_at_once_and_part_of_one_not_at_all(contexts: Contexts) -> None:
    client, server = connected(contexts)
    octets = b"".join(server.send(piece) for piece in (b"x" * 40_000, b"y", b"z"))
    client.receive_data(octets[:-1])
    assert client.read() == b"x" * 40_000 + b"y"
    assert client.read() is None
    client.receive_data(octets[-1:])
    assert client.read() == b"z"


@pytest.mark.parametrize("orderly", [True, False])
def test_the_end_is_no_octets(contexts: Contexts, orderly: bool) -> None:
    client, server = connected(contexts)
    octets = server.send(b"bye") + (server.close() if orderly else b"")
    client.receive_data(octets)
    assert client.read() == b"bye"
    assert client.unread is orderly
    if not orderly:
        client.receive_data(b"")
    assert client.read() == b""
    client.close()
    assert client.close() == b""


def test_a_broken_record_is_reported_after_those_before_it(contexts: Contexts) -> None:
    client, server = connected(contexts)
    good, bad = server.send(b"good"), bytearray(server.send(b"bad"))
    bad[-1] ^= 1
    client.receive_data(good + bytes(bad))
    assert client.read() == b"good"
    assert client.unread
    for _ in range(2):
        with pytest.raises(TlsError, match="TLS broke") as caught:
            client.read()
        assert isinstance(caught.value.__cause__, ssl.SSLError)


def test_nothing_is_read_after_the_end_of_tls(contexts: Contexts) -> None:
    client, server = connected(contexts)
    client.receive_data(server.send(b"good") + server.close() + b"in the clear\r\n")
    assert client.read() == b"good"
    assert [client.read() for _ in range(2)] == [b"", b""]


def test_a_broken_record_alone(contexts: Contexts) -> None:
    client, server = connected(contexts)
    bad = bytearray(server.send(b"bad"))
    bad[-1] ^= 1
    client.receive_data(bytes(bad))
    with pytest.raises(TlsError, match="TLS broke") as caught:
        client.read()
    # Names and certificates were right.
    assert (caught.value.hint, caught.value.transient) == (ConnectionLostError.hint, True)
    # The alert for the peer.
    assert client.data_to_send()


def test_a_broken_record_of_a_client(contexts: Contexts) -> None:
    client, server = connected(contexts)
    bad = bytearray(client.send(b"bad"))
    bad[-1] ^= 1
    server.receive_data(bad)
    with pytest.raises(TlsError, match="TLS broke") as caught:
        server.read()
    assert caught.value.transient
    assert "connect again" not in caught.value.hint


def test_a_refused_certificate_is_told_apart(contexts: Contexts) -> None:
    client, server = pipes(contexts, "other.example.org")
    with pytest.raises(TlsError, match="the server's certificate is refused") as caught:
        shake_hands(client, server)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    carry(client, server)
    with pytest.raises(TlsError, match="the TLS handshake failed"):
        server.handshake()


def test_a_long_name_is_told_as_a_whole(contexts: Contexts) -> None:
    name = ".".join(["x" * 60] * 3 + [NAME])
    with pytest.raises(TlsError, match=f"not valid for '{name}'"):
        shake_hands(*pipes(contexts, name))


def test_a_server_refuses_a_clients_certificate(contexts: Contexts) -> None:
    authority = trustme.CA()
    demanding = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(demanding)
    demanding.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context()
    authority.configure_trust(client)
    trustme.CA().issue_cert("client.example.org").configure_cert(client)
    with pytest.raises(TlsError, match="the client's certificate is refused"):
        shake_hands(*pipes((client, demanding)))


def test_what_is_no_tls_is_refused(contexts: Contexts) -> None:
    client, _ = pipes(contexts)
    client.receive_data(b"+OK POP3 server ready\r\n")
    with pytest.raises(TlsError) as caught:
        client.handshake()
    told = "the TLS handshake failed: the server does not speak TLS here; it said: "
    assert caught.value.args == (f"{told}+OK POP3 server ready",)
    assert caught.value.hint == PORTS


def test_a_client_that_speaks_no_tls_is_not_quoted(contexts: Contexts) -> None:
    _, server = pipes(contexts)
    server.receive_data(b"PASS secret\r\n")
    with pytest.raises(TlsError) as caught:
        server.handshake()
    told = "the TLS handshake failed: the client does not speak TLS here"
    assert (caught.value.args, caught.value.hint) == (
        (told,),
        "the client has to begin TLS at once",
    )


def test_nothing_is_sent_before_the_handshake_and_after_the_end(contexts: Contexts) -> None:
    client, _ = pipes(contexts)
    assert client.close() == b""
    with pytest.raises(LocalProtocolError, match="before the handshake is done"):
        client.send(b"too early")
    client, server = connected(contexts)
    server.close()
    with pytest.raises(TlsError, match="TLS broke"):
        server.send(b"more")


@pytest.mark.parametrize("name", [None, ""])
def test_a_client_needs_a_name_to_verify(contexts: Contexts, name: str | None) -> None:
    with pytest.raises(TlsError, match="no name was given"):
        TlsPipe(contexts[0], server_hostname=name)


@pytest.mark.parametrize(
    ("argument", "wrong"), [("context", None), ("server_side", 1), ("server_hostname", b"x")]
)
def test_an_argument_of_another_type_is_named(
    argument: str, wrong: Any, contexts: Contexts
) -> None:
    arguments: dict[str, Any] = {"context": contexts[0], "server_hostname": NAME, argument: wrong}
    with pytest.raises(LocalProtocolError, match=rf"^{argument} is "):
        TlsPipe(**arguments)


@pytest.mark.parametrize("name", [".example.org", "x\0.example.org"])
def test_a_name_that_no_certificate_can_show(contexts: Contexts, name: str) -> None:
    with pytest.raises(TlsError, match="TLS cannot be started"):
        TlsPipe(contexts[0], server_hostname=name)


def test_octets_of_every_kind_pass(contexts: Contexts) -> None:
    client, server = connected(contexts)
    for octets in (b"one", bytearray(b"two"), memoryview(b"three")):
        server.receive_data(bytearray(client.send(octets)))
        assert server.read() == bytes(octets)


@pytest.mark.parametrize("wrong", ["", "text", 0, 5, None, [1]])
def test_something_else_is_neither_octets_nor_the_end(contexts: Contexts, wrong: Any) -> None:
    client, server = connected(contexts)
    for take in (client.receive_data, client.send):
        with pytest.raises(LocalProtocolError, match=r"^data is bytes"):
            take(wrong)
    assert client.read() is None
    client.receive_data(server.send(b"more"))
    assert client.read() == b"more"


def test_nothing_comes_after_the_end(contexts: Contexts) -> None:
    client, server = connected(contexts)
    client.receive_data(server.send(b"more"))
    client.receive_data(b"")
    client.receive_data(b"")
    with pytest.raises(LocalProtocolError, match="after the end of the stream"):
        client.receive_data(server.send(b"too late"))
    assert (client.read(), client.read()) == (b"more", b"")


def test_it_is_loaded_from_where_it_is_public() -> None:
    from pop3proto import transports

    assert transports.TlsPipe is TlsPipe
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(transports, "Nothing")  # noqa: B009 - type checkers know that there is none
