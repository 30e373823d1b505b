"""The same session under each mode of the interpreter, in other interpreters and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pop3proto

SRC = str(Path(pop3proto.__file__).parent.parent)
# Without a network: a server in memory, on the blocking client and on asyncio.
SESSION = """
import asyncio
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import memory_stream
from pop3proto.transports.asyncio import AsyncClient
from pop3proto.transports.blocking import Client
from pop3proto.transports import ClientOptions
from pop3proto.server import ServerOptions

def stream(maildrops):
    options = ServerOptions(allow_plaintext_auth=True)
    return memory_stream(maildrops, password="secret", options=options)

def session():
    maildrops = MemoryMaildrops({"user": [b"one\\r\\n", b".two\\r\\n"]})
    inner = stream(maildrops)
    options = ClientOptions(allow_plaintext_auth=True)
    with Client.start(inner, security=inner.security, options=options) as client:
        client.login("user", "secret")
        said = [bytes(client.retr(number)) for number in (1, 2)]
        client.dele(1)
        try:
            client.retr(0)
        except pop3proto.LocalProtocolError as error:
            said.append(type(error).__name__.encode())
    said += maildrops.contents("user")
    return said

async def again():
    inner = stream(MemoryMaildrops({"user": [b"three\\r\\n"]}))
    options = ClientOptions(allow_plaintext_auth=True)
    async with await AsyncClient.start(inner, security=inner.security, options=options) as client:
        await client.login("user", "secret")
        return bytes(await client.retr(1))

import pop3proto
result = [*session(), asyncio.run(again())]
if result != [b"one\\r\\n", b".two\\r\\n", b"LocalProtocolError", b".two\\r\\n", b"three\\r\\n"]:
    raise SystemExit(f"something else: {result}")
"""


def run(*options: str, code: str = SESSION) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, "PYTHONPATH": SRC},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # Nothing was left open, and nothing warned.
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["-O"],
        ["-OO"],
        ["-X", "dev", "-W", "error"],
        ["-bb", "-W", "error"],
        ["-X", "utf8=0"],
    ],
    ids=" ".join,
)
def test_a_session_in_each_mode(options: list[str]) -> None:
    run(*options)


def test_no_check_is_an_assertion() -> None:
    """With ``-O`` a wrong argument and a hostile answer raise what they do without it."""
    code = """
from pop3proto import ClientConnection, Limits, LocalProtocolError, RemoteProtocolError, Retr
for wrong in (lambda: Retr(0), lambda: Limits(upload=-1), lambda: ClientConnection(limits=1)):
    try:
        wrong()
    except LocalProtocolError:
        print("refused")
client = ClientConnection()
client.receive_data(b"+OK\\r\\n+OK\\r\\n")
client.next_event()
try:
    client.next_event()
except RemoteProtocolError:
    print("refused")
"""
    assert run(code=code) == run("-O", code=code) == "refused\n" * 4


@pytest.mark.parametrize("command", ["--help", "--version"])
def test_the_command_line_without_docstrings(command: str) -> None:
    code = f"import sys; from pop3proto.cli.main import main; main([{command!r}])"
    assert "pop3proto" in run("-OO", code=code)


SUBINTERPRETERS = """
import importlib
interpreters = importlib.import_module({module!r})
for _ in range(3):
    made = interpreters.create()
    failed = interpreters.run_string(made, {code!r})
    if failed:
        raise SystemExit(str(failed))
    interpreters.destroy(made)
"""


ENGINES = """
from pop3proto import (
    ClientConnection, Greeting, MessageData, MessageEnd, MessageStart, Ok, Pass, Retr,
    ServerConnection, Signal
)
client, server = ClientConnection(), ServerConnection()
client.receive_data(server.send(Greeting("ready")))
client.next_event()
for command in (Pass("secret"), Retr(1)):
    server.receive_data(client.send(command))
    asked = server.next_event()
    if isinstance(asked, Retr):
        for reply in (MessageStart(asked), MessageData(b".text\\r\\n"), MessageEnd(asked)):
            client.receive_data(server.send(reply))
    else:
        client.receive_data(server.send(Ok(asked)))
    said = []
    while not isinstance(event := client.next_event(), Signal):
        said.append(event)
if said[1] != MessageData(b".text\\r\\n"):
    raise SystemExit(f"something else: {said}")
"""
older = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="subinterpreters with a lock of their own: from 3.12 on"
)
hashing = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="up to 3.12, hashlib alone crashes the end of one"
)


@older
@pytest.mark.parametrize(
    "code", [ENGINES, pytest.param(SESSION, marks=hashing)], ids=["engines", "session"]
)
def test_subinterpreters(code: str) -> None:
    """Several in turn, because nothing is kept between them."""
    module = "_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters"
    run(code=SUBINTERPRETERS.format(module=module, code=code))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork() -> None:
    """A session is begun before, goes on in the parent, and the child has sessions of its own."""
    code = (
        SESSION
        + """
import os
inner = stream(MemoryMaildrops({"user": [b"one\\r\\n"]}))
options = ClientOptions(allow_plaintext_auth=True)
with Client.start(inner, security=inner.security, options=options) as client:
    client.login("user", "secret")
    child = os.fork()
    if child == 0:
        os._exit(0 if session() == result[:-1] else 1)
    if os.waitpid(child, 0)[1] or bytes(client.retr(1)) != b"one\\r\\n":
        raise SystemExit("not after a fork")
"""
    )
    run(code=code)
