"""Every argument of every public function, class and method, given what it is not.

Whatever comes of it is the caller's mistake, so the error names the argument: no error of the
inside, such as ``'<=' not supported`` or ``has no attribute 'limits'``, comes through.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import GenericAlias
from typing import Any, cast

import pytest

import pop3proto
from pop3proto import (
    Capabilities,
    ClientConnection,
    Greeting,
    Listings,
    LocalProtocolError,
    Login,
    Noop,
    Pop3Error,
    ServerConnection,
)
from pop3proto.conformance import Report
from pop3proto.sasl.users import Passwords
from pop3proto.server import (
    MaildirMaildrops,
    MemoryMaildrops,
    ServerOptions,
    ServerPlain,
    ServerSession,
)
from pop3proto.sync import Policy
from pop3proto.testing import ScriptError, memory_stream
from pop3proto.transcript import Recorder, Transcript
from pop3proto.transports import TlsPipe
from pop3proto.transports.blocking import Client
from tests.test_architecture import PUBLIC

WRONG: list[Any] = [
    5,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    10**400,
    True,
    None,
    "x\udcff",
    b"\xff",
    "",
    b"",
    "x\0y",
    bytearray(b"x"),
    (),
    object(),
    [object()],
    [[]],
    {},
    Exception,
]
# pytest's own, Hypothesis's, and what behaves like the standard library, mistakes included.
ELSEWHERE = {"testing.plugin", "testing.strategies", "compat", "compat.poplib", "errors"}
# Made by what returns them, and by nothing else.
NOT_MADE = {
    "AsyncBatch",
    "AsyncClient",
    "AsyncMessageStream",
    "AsyncNewMessages",
    "Batch",
    "Client",
    "MessageStream",
    "NewMessage",
    "NewMessages",
    "Replay",
}


def client() -> Client:
    return Client.start(memory_stream({"u": [b"x\r\n"]}, password="p"), security="plaintext")


GIVEN: dict[str, Callable[[], Any]] = {
    "stream": lambda: memory_stream({"u": [b"x"]}, password="p"),
    "transcript": Transcript,
    "maildrops": lambda: MemoryMaildrops({"u": [b"x"]}),
    "runs": lambda: 1,
    "seconds": lambda: 0.05,
    "user": lambda: "u",
    "users": lambda: {"u": "p"},
    "context": ssl.create_default_context,
    "server_hostname": lambda: "x",
    "script": lambda: [(b"QUIT", b"+OK\r\n")],
    "role": lambda: "client",
    "command": Noop,
    "mechanism": lambda: "PLAIN",
    "name": lambda: "PLAIN",
    "sizes": Listings,
    "capabilities": Capabilities,
    "client": client,
    "policy": Policy,
}
# Where a name means something else than in GIVEN, or nothing general will do.
IN_ITS_PLACE: dict[tuple[str, str], Any] = {
    ("command", "tuple[str, ...]"): ("true",),
    ("address", "tuple[str, int] | str"): ("127.0.0.1", 1),
    ("arguments", "Sequence[str]"): ["true"],
    ("recipient", "str"): "user@example.org",
    ("recipient", "str | Sequence[str]"): "user@example.org",
    ("report", "Report"): Report("client", "x", [], time="", version=""),
}
BY_ANNOTATION: list[tuple[str, Any]] = [
    ("Mapping", {}),
    ("Iterable|Sequence|tuple|Collection", []),
    ("^int", 1),
    ("^float", 1.0),
    ("^bytes", b"x"),
    ("^bool", True),
    ("Path", "nowhere"),
    ("Callable", lambda *_: None),
    ("^str", "x"),
]
# What an error calls an argument that has a more general name.
CALLED = {
    "auth": ["POP URL"],
    "client": ["a blocking client"],
    "content": ["message", "upload"],
    "data": ["a response to a challenge"],
    "host": ["POP URL"],
    "initial_response": ["a response to a challenge"],
    "port": ["POP URL"],
    "mechanism": ["takes no access token"],
    "rows": ["a message number"],
    "salt_octets": ["octets of salt"],
    "scheme": ["POP URL"],
    "server_hostname": ["host"],
    "ssl_context": ["context"],
    "text": ["POP URL"],
    "user": ["POP URL", "a secret"],
}
# The errors of what was right as an argument, but not possible then, or not with the others.
NOT_POSSIBLE = (
    "an APOP digest",
    "kerberos is not possible here",
    "the password is empty",
    "the user name is empty",
    "mechanism is an object",
    "not possible in the state",
    "this command is not answered by a text",
    "the greeting has to be sent first",
    "before the handshake is done",
    "this login waits for the greeting",
    "the user 'u' has no maildrop here",
)
# The errors of what was right, but led nowhere: no such file, no server, nobody who logs in.
LED_NOWHERE = (Pop3Error, OSError, ScriptError)


def right(parameter: inspect.Parameter) -> Any:
    place = (parameter.name, str(parameter.annotation))
    if place in IN_ITS_PLACE:
        return IN_ITS_PLACE[place]
    if parameter.name in GIVEN and parameter.annotation != "bytes":
        return GIVEN[parameter.name]()
    for pattern, given in BY_ANNOTATION:
        if re.search(pattern, str(parameter.annotation)):
            return given
    return None


def call(function: Callable[..., Any], arguments: dict[str, Any], positional: list[str]) -> None:
    first = [arguments.pop(name) for name in positional if name in arguments]
    result: Any = function(*first, **arguments)

    async def awaited() -> None:
        await result

    if inspect.isawaitable(result):
        asyncio.run(awaited())
    elif isinstance(result, AbstractContextManager) and inspect.isgeneratorfunction(
        inspect.unwrap(function)
    ):
        with result:
            pass
    elif isinstance(result, Iterator):
        list(cast("Iterator[object]", result))


def named(error: BaseException, parameter: str) -> bool:
    words = [parameter, parameter.rstrip("s"), parameter.replace("_", " ")]
    words += CALLED.get(parameter, [])
    return any(word.lower() in str(error).lower() for word in words)


def accepted(error: BaseException, parameter: str, wrong: Any, unknown: list[str]) -> bool:
    if type(error) is LocalProtocolError and wrong is not Exception:
        # Another one, for which right() has nothing, may be refused first.
        rightly = any(named(error, name) for name in (parameter, *unknown))
        return rightly or any(said in str(error) for said in NOT_POSSIBLE)
    if isinstance(error, LED_NOWHERE):
        return True
    # What the caller's own function does; and trio, without its event loop.
    return wrong is Exception or "async context" in str(error)


def mistakes(function: Callable[..., Any]) -> list[str]:
    """What comes through that tells the caller nothing."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except ValueError:
        return []
    parameters = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    names = {p.name for p in parameters}
    needed = {
        "users": {"maildrops"} <= names,
        "server_hostname": "context" in names,
        # Or a wrong argument that is right after all would take a minute.
        "runs": "runs" in names,
        "seconds": "runs" in names,
    }
    found: list[str] = []
    for parameter in parameters:
        for wrong in WRONG:
            arguments = {p.name: right(p) for p in parameters if p.default is p.empty}
            for name, also in needed.items():
                if also and name in names:
                    arguments[name] = GIVEN[name]()
            arguments[parameter.name] = wrong
            unknown = [name for name, given in arguments.items() if given is None]
            try:
                call(function, arguments, positional)
            except Exception as error:  # noqa: BLE001 - which ones may come is the question
                if not accepted(error, parameter.name, wrong, unknown):
                    found.append(f"{parameter.name}={wrong!r}: {type(error).__name__}: {error}")
    return found


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for place in PUBLIC:
        if place in ELSEWHERE:
            continue
        module = import_module("pop3proto" if place == "(package)" else f"pop3proto.{place}")
        for name in module.__all__:
            shown = getattr(module, name)
            elsewhere = place != "(package)" and name in pop3proto.__all__
            alias = isinstance(shown, GenericAlias)
            if elsewhere or alias or name in NOT_MADE or not callable(shown):
                continue
            if not isinstance(shown, type):
                yield f"{place}.{name}", shown
            elif not (issubclass(shown, BaseException | Enum) or vars(shown).get("_is_protocol")):
                yield f"{place}.{name}", shown
                for method, held in vars(shown).items():
                    if isinstance(held, classmethod | staticmethod) and method[0] != "_":
                        yield f"{place}.{name}.{method}", getattr(shown, method)


FUNCTIONS = dict(functions())


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_there_are_as_many_as_the_reference_has() -> None:
    assert len(FUNCTIONS) > 150


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_argument_is_named(name: str) -> None:
    assert mistakes(FUNCTIONS[name]) == []


OBJECTS: dict[str, Callable[[], Any]] = {
    "Client": client,
    "ClientConnection": ClientConnection,
    "ServerConnection": ServerConnection,
    "MemoryMaildrops": lambda: MemoryMaildrops({"u": [b"x"]}),
    "Recorder": Recorder,
    "Transcript": Transcript,
    "Capabilities": lambda: Capabilities.of("TOP"),
    "Listings": lambda: Listings([(1, 2)]),
    "Greeting": lambda: Greeting("x"),
    "Login": lambda: Login("u", "p"),
    "MaildirMaildrops": lambda: MaildirMaildrops("maildirs"),
    "MessageStream": lambda: client().retr_stream(1),
    "ServerOptions": ServerOptions,
    "ServerPlain": lambda: ServerPlain(Passwords({"u": "p"})),
    "ServerSession": lambda: ServerSession(MemoryMaildrops(), {"u": "p"}),
    "MemoryStream": lambda: memory_stream({"u": [b"x"]}, password="p"),
    "TlsPipe": lambda: TlsPipe(ssl.create_default_context(), server_hostname="x"),
}


def methods() -> Iterator[tuple[str, str]]:
    for kind, make in OBJECTS.items():
        made = make()
        for name in dir(made):
            if isinstance(inspect.getattr_static(made, name), property):
                continue
            method = getattr(made, name, None)
            # Not those of Sequence and Mapping.
            if name[0] != "_" and inspect.ismethod(method) and "pop3proto" in method.__module__:
                yield kind, name


@pytest.mark.parametrize(("kind", "name"), list(methods()))
def test_a_wrong_argument_of_a_method_is_named(kind: str, name: str) -> None:
    def function(*args: Any, **kwargs: Any) -> Any:
        return getattr(OBJECTS[kind](), name)(*args, **kwargs)

    made = OBJECTS[kind]()
    function.__signature__ = inspect.signature(getattr(made, name))  # type: ignore[attr-defined]
    assert mistakes(function) == []
