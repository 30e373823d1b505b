"""Inputs of the fuzzers: octets that say what an engine goes through.

The first octets say how the rest is cut into chunks and pulled, what is limited and tolerated,
where the session stands (client) and what is answered (server). The rest are steps: octets that
arrive and, after the octet 0xFE, commands to be sent, or TLS. Any octets are an input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..._value import options
from ...engine.client import ClientConnection
from ...engine.server import ServerConnection
from ...model.command import Command
from ...model.commands import (
    Capa,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    Upload,
    Utf8,
)
from ...model.leniency import Fault, Leniency
from ...model.limits import Limits
from ...model.login_commands import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Pass,
    Rpop,
    User,
)
from ...model.states import State
from ...transcript.recorded import TlsEstablished, auth_line, recorded_command
from .talking import Step, client, greeted_server

MARK = b"\xfe"
COMMANDS: tuple[Command[Any], ...] = (
    *(Noop(), Stat(), List(), List(1), List(2), Uidl(), Uidl(1), Uidl(2), Last()),
    *(Retr(1), Retr(2), Top(1, 0), Dele(1), Rset(), Capa(), Lang("en"), Lang(), Quit()),
    *(Extension.single("XTND XMIT"), Extension.multi("XTND XLST"), Upload(b"text\n")),
    *(User("user"), Pass("secret"), Apop("user", "0" * 32), Rpop("user"), AuthList()),
    *(Auth("PLAIN"), Auth("PLAIN", b"\0user\0secret"), Auth("CRAM-MD5")),
    *(Auth("NTLM", complete=False), AuthResponse(b"x"), AuthResponse(b"", complete=False)),
    *(AuthCancel(), Stls(), Utf8()),
)
STATES = (State.TRANSACTION, State.AUTHORIZATION, State.GREETING)
# Each limit is exceeded within a few dozen octets, and some of them without the others.
LIMITS: tuple[Limits, ...] = (
    Limits(),
    Limits(
        status_line=40,
        listing_line=12,
        listing_lines=4,
        listing_octets=40,
        challenge=24,
        commands_in_flight=3,
        command_line=24,
        auth_line=40,
        upload=16,
    ),
    Limits(listing_octets=30, challenge=6, command_line=60, auth_line=30),
    Limits(listing_lines=3, listing_line=40, upload=1),
)
LENIENCIES: tuple[Leniency, ...] = (Leniency(), Leniency.none(), *map(Leniency().refusing, Fault))
SIZES = tuple(range(1, 65))
# After the mark: TLS, a line within AUTH, and a command line. Other octets choose from COMMANDS.
_TLS, _AUTH_LINE, _LINE = 0xFF, 0xFC, 0xFD
T = TypeVar("T")


def _chosen(values: Sequence[T], octet: int) -> T:
    return values[octet % len(values)]


@options
class ClientInput:
    """What a client's engine goes through."""

    size: int = 1
    pulls: int = 0
    limits: Limits = Limits()
    leniency: Leniency = Leniency()
    state: State = State.TRANSACTION
    steps: Sequence[Step] = ()

    @classmethod
    def from_bytes(cls, data: bytes) -> ClientInput:
        """Return the input that ``data`` stands for; any octets stand for one."""
        head, body = data[:5].ljust(5, b"\0"), data[5:]
        return cls(
            **_settings(head),
            state=_chosen(STATES, head[4]),
            steps=_steps(body),
        )

    def to_bytes(self) -> bytes:
        """Return octets that stand for this input."""
        return bytes([*_head(self), STATES.index(self.state)]) + _body(self.steps)

    def engine(self, make: Callable[..., ClientConnection] = ClientConnection) -> ClientConnection:
        """Return a new engine, where this input begins."""
        return client(state=self.state, engine=make, limits=self.limits, leniency=self.leniency)


@options
class ServerInput:
    """What a server's engine goes through, and what it answers."""

    size: int = 1
    pulls: int = 0
    limits: Limits = Limits()
    leniency: Leniency = Leniency()
    choices: Sequence[int] = ()
    """The answers to the first twelve commands; see ``Answers``."""
    steps: Sequence[Step] = ()

    @classmethod
    def from_bytes(cls, data: bytes) -> ServerInput:
        """Return the input that ``data`` stands for; any octets stand for one."""
        head, body = data[:7].ljust(7, b"\0"), data[7:]
        return cls(
            **_settings(head),
            choices=[octet >> shift & 3 for octet in head[4:] for shift in (0, 2, 4, 6)],
            steps=_steps(body),
        )

    def to_bytes(self) -> bytes:
        """Return octets that stand for this input."""
        choices = sum(choice << 2 * place for place, choice in enumerate(self.choices))
        return _head(self) + choices.to_bytes(3, "little") + _body(self.steps)

    def engine(self, make: Callable[..., ServerConnection] = ServerConnection) -> ServerConnection:
        """Return a new engine that has sent its greeting."""
        return greeted_server(make, limits=self.limits, leniency=self.leniency)


def _settings(head: bytes) -> dict[str, Any]:
    """Return what both kinds of input begin with; ``_head()`` turns it back."""
    return {
        "size": _chosen(SIZES, head[0]),
        "pulls": head[1] % 4,
        "limits": _chosen(LIMITS, head[2]),
        "leniency": _chosen(LENIENCIES, head[3]),
    }


def _head(given: ClientInput | ServerInput) -> bytes:
    limits, leniency = LIMITS.index(given.limits), LENIENCIES.index(given.leniency)
    return bytes([SIZES.index(given.size), given.pulls, limits, leniency])


def _steps(body: bytes) -> list[Step]:
    first, *marked = body.split(MARK)
    steps: list[Step] = [first]
    for piece in marked:
        kind, rest = piece[:1] or b"\0", piece[1:]
        if kind[0] == _TLS:
            steps.append(TlsEstablished())
        elif kind[0] in (_AUTH_LINE, _LINE):
            line, _, rest = rest.partition(b"\n")
            steps.append(auth_line(line) if kind[0] == _AUTH_LINE else recorded_command(line, ()))
        else:
            steps.append(_chosen(COMMANDS, kind[0]))
        steps.append(rest)
    return [step for step in steps if step != b""]


def _body(steps: Sequence[Step]) -> bytes:
    return b"".join(map(_written, steps))


def _written(step: Step) -> bytes:
    if isinstance(step, bytes):
        # An octet of this value in somebody's mail would begin a command.
        return step.replace(MARK, b"\xff")
    if isinstance(step, TlsEstablished):
        return MARK + bytes([_TLS])
    if step in COMMANDS:
        return MARK + bytes([COMMANDS.index(step)])
    kind = _AUTH_LINE if isinstance(step, AuthResponse | AuthCancel) else _LINE
    return MARK + bytes([kind]) + step.to_bytes().removesuffix(b"\r\n") + b"\n"
