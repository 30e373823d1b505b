"""What a test sees of a server: URL, messages, commands, a client, and what is refused."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from pop3proto import LocalProtocolError, Secret
from pop3proto.errors import MaildropLockedError
from pop3proto.sasl.server import Passwords, password_mechanisms
from pop3proto.server import (
    Close,
    MaildirMaildrops,
    MemoryMaildrops,
    NeedData,
    Send,
    ServerOptions,
    ServerSession,
)
from pop3proto.testing import memory_stream, serve, serve_script
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client, connect

MAIL = b"Subject: one\r\n\r\nFirst.\r\n"
CLEARTEXT = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0)


def fetch(url: str, password: str, *, ssl_context: ssl.SSLContext | None = None) -> list[bytes]:
    """Somebody's program: fetch all there is, and delete it."""
    with connect(url, ssl_context=ssl_context) as client:
        user = re.search("//([^@]+)@", url)
        assert user is not None
        client.login(user[1], password)
        numbers = range(1, client.stat().count + 1)
        contents = [bytes(client.retr(number).content) for number in numbers]
        for number in numbers:
            client.dele(number)
        return contents


def test_a_test_in_four_lines() -> None:
    with serve({"user": [MAIL]}, password="secret") as server:
        assert fetch(server.url, "secret", ssl_context=server.client_context()) == [MAIL]
        assert server.messages("user") == []


def test_a_server_by_hand() -> None:
    session = ServerSession(MemoryMaildrops({"user": [MAIL]}), users={"user": "secret"})
    here, there = socket.socketpair()
    with here, there:
        here.sendall(b"CAPA\r\nQUIT\r\n")
        while True:
            match session.next_action():
                case Send(data):
                    there.sendall(data)
                case NeedData():
                    session.receive_data(there.recv(65536))
                case Close():
                    break
        assert here.recv(65536).endswith(b"+OK goodbye\r\n")


@pytest.mark.parametrize(
    ("how", "url"),
    [
        ({"password": "p"}, r"pop://user@127\.0\.0\.1:\d+"),
        ({"password": "p", "security": "tls"}, r"pops://user@127\.0\.0\.1:\d+"),
        ({"users": {}, "security": "plaintext"}, r"pop://127\.0\.0\.1:\d+"),
        ({"users": {"a": "", "b": ""}}, r"pop://127\.0\.0\.1:\d+"),
        ({"users": {"a@example.org": ""}}, r"pop://a%40example\.org@127\.0\.0\.1:\d+"),
        ({"users": Passwords({"a": "b"})}, r"pop://127\.0\.0\.1:\d+"),
    ],
)
def test_the_url(how: Any, url: str) -> None:
    with serve({"user": []}, **how) as server:
        assert re.fullmatch(url, server.url)
        shown = f"<LoopbackServer: {server.url}, security={server.security.value!r}>"
        assert repr(server) == shown
    assert repr(server) == f"<LoopbackServer: {server.url}, closed>"


def test_the_commands_without_their_secrets() -> None:
    users = {"user": "secret"}
    mechanisms = password_mechanisms(Passwords(users), host="localhost")
    with serve({"user": [MAIL]}, users=users, mechanisms=mechanisms) as server:
        with server.connect() as client:
            client.login("user", "secret", mechanisms=["USER"])
            client.retr(1)
        before = ["STLS", "CAPA", "USER user", "PASS <secret>", "CAPA", "RETR 1", "QUIT"]
        assert server.commands == before
        with server.connect(options=ClientOptions(capabilities=False)) as client:
            client.login("user", "secret", mechanisms=["PLAIN"])
        assert server.commands[len(before) :] == ["STLS", "AUTH PLAIN <secret>", "QUIT"]


def test_the_commands_of_one_who_cannot_spell() -> None:
    options = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0, max_failed_logins=9)
    with (
        serve({"user": []}, password="secret", security="plaintext", options=options) as server,
        socket.create_connection((server.host, server.port)) as connection,
    ):
        connection.sendall(
            b"STAT one two\r\nAPOP user c4c9334bac560ecc979e58001b3e22fb\r\nPASS\tsecret\r\n"
            b"AUTH PLAIN\r\nno base64\r\nAUTH PLAIN\r\n\r\nAUTH PLAIN\r\n*\r\n"
            b"AUTH PLAIN " + b"AHNlY3JldABzZWNyZXQx" * 20 + b"\r\nXTND \x1b[2J\r\n"
            b"USER \xff\r\nQUIT\r\n"
        )
        while connection.recv(65536):
            pass
        assert server.commands == [
            "STAT one two",
            "APOP <secret>",
            "PASS <secret>",
            "AUTH PLAIN",
            "<secret>",
            "AUTH PLAIN",
            "",
            "AUTH PLAIN",
            "*",
            "AUTH PLAIN <secret>",
            r"XTND \x1b[2J",
            r"USER \xff",
            "QUIT",
        ]


@pytest.mark.parametrize("ahead", [True, False])
def test_the_commands_of_one_who_goes_on_with_an_auth_that_was_refused(ahead: bool) -> None:
    lines = [b"AUTH NOPE", b"dXNlcg==", b"c2VjcmV0", b"XFOO", b"USER user", b"XFOO", b"QUIT"]
    with (
        serve({"user": []}, password="secret", security="plaintext", options=CLEARTEXT) as server,
        socket.create_connection((server.host, server.port)) as connection,
        connection.makefile("rb") as answers,
    ):
        answers.readline()
        for part in [b"\r\n".join(lines)] if ahead else lines:
            connection.sendall(part + b"\r\n")
            for _ in lines if ahead else [part]:
                answers.readline()
        shown = ["AUTH NOPE", "<secret>", "<secret>", "<secret>", "USER user", "XFOO", "QUIT"]
        assert server.commands == shown


def test_a_list_of_commands_is_the_callers_own() -> None:
    with serve({}, users={}, security="plaintext") as server:
        server.commands.append("STAT")
        assert server.commands == []


def test_the_messages_of_any_maildrops(tmp_path: Path) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    (tmp_path / "user" / "new" / "1.a").write_bytes(b"one\n")
    with serve(maildrops, users={"user": "secret"}) as server:
        assert server.messages("user") == [b"one\n"]
        with server.connect() as client:
            client.login("user", "secret")
            with pytest.raises(MaildropLockedError):
                server.messages("user")
        with pytest.raises(
            LocalProtocolError, match="no user is called 'usr'; the users are: user"
        ):
            server.messages("usr")
    with serve(maildrops, users=Passwords({"user": "secret"})) as server:
        assert server.messages("user") == [b"one\n"]


def test_the_messages_of_those_in_memory() -> None:
    with serve({"user": [MAIL, b"two"]}, users={"other": "secret"}) as server:
        with server.connect() as client:
            client.login("other", "secret")
            # A maildrop that is open can be looked into.
            assert server.messages("user") == [MAIL, b"two"]
        assert server.messages("other") == []
        with pytest.raises(
            LocalProtocolError, match="no user is called 'usr'; the users are: other"
        ):
            server.messages("usr")
    with (
        serve({}, users={}) as server,
        pytest.raises(LocalProtocolError, match="no user is called 'usr'; the users are: none"),
    ):
        server.messages("usr")


@pytest.mark.parametrize("security", Security)
def test_a_client_of_the_servers(security: Security) -> None:
    with serve({"user": [MAIL]}, password="secret", security=security, options=CLEARTEXT) as server:
        with server.connect() as client:
            client.login("user", "secret", mechanisms=["USER"])
            assert client.stat().count == 1
        assert server.sessions[0].secure is (security is not Security.PLAINTEXT)


def test_a_client_of_a_server_with_a_certificate_of_the_callers_own() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serve({"user": []}, password="secret", tls_context=context) as server:
        with pytest.raises(LocalProtocolError, match="did not make its certificate"):
            server.connect()
        server.connect(ssl_context=trusting).quit()


TAKERS = {
    "serve": lambda **how: serve({"user": []}, **how),
    "memory_stream": lambda **how: memory_stream({"user": []}, **how),
}
takers = pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)


@takers
@pytest.mark.parametrize("security", ["nonsense", "", "ssl", None, 3, "tls "])
def test_a_security_that_is_none_never_comes_to_no_tls(take: Any, security: Any) -> None:
    with pytest.raises(LocalProtocolError, match="security is one of"):
        take(password="secret", security=security)


@pytest.mark.parametrize("security", ["tls", "TLS", "stls", "Stls", "plaintext", "PLAINTEXT"])
def test_a_security_as_text(security: Any) -> None:
    expected = Security(security.lower())
    with serve({"user": []}, password="secret", security=security) as server:
        assert server.security is expected
        assert (server.tls_context is None) is (expected is Security.PLAINTEXT)
    stream = memory_stream({"user": []}, password="secret", security=security)
    assert stream.security is expected
    context = None if expected is Security.PLAINTEXT else stream.client_context()
    Client.start(
        stream, security=stream.security, ssl_context=context, server_hostname="localhost"
    ).quit()
    assert stream.session.secure is (expected is not Security.PLAINTEXT)


@takers
def test_somebody_has_to_be_let_in(take: Any) -> None:
    for how in ({}, {"password": "secret", "users": {"user": "secret"}}):
        with pytest.raises(
            LocalProtocolError, match="give either password= or users=, to say who may log in"
        ):
            take(**how)


@takers
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"password": 5}, "password is a str, not int"),
        ({"users": "user"}, "users maps users to passwords, or has check(), unlike str"),
        ({"users": {"user": 5}}, "users maps names to passwords, both str, not str to int"),
        ({"users": {b"user": "hidden"}}, "users maps names to passwords, both str, not bytes"),
        *(
            ({"password": "secret", **how}, told)
            for how, told in (
                ({"options": 5}, "options is a ServerOptions, not int"),
                ({"limits": 5}, "limits is a Limits, not int"),
                ({"leniency": 5}, "leniency is a Leniency, not int"),
                ({"mechanisms": "PLAIN"}, "mechanisms is a list of mechanisms, not a single str"),
                ({"mechanisms": ["PLAIN"]}, "mechanisms is a list of mechanisms, such as"),
                ({"quirks": 5}, "quirks are a set or a list, not a single int"),
                ({"quirks": None}, "quirks are a set or a list, not a single NoneType"),
                ({"security": "stls", "tls_context": True}, "tls_context is an ssl.SSLContext"),
                ({"tls_context": "cert.pem"}, "tls_context is an ssl.SSLContext, not str"),
            )
        ),
    ],
)
def test_arguments_of_another_type_are_named(take: Any, how: dict[str, Any], told: str) -> None:
    with pytest.raises(LocalProtocolError, match=re.escape(told)) as caught:
        take(**how)
    assert "hidden" not in str(caught.value)


def test_users_are_text() -> None:
    users: Any = {5: [MAIL]}
    with pytest.raises(LocalProtocolError, match="a user is a str, not int"):
        serve(users, password="secret")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"port": "0"}, "port is an int, not str"),
        ({"port": None}, "port is an int, not NoneType"),
        ({"port": True}, "port is an int, not bool"),
        ({"port": -1}, "port is at least 0, not -1"),
        ({"port": 65536}, "port is at most 65535, not 65536"),
        ({"host": 5}, "host is a str, not int"),
        ({"host": ""}, "host has 1 to 255 printable ASCII characters"),
        ({"idle_timeout": "5"}, "idle_timeout is a number of seconds, not str"),
        ({"idle_timeout": None}, "idle_timeout is a number of seconds, not NoneType"),
        ({"idle_timeout": 0}, "idle_timeout is a finite number of seconds"),
        ({"idle_timeout": -1}, "idle_timeout is a finite number of seconds"),
    ],
)
def test_where_and_how_long_to_serve(how: Any, told: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{told}"):
        serve({"user": []}, password="secret", **how)


def test_the_last_port_is_a_port() -> None:
    serve({"user": []}, password="secret", port=65535, security="plaintext")


@takers
def test_a_context_without_tls_would_be_a_server_in_the_clear(take: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(LocalProtocolError, match=r"^tls_context is for TLS or STLS"):
        take(password="secret", security="plaintext", tls_context=context)
    if "serve" not in take.__code__.co_names:
        with pytest.raises(LocalProtocolError, match=r"^tls_context is for TLS or STLS"):
            take(password="secret", tls_context=context)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(LocalProtocolError, match=r"^tls_context is for a client, not for a server"):
        take(password="secret", security="tls", tls_context=client)


@pytest.mark.parametrize("clock", [0, 5, "now"])
def test_a_clock_that_is_none(clock: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"^clock is a VirtualClock, not "):
        memory_stream({"user": []}, password="secret", clock=clock)


def test_one_password_is_for_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="password= is for a mapping of users"):
        serve(MaildirMaildrops(tmp_path), password="secret")
    with serve(MemoryMaildrops({"user": []}), password="secret") as server:
        assert fetch(server.url, "secret", ssl_context=server.client_context()) == []


@takers
@pytest.mark.parametrize("maildrops", [None, [b"mail"], b"mail", "folder"])
def test_maildrops_that_are_none(maildrops: Any, take: Any) -> None:
    function = serve if "serve" in take.__code__.co_names else memory_stream
    with pytest.raises(
        LocalProtocolError, match="maildrops is a provider, such as MemoryMaildrops, not"
    ):
        function(maildrops, users={})


@pytest.mark.parametrize("password", ["pässword", b"p\xc3\xa4ssword", Secret("pässword")])
def test_a_password_as_text_as_octets_and_hidden(password: Any) -> None:
    with serve({"user": []}, password=password) as server, server.connect() as client:
        client.login("user", "pässword")


@takers
@pytest.mark.parametrize("messages", [{"user": "text"}, {"user": b"text"}, {"user": ["text"]}])
def test_messages_that_are_no_octets(messages: Any, take: Any) -> None:
    function = serve if "serve" in take.__code__.co_names else memory_stream
    with pytest.raises(LocalProtocolError, match="of 'user'"):
        function(messages, password="secret")


def test_a_script_has_a_url_and_commands() -> None:
    with serve_script([(b"CAPA", b"-ERR no\r\n"), (b"QUIT", b"+OK\r\n")]) as server:
        assert server.url == f"pop://127.0.0.1:{server.port}"
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(b"CAPA\r\nQUIT\r\n")
            said = b""
            while not said.endswith(b"\n+OK\r\n"):
                said += connection.recv(100)
        assert server.commands == ["CAPA", "QUIT"]
        with pytest.raises(LocalProtocolError, match="a script has no maildrops"):
            server.messages("user")


def test_a_plain_server_runs_no_code_of_quirks() -> None:
    code = (
        "import sys; from pop3proto.testing import serve\n"
        "with serve({'user': [b'x']}, password='p', security='plaintext') as server:\n"
        "    with server.connect() as client: client.quit()\n"
        "assert [type(session).__name__ for session in server.sessions] == ['ServerSession']\n"
        "print(*[name for name in sys.modules if 'quirks' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
