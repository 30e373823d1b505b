"""A server for logins: lines that it expects, and what it answers."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import pytest

from pop3proto import ClientConnection, Login, Signal

OK = b"+OK\r\n"
NO = b"-ERR no\r\n"
GREETING = b"+OK ready <1.2@example.org>\r\n"
SECRET = "pa55word"
PLAIN = b64encode(b"\0user\0" + SECRET.encode())
Turn = tuple[bytes, bytes]


def b64(octets: bytes) -> bytes:
    return b64encode(octets)


def capa(*lines: str) -> Turn:
    return b"CAPA", b"".join([b"+OK\r\n", *(f"{line}\r\n".encode() for line in lines), b".\r\n"])


def connected(*, secure: bool = True, greeting: bytes = GREETING, **options: Any) -> Any:
    """Return an engine that has a greeting to return."""
    engine = ClientConnection(secure=secure, **options)
    engine.receive_data(greeting)
    return engine


def told(engine: Any) -> Any:
    event = engine.next_event()
    assert not isinstance(event, Signal)
    return event


def talk(login: Login, *turns: Turn, engine: Any = None, tokens: tuple[str, ...] = ()) -> Any:
    """Let the login run against the script, and return its result."""
    engine = connected() if engine is None else engine
    script, left = list(turns), list(tokens)
    command = login.feed(told(engine), engine)
    while not login.done:
        if login.wants_token:
            command = login.token(left.pop(0))
            continue
        if command is not None:
            expected, answer = script.pop(0)
            assert engine.send(command) == expected + b"\r\n"
            engine.receive_data(answer)
        command = login.feed(told(engine), engine)
    assert not script
    assert not left
    return login.result


def without_md5_for_security(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MD5 be refused unless it is said not to be for security, as on systems with FIPS 140."""
    original = hashlib.md5

    def md5(octets: bytes = b"", *, usedforsecurity: bool = True) -> Any:
        assert not usedforsecurity
        return original(octets, usedforsecurity=usedforsecurity)

    monkeypatch.setattr(hashlib, "md5", md5)


def counted_calls(monkeypatch: pytest.MonkeyPatch, module: Any, *names: str) -> list[str]:
    """Have the calls of these functions noted; return the list to which their names are added."""
    done: list[str] = []
    for name in names:
        original = getattr(module, name)

        def counted(*args: Any, name: str = name, original: Any = original, **more: Any) -> Any:
            done.append(name)
            return original(*args, **more)

        monkeypatch.setattr(module, name, counted)
    return done
