"""What is fuzzed: one function for each role, which raises only if something is wrong.

The first octets of an input say how the rest is cut into chunks and pulled, what is bounded and
forgiven, where the session stands (the client's role) and what is answered (the server's); the
rest are steps: octets that arrive, and, behind the octet 0xFE, commands to be sent, or TLS. Each
input is run in one piece and in chunks, pulled at once and as late as can be: the events have to
be the same, and the only exceptions are those that the documents name.

For the reader of mail, the whole input is a message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    ClientConnection,
    Command,
    Dele,
    Extension,
    Fault,
    Lang,
    Last,
    Leniency,
    Limits,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rpop,
    Rset,
    ServerConnection,
    Stat,
    State,
    Stls,
    Top,
    Uidl,
    Upload,
    User,
    Utf8,
)
from pop3proto.transcript import TlsEstablished
from tests.mail.reading import read_all
from tests.property.engines import (
    Cut,
    Step,
    by,
    client,
    greeted_server,
    lines,
    talked,
    whole,
    without_chance,
)

__all__ = [
    "COMMANDS",
    "LENIENCIES",
    "LIMITS",
    "MARK",
    "SIZES",
    "STATES",
    "TARGETS",
    "ClientInput",
    "ServerInput",
]

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
# All of them can be passed within a few dozen octets, and some without the others.
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
# So many chunks show what there is to be seen. Twenty thousand would take a second.
_CHUNKS = 300


def _chosen(values: Sequence[Any], octet: int) -> Any:
    return values[octet % len(values)]


@dataclass(frozen=True, kw_only=True)
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
        """What ``to_bytes()`` wrote; any octets are something."""
        head, body = data[:5].ljust(5, b"\0"), data[5:]
        return cls(
            size=_chosen(SIZES, head[0]),
            pulls=head[1] % 4,
            limits=_chosen(LIMITS, head[2]),
            leniency=_chosen(LENIENCIES, head[3]),
            state=_chosen(STATES, head[4]),
            steps=_steps(body),
        )

    def to_bytes(self) -> bytes:
        """The input of the fuzzer that stands for this."""
        head = (
            SIZES.index(self.size),
            self.pulls,
            LIMITS.index(self.limits),
            LENIENCIES.index(self.leniency),
            STATES.index(self.state),
        )
        return bytes(head) + b"".join(map(_written, self.steps))

    def engine(self) -> ClientConnection:
        """A new engine, where this input begins."""
        return client(state=self.state, limits=self.limits, leniency=self.leniency)


@dataclass(frozen=True, kw_only=True)
class ServerInput:
    """What a server's engine goes through, and what it answers."""

    size: int = 1
    pulls: int = 0
    limits: Limits = Limits()
    leniency: Leniency = Leniency()
    choices: Sequence[int] = ()
    """Of the first twelve commands; see ``Answers``."""
    steps: Sequence[Step] = ()

    @classmethod
    def from_bytes(cls, data: bytes) -> ServerInput:
        """What ``to_bytes()`` wrote; any octets are something."""
        head, body = data[:7].ljust(7, b"\0"), data[7:]
        return cls(
            size=_chosen(SIZES, head[0]),
            pulls=head[1] % 4,
            limits=_chosen(LIMITS, head[2]),
            leniency=_chosen(LENIENCIES, head[3]),
            choices=[octet >> shift & 3 for octet in head[4:] for shift in (0, 2, 4, 6)],
            steps=_steps(body),
        )

    def to_bytes(self) -> bytes:
        """The input of the fuzzer that stands for this."""
        head = (
            SIZES.index(self.size),
            self.pulls,
            LIMITS.index(self.limits),
            LENIENCIES.index(self.leniency),
        )
        choices = sum(choice << 2 * place for place, choice in enumerate(self.choices))
        return bytes(head) + choices.to_bytes(3, "little") + b"".join(map(_written, self.steps))

    def engine(self) -> ServerConnection:
        """A new engine that has sent its greeting."""
        return greeted_server(limits=self.limits, leniency=self.leniency)


def _steps(body: bytes) -> list[Step]:
    first, *marked = body.split(MARK)
    steps: list[Step] = [first]
    for piece in marked:
        number = piece[0] if piece else 0
        steps.append(TlsEstablished() if number == 0xFF else _chosen(COMMANDS, number))
        steps.append(piece[1:])
    return [step for step in steps if step != b""]


def _written(step: Step) -> bytes:
    if isinstance(step, bytes):
        return step
    return MARK + bytes([0xFF if isinstance(step, TlsEstablished) else COMMANDS.index(step)])


def fuzz_client(data: bytes) -> None:
    """Feed a client's engine with what a server may send, and send commands meanwhile."""
    given = ClientInput.from_bytes(data)

    def run(cut: Cut, pulls: int | None, *, ahead: bool = False) -> list[Any]:
        return talked(given.engine(), given.steps, cut=cut, pulls=pulls, ahead=ahead)

    _compare(given, run)
    _same(given, run(whole, 0, ahead=True), run(_chunks(given), 0, ahead=True))


def fuzz_server(data: bytes) -> None:
    """Feed a server's engine with what a client may send, and answer it."""
    given = ServerInput.from_bytes(data)

    def run(cut: Cut, pulls: int | None) -> list[Any]:
        return talked(given.engine(), given.steps, cut=cut, pulls=pulls, choices=given.choices)

    _compare(given, run)


def _compare(given: ClientInput | ServerInput, run: Callable[[Cut, int | None], list[Any]]) -> None:
    expected, chunks = run(whole, None), _chunks(given)
    for cut, pulls in ((chunks, None), (chunks, given.pulls), (lines, given.pulls)):
        _same(given, expected, run(cut, pulls))


def _chunks(given: ClientInput | ServerInput) -> Cut:
    octets = sum(len(step) for step in given.steps if isinstance(step, bytes))
    return by(max(given.size, octets // _CHUNKS))


def _same(given: ClientInput | ServerInput, expected: list[Any], other: list[Any]) -> None:
    if without_chance(other) != without_chance(expected):
        raise AssertionError(f"{given}: the chunks change the events: {other} != {expected}")


def fuzz_mail(data: bytes) -> None:
    """Read a message, whatever it is."""
    read_all(data)


TARGETS = {"client": fuzz_client, "server": fuzz_server, "mail": fuzz_mail}
