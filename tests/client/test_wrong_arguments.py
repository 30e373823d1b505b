"""Arguments of another type: what the caller is told, and that the session goes on."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from pop3proto import LocalProtocolError, PopUrl, Stat, TlsError
from pop3proto.sasl import Login
from pop3proto.testing import memory_stream
from pop3proto.transports import Security, TlsPipe, anyio, trio
from pop3proto.transports import asyncio as pop3_asyncio
from pop3proto.transports.blocking import Client, connect

Wrong = Callable[[Any], Any]

# Called with a client that has logged in; the message that the caller gets.
CALLS: list[tuple[Wrong, str]] = [
    (lambda client: client.call("PASS hidden"), "a command is an object such as Stat(), not str"),
    (lambda client: client.call(Stat), "a command is an object such as Stat(), not the class Stat"),
    (lambda client: list(client.batch([Stat])), "such as Stat(), not the class Stat"),
    (lambda client: list(client.batch([1])), "such as Stat(), not int"),
    (lambda client: client.batch(5), "commands are a list of commands, not int"),
    (lambda client: client.batch("STAT"), "commands are a list of commands, not str"),
    (lambda client: client.stream("RETR 1"), "such as Stat(), not str"),
    (lambda client: client.save(1, None), "file is a path or a binary file, not NoneType"),
    (lambda client: client.save(1, StringIO()), "file is a path or a binary file, not StringIO"),
    (lambda client: client.save(1, "x\0.eml"), "file: no file can have this path"),
    (lambda client: client.save(1, Path("x\0.eml")), "file: no file can have this path"),
    (lambda client: client.retr(1, max_octets="5"), "max_octets is an int, not str"),
    (lambda client: client.retr(1, progress=5), "progress is a function, not int"),
    (lambda client: client.retr_stream(1, max_octets=1.0), "max_octets is an int, not float"),
    (lambda client: client.retr_many([1], max_octets="5"), "max_octets is an int, not str"),
    (lambda client: client.retr_many([1], progress="x"), "progress is a function, not str"),
    (lambda client: client.authenticate("hidden"), "mechanism is an object such as sasl.Plain"),
    (lambda client: client.login("u", "hidden", mechanisms=5), "mechanisms are a list of names"),
    (lambda client: client.login("u", "hidden", mechanisms=b"A"), "mechanisms are a list of names"),
    (lambda client: client.login(1, "hidden"), "the user name must be str or bytes, not int"),
    (lambda client: client.login("u", 2), "the password must be str or bytes, not int"),
    (lambda client: client.retr(0), "a message number is 1 to"),
    (lambda client: client.retr(1.0), "a message is an int, or a str"),
]


@pytest.mark.parametrize(("call", "told"), CALLS, ids=[told for _, told in CALLS])
def test_a_wrong_argument_is_named_and_the_session_goes_on(call: Wrong, told: str) -> None:
    stream = memory_stream({"user": [b"text"]}, password="secret", security=Security.TLS)
    client = Client.start(stream, ssl_context=stream.client_context(), server_hostname="localhost")
    if "str or bytes" not in told:
        client.login("user", "secret")
    with pytest.raises(LocalProtocolError, match=re.escape(told)) as caught:
        call(client)
    assert "hidden" not in str(caught.value)
    if "str or bytes" in told:
        client.login("user", "secret")
    assert client.stat().count == 1
    client.quit()


def test_a_mechanism_is_not_its_name() -> None:
    mechanism: Any = "PLAIN"
    with pytest.raises(LocalProtocolError, match="not str"):
        Login.authenticate(mechanism)


@pytest.mark.parametrize("host", [None, 5, b"pop.example.org"])
def test_a_host_of_another_type_is_not_called_empty(host: Any) -> None:
    with pytest.raises(LocalProtocolError, match="a host is a str or a PopUrl, not"):
        connect(host)


def test_the_modes_are_listed_as_they_are_written() -> None:
    with pytest.raises(LocalProtocolError, match="'tls', 'stls', 'plaintext', not 'starttls'"):
        connect("pop.example.org", security="starttls")  # type: ignore[arg-type]


@pytest.mark.parametrize("module", [pop3_asyncio, trio, anyio])
@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("pop.example.org", "pop.example.org"),
        ("pop://user@pop.example.org:1100", "pop.example.org"),
        (PopUrl("pop.example.org"), "pop.example.org"),
        ("pop://user:hidden@pop.example.org", "a wrong address"),
        ("https://user:hidden@pop.example.org", "a wrong address"),
        (5, "a wrong address"),
    ],
)
def test_what_has_not_connected_yet_says_where_to(module: Any, host: Any, shown: str) -> None:
    connecting = module.connect(host)
    assert repr(connecting) == f"<Connecting: {shown}>"
    connecting.close()


@pytest.mark.parametrize("module", [pop3_asyncio, trio, anyio])
def test_what_is_never_awaited_says_what_to_write(module: Any) -> None:
    # Not "coroutine 'connected' was never awaited", which names nothing that the caller knows.
    with pytest.warns(RuntimeWarning, match=r"<Connecting: example.org> was never .*'await conn"):
        module.connect("example.org")


@pytest.mark.parametrize("path", ["/run/pop3", b"/run/pop3", Path("/run/pop3")])
def test_what_has_not_connected_to_a_unix_socket_yet(path: Any) -> None:
    connecting = pop3_asyncio.connect_unix(path)
    assert repr(connecting) == f"<Connecting: {Path('/run/pop3')}>"
    connecting.close()


def test_what_connects_is_a_coroutine_all_the_same() -> None:
    async def opened() -> None:
        with pytest.raises(LocalProtocolError, match="port is an int"):
            await asyncio.create_task(pop3_asyncio.connect("localhost", "995"))  # type: ignore[arg-type]

    asyncio.run(opened())


@pytest.mark.parametrize("wrong", [5, None, "stream"])
def test_what_is_no_stream(wrong: Any) -> None:
    with pytest.raises(LocalProtocolError, match="stream is a Stream, not"):
        Client.start(wrong, security="plaintext")


def test_a_context_for_the_other_side() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(TlsError, match="TLS cannot be started"):
        TlsPipe(context, server_hostname="pop.example.org")
