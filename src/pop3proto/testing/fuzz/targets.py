"""One function for each role, which raises only if the engine does something wrong.

Each input is run in one piece and in chunks, with events pulled at once and as late as possible:
the events have to be the same, and the only exceptions are those that the documents name. Then the
engine is compared with the reference parser.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...engine.client import ClientConnection
from ...engine.server import ServerConnection
from ...errors import (
    ConnectionLostError,
    LimitError,
    LocalProtocolError,
    RemoteProtocolError,
    StlsInjectionError,
)
from ...model.command import Command
from ...model.commands import Stls, Upload
from ...model.events import ConnectionClosed, InvalidCommand
from ...model.leniency import Deviation, Fault
from ...model.login_commands import Auth, AuthResponse
from ...model.replies import MessageData, MessageStart, Ok
from ...model.states import State
from .inputs import ClientInput, ServerInput
from .reference import Octets, client_events
from .reference_commands import command_in
from .talking import Answers, Cut, by, drained, fed, lines, talked, whole, without_chance

__all__ = ["DifferenceError", "fuzz_client", "fuzz_server"]

# So many chunks show what there is to be seen. Twenty thousand would take a second.
_CHUNKS = 300
# A dot-terminated text keeps so many octets back, which may belong to its terminator.
_HELD_BACK = 5


class DifferenceError(AssertionError):
    """Two ways to read the same octets gave different events."""


def fuzz_client(data: bytes, engine: Callable[..., ClientConnection] = ClientConnection) -> None:
    """Feed a client's engine with what a server may send, and send commands in between."""
    given = ClientInput.from_bytes(data)

    def run(cut: Cut, pulls: int | None, *, ahead: bool = False) -> list[Any]:
        return talked(given.engine(engine), given.steps, cut=cut, pulls=pulls, ahead=ahead)

    _compare(given, run)
    _same(given, run(whole, 0, ahead=True), run(_chunks(given), 0, ahead=True))
    _compare_client(given, engine)


def fuzz_server(data: bytes, engine: Callable[..., ServerConnection] = ServerConnection) -> None:
    """Feed a server's engine with what a client may send, and answer it."""
    given = ServerInput.from_bytes(data)

    def run(cut: Cut, pulls: int | None) -> list[Any]:
        made = given.engine(engine)
        return talked(made, given.steps, cut=cut, pulls=pulls, choices=given.choices)

    _compare(given, run)
    _compare_server(given, engine)


def _compare(given: ClientInput | ServerInput, run: Callable[[Cut, int | None], list[Any]]) -> None:
    expected, chunks = run(whole, None), _chunks(given)
    for cut, pulls in ((chunks, None), (chunks, given.pulls), (lines, given.pulls)):
        _same(given, expected, run(cut, pulls))


def _chunks(given: ClientInput | ServerInput) -> Cut:
    octets = sum(len(step) for step in given.steps if isinstance(step, bytes))
    return by(max(given.size, octets // _CHUNKS))


def _same(given: ClientInput | ServerInput, expected: list[Any], other: list[Any]) -> None:
    if without_chance(other) != without_chance(expected):
        raise DifferenceError(f"{given}: the chunks change the events: {other} != {expected}")


def _octets(given: ClientInput | ServerInput) -> bytes:
    return b"".join(step for step in given.steps if isinstance(step, bytes))


def _compare_client(given: ClientInput, make: Callable[..., ClientConnection]) -> None:
    """Compare with the reference: first all commands are sent, then all octets arrive."""
    engine, sent = given.engine(make), list[Command[Any]]()
    for step in given.steps:
        with suppress(LocalProtocolError):
            if isinstance(step, Command):
                engine.send(step)
                sent.append(step)
    wire = _octets(given)
    expected = client_events(sent, wire, given.state, given.leniency)
    events = fed(engine, [wire] if wire else [])
    match events[-1:]:
        case [(error, *_)] if error is LimitError:
            # The reference has no limits.
            return
        case [(error, *_)]:
            events[-1] = (error,)
        case _:
            pass
    for some in (expected, events):
        _settle(some)
    if _is_cut(events) and _is_cut(expected):
        short, long = events[-2].data, expected[-2].data
        if long.startswith(short) and len(long) - len(short) <= _HELD_BACK:
            expected[-2] = events[-2]
    if events != expected:
        raise DifferenceError(f"{given}: {events}, and by the reference {expected}")


def _settle(events: list[Any]) -> None:
    """Take away what depends on when octets arrive, or on how many are held back."""
    if events[-1:] != [(StlsInjectionError,)] and not _is_lost(events):
        return
    previous = events[-2] if len(events) > 1 else None
    if not _is_lost(events):
        if isinstance(previous, Ok) and isinstance(previous.command, Stls):
            del events[-2]
    elif isinstance(previous, MessageStart):
        # A text of which all octets are held back.
        events.insert(-1, MessageData(b""))


def _is_lost(events: list[Any]) -> bool:
    return events[-1:] == [(ConnectionLostError,)]


def _is_cut(events: list[Any]) -> bool:
    return _is_lost(events) and len(events) > 1 and isinstance(events[-2], MessageData)


def _compare_server(given: ServerInput, make: Callable[..., ServerConnection]) -> None:
    """Compare each line with the reference, in the state that the engine is in by then."""
    engine, octets = given.engine(make), Octets(_octets(given))
    answers = Answers(engine, given.choices)
    if octets.rest:
        engine.receive_data(octets.rest)
    engine.receive_data(b"")
    while True:
        expected = _expected(given, engine, octets, uploading=answers.uploading)
        events: list[Any] = []
        try:
            for event in drained(engine):
                events.append(event)
                if not isinstance(event, Deviation):
                    break
        except (RemoteProtocolError, ConnectionLostError) as error:
            events.append((type(error),))
        if events[-1:] == [(LimitError,)] and answers.uploading:
            return
        if isinstance(events[-1], InvalidCommand):
            events[-1] = InvalidCommand(events[-1].line, "")
        if events != expected:
            raise DifferenceError(f"{given}: {events}, and by the reference {expected}")
        if isinstance(events[-1], tuple | ConnectionClosed):
            return
        answers.answer(events[-1])


def _expected(
    given: ServerInput, engine: ServerConnection, octets: Octets, *, uploading: bool
) -> list[Any]:
    """Return the next event, the deviations before it, or the class of an error."""
    state, limits = engine.state, given.limits
    if state is State.TLS_NEGOTIATION and octets.rest:
        return [(StlsInjectionError,)]
    if state in (State.UPDATE, State.CLOSED):
        return [(RemoteProtocolError,)] if octets.rest else [ConnectionClosed()]
    if uploading:
        content, _, ended = octets.text()
        newline = octets.newline
        return [Upload(b"".join(line + newline for line in content)) if ended else _LOST]
    strict = Fault.BARE_LF not in given.leniency
    line = octets.line(strict=strict)
    if line is None:
        closed = not octets.rest and state in (State.AUTHORIZATION, State.TRANSACTION)
        return [ConnectionClosed() if closed else _LOST]
    in_auth = state is State.AUTHENTICATING
    size = len(line) + len(octets.newline)
    most = limits.auth_line
    if not in_auth and line[:5].upper() != b"AUTH ":
        most = min(most, limits.command_line)
    if size > most:
        return [InvalidCommand(b"", "")]
    events: list[Any] = []
    if octets.newline == b"\n":
        events.append(Deviation(Fault.BARE_LF, None, b""))
    tolerated = Fault.EIGHT_BIT_COMMAND in given.leniency
    command = command_in(line, in_auth=in_auth, eight_bit=engine.utf8 or tolerated)
    if not line.isascii() and not engine.utf8 and tolerated and not _has_control(line):
        events.append(Deviation(Fault.EIGHT_BIT_COMMAND, None, b""))
    answer = _answer_in(command)
    if answer is not None and len(answer) > limits.challenge:
        command = None
    return [*events, InvalidCommand(line, "") if command is None else command]


_LOST = (ConnectionLostError,)


def _has_control(line: bytes) -> bool:
    return any(octet < 0x20 or octet == 0x7F for octet in line)


def _answer_in(command: Command[Any] | None) -> bytes | None:
    """Return the octets of SASL in a command."""
    if isinstance(command, AuthResponse):
        return command.data.octets()
    if isinstance(command, Auth) and command.initial_response is not None:
        return command.initial_response.octets()
    return None
