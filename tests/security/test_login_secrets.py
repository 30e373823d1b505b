"""No frame of the library holds a password while it logs in, whenever that ends.

A traceback shows the local variables of each frame, and so do the tools that report errors. An
exception can come from anywhere: a signal can raise one between any two lines. So every line of a
login is looked at, not only those that are known to raise something.
"""

from __future__ import annotations

import hashlib
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import pop3proto
from pop3proto.compat import poplib
from pop3proto.errors import ConnectionLostError, Pop3Error
from pop3proto.sasl import by_name
from pop3proto.sasl.server import (
    Passwords,
    ServerMechanism,
    ServerOAuthBearer,
    ServerXOAuth2,
    password_mechanisms,
)
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import memory_stream, serve
from pop3proto.transcript import Recorder
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client, connect
from tests.tracebacks import shown

PASSWORD = "pa55word"
# SASLprep changes it.
SPECIAL = "pa55w\u00f6rd\u00ad"
PREPARED = "pa55w\u00f6rd"
PACKAGE = str(Path(pop3proto.__file__).parent)
OPTIONS = ServerOptions(failed_login_delay=0.0, allow_plaintext_auth=True, max_failed_logins=99)

# What has to have the octets for a moment, and calls nothing that can fail then.
MOMENTS = {
    # The line to send, while the state of the session is brought up to date.
    ("engine/client_state.py", "send", "line"),
    # What is passed to the stream: the same as below.
    ("client/exchange.py", "_drained", "data"),
}
# The stream, and the recorder within it, get the octets. The session drops the traceback of
# whatever they raise while a password is being sent: see test_batch_secrets.py.
STREAMS = ("client/stream.py", "transcript/", "transports/")


class Tokens:
    def check_token(self, user: str, token: str) -> bool:
        return token == PASSWORD


def mechanisms(password: str) -> list[ServerMechanism]:
    passwords = Passwords({"user": password})
    return [
        *password_mechanisms(passwords, host="localhost"),
        ServerXOAuth2(Tokens()),
        ServerOAuthBearer(Tokens()),
    ]


def derived(password: str) -> Iterator[bytes]:
    """What serves as well as the password."""
    octets = password.encode()
    yield hashlib.md5(b"user:localhost:" + octets).digest()
    for message in (octets, b"\0user\0" + octets, b"user=user\1auth=Bearer " + octets + b"\1\1"):
        yield b64encode(message)
    yield octets


def forms(*passwords: str) -> list[str]:
    octets = [form for password in passwords for form in derived(password)]
    return [*passwords, *(repr(form)[2:-1] for form in octets)]


class Watch:
    """Notes the local variables of the library's frames that show a secret, line by line."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = secrets
        self.found: set[tuple[str, str, str]] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        # A function that is given a secret as it is hides it in its first line.
        first = True

        def stepped(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal first
            if event == "line" and not first:
                self._look(frame)
            first = first and event != "line"
            return stepped

        return stepped

    def _look(self, frame: FrameType) -> None:
        where = frame.f_code.co_filename.removeprefix(PACKAGE + "/").replace("\\", "/")
        for name, value in list(frame.f_locals.items()):
            text = ""
            # Within a constructor, what is made has no repr yet.
            with suppress(AttributeError):
                text = f"{value!r}{value}"
            if any(secret in text for secret in self._secrets):
                self.found.add((where, frame.f_code.co_name, name))


def log_in(client: Client, name: str, password: str) -> None:
    if "OAUTH" in name:
        client.oauth("user", password, mechanism=name)
    elif name == "DIGEST-MD5":
        # It needs a name of the server.
        client.authenticate(by_name(name, "user", password, host="localhost"))
    else:
        client.login("user", password, mechanisms=[name])


NAMES = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "USER", "APOP"]
OAUTH = ["XOAUTH2", "OAUTHBEARER"]


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize(
    ("name", "password"),
    [(name, password) for name in NAMES for password in (PASSWORD, SPECIAL)]
    + [(name, PASSWORD) for name in OAUTH],
)
def test_no_line_of_a_login_has_the_password_at_hand(
    name: str, password: str, right: bool, records: bool
) -> None:
    users = {"user": password if right else "another"}
    options = ClientOptions(allow_plaintext_auth=True, recorder=Recorder() if records else None)
    watch = Watch(forms(password, PREPARED))
    # The server is in another thread, which is not watched: it has to know passwords.
    with serve(
        MemoryMaildrops({"user": []}),
        users=users,
        mechanisms=mechanisms(users["user"]),
        options=OPTIONS,
    ) as server:
        where = server.host, server.port
        with connect(*where, security=Security.PLAINTEXT, options=options) as client:
            failed: list[Pop3Error] = []
            with watch.watching():
                try:
                    log_in(client, name, password)
                except Pop3Error as error:
                    failed.append(error)
            assert (not failed) is (right or name in OAUTH)
    found = {each for each in watch.found if not each[0].startswith(STREAMS)}
    assert found - MOMENTS == set()


@pytest.mark.parametrize("name", [*NAMES, *OAUTH])
def test_no_line_of_the_drop_in_has_the_password_at_hand(name: str) -> None:
    watch = Watch(forms(PASSWORD))
    with serve(
        MemoryMaildrops({"user": []}),
        users={"user": PASSWORD},
        mechanisms=mechanisms(PASSWORD),
        options=OPTIONS,
    ) as server:
        client = poplib.POP3(server.host, server.port, timeout=30)
        client.host = "localhost"
        with watch.watching():
            match name:
                case "USER":
                    client.user("user")
                    client.pass_(PASSWORD)
                case "APOP":
                    client.apop("user", PASSWORD)
                case _:
                    client.auth(name, user="user", password=PASSWORD)
        client.quit()
    # What is printed, and told to auditors, is made from the line, and cannot fail.
    found = {each for each in watch.found if each[0] != "transcript/redact.py"}
    assert found - MOMENTS == set()


class Cut:
    """A stream that fails at the ``count``-th call of ``method``."""

    def __init__(self, inner: Any, method: str, count: int, error: BaseException) -> None:
        self._inner, self._method, self._count, self._error = inner, method, count, error

    async def _call(self, method: str, *arguments: Any) -> Any:
        if method == self._method:
            self._count -= 1
            if self._count == 0:
                del arguments
                raise self._error
        return await getattr(self._inner, method)(*arguments)

    async def send(self, data: bytes, timeout: float | None) -> None:
        await self._call("send", data, timeout)

    async def receive(self, timeout: float | None) -> bytes:
        received: bytes = await self._call("receive", timeout)
        return received

    async def aclose(self) -> None:
        await self._inner.aclose()

    def abort(self) -> None:
        self._inner.abort()


ERRORS: list[Callable[[], BaseException]] = [
    ConnectionResetError,
    TimeoutError,
    MemoryError,
    lambda: RuntimeError("a bug"),
    KeyboardInterrupt,
]


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("make", ERRORS)
@pytest.mark.parametrize("method", ["send", "receive"])
@pytest.mark.parametrize("name", [*NAMES, *OAUTH])
def test_whatever_ends_a_login(
    name: str, method: str, make: Callable[[], BaseException], records: bool
) -> None:
    secrets = forms(PASSWORD)
    count, ended = 1, False
    while not ended:
        stream = memory_stream(
            MemoryMaildrops({"user": []}),
            users={"user": PASSWORD},
            mechanisms=mechanisms(PASSWORD),
            options=OPTIONS,
            security=Security.PLAINTEXT,
        )
        # The greeting, and CAPA, are not part of it.
        cut = Cut(stream, method, 0, make())
        options = ClientOptions(allow_plaintext_auth=True, recorder=Recorder() if records else None)
        client = Client.start(cut, security=Security.PLAINTEXT, options=options)
        cut._count = count
        try:
            log_in(client, name, PASSWORD)
            ended = True
        except (Pop3Error, type(make())) as error:
            text = shown(error)
            assert [secret for secret in secrets if secret in text] == []
        client.abort()
        count += 1
    assert count > 2


HASHES = ["pbkdf2_hmac", "md5", "new"]


@pytest.mark.parametrize("name", [*NAMES[2:6], "APOP"])
@pytest.mark.parametrize("function", HASHES)
def test_a_hash_that_this_machine_refuses(
    name: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As OpenSSL does where only some of them are allowed.
    stream = memory_stream(
        MemoryMaildrops({"user": []}),
        users={"user": "another"},
        mechanisms=mechanisms("another"),
        options=OPTIONS,
        security=Security.PLAINTEXT,
    )
    options = ClientOptions(allow_plaintext_auth=True)
    client = Client.start(stream, security=Security.PLAINTEXT, options=options)

    def refuse(*arguments: Any, **others: Any) -> None:
        del arguments, others
        raise ValueError("unsupported hash type")

    secrets = forms(PASSWORD)
    monkeypatch.setattr(hashlib, function, refuse)
    with pytest.raises((ValueError, Pop3Error)) as caught:
        log_in(client, name, PASSWORD)
    text = shown(caught.value)
    assert [secret for secret in secrets if secret in text] == []
    assert not isinstance(caught.value, ConnectionLostError)
    client.abort()
