"""What an exchange and a batch do with a stream and a clock, counted instead of waited for."""

from __future__ import annotations

import ssl
from asyncio import CancelledError
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any, cast

import pytest

from pop3proto import (
    ClientConnection,
    Command,
    ConnectionLostError,
    DeadlineError,
    Dele,
    List,
    LocalProtocolError,
    Message,
    Noop,
    Ok,
    Pass,
    Pop3Error,
    Quit,
    RemoteProtocolError,
    Retr,
    Stls,
    User,
)
from pop3proto.client.batch import AsyncBatch
from pop3proto.client.exchange import Exchange
from pop3proto.client.stepping import run
from pop3proto.client.stream import Stream
from pop3proto.client.tls import TlsStream
from pop3proto.client.turn import Turn
from pop3proto.errors import BusyError, DeadConnectionError, LimitError, PlaintextAuthError
from pop3proto.transcript import Recorder
from pop3proto.transports import Timeouts
from tests.engine.sessions import client


class Clock:
    """Time that passes only when a test lets it pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in ("exchange", "tls", "stream"):
            monkeypatch.setattr(f"pop3proto.client.{module}.monotonic", lambda: self.now)


class Scripted:
    """A stream with chunks to receive, each of which takes some seconds."""

    def __init__(
        self, chunks: Iterable[bytes], clock: Clock | None = None, seconds: float = 0.0
    ) -> None:
        self.sent: list[bytes] = []
        self.timeouts: list[float | None] = []
        self.aborted = False
        self._chunks = iter(chunks)
        self._clock = clock
        self._seconds = seconds

    async def send(self, data: bytes, timeout: float | None) -> None:
        self.sent.append(data)

    async def receive(self, timeout: float | None) -> bytes:
        self.timeouts.append(timeout)
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        if self._clock is not None:
            self._clock.now += self._seconds
        return next(self._chunks)

    async def aclose(self) -> None:
        self.aborted = True

    def abort(self) -> None:
        self.aborted = True


class Looking(Scripted):
    """One that tells what is there: the next of ``there``."""

    def __init__(
        self, there: Iterable[bytes | OSError | None], chunks: Iterable[bytes] = ()
    ) -> None:
        super().__init__(chunks)
        self._there = iter(there)
        self.looks = 0

    async def receive_at_hand(self) -> bytes | None:
        self.looks += 1
        found = next(self._there)
        if isinstance(found, OSError):
            raise found
        return found


def exchange(stream: Stream, engine: ClientConnection | None = None, **options: Any) -> Exchange:
    timeouts = options.pop("timeouts", Timeouts.of(60))
    return Exchange(stream, engine or client(), timeouts, **options)


def events_of(it: Exchange, phase: str = "reply") -> Iterator[Any]:
    while True:
        yield run(it.next_event(phase, None))


# The deadline of a line, and of a body


def test_a_line_has_one_deadline_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stream = Scripted([b"+", b"O", b"K", b"\r\n"], clock, 10.0)
    it = exchange(stream)

    def receive_data(data: bytes) -> None:
        # This takes time as well, and it counts.
        clock.now += 5.0
        ClientConnection.receive_data(it.engine, data)

    monkeypatch.setattr(it.engine, "receive_data", receive_data)
    assert run(it.ask(Noop())) == Ok(Noop())
    assert stream.timeouts == [60, 45, 30, 15]
    # The next line has a deadline of its own.
    stream.timeouts.clear()
    it = exchange(Scripted(repeat(b"\r"), clock, 20.0))
    with pytest.raises(Pop3Error, match=r"nothing, or too little, arrived for 60 s \(reply\)"):
        run(it.ask(Noop()))


def test_each_line_has_a_deadline_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stream = Scripted([b"+OK\r", b"\n"] * 3, clock, 10.0)
    it = exchange(stream)
    for _ in range(3):
        run(it.ask(Noop()))
        clock.now += 1000.0
    assert stream.timeouts == [60, 50] * 3


def test_no_deadline_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stream = Scripted([b"+OK\r", b"\n"], clock, 1e9)
    it = exchange(stream, timeouts=Timeouts(reply=None))
    assert run(it.ask(Noop())) == Ok(Noop())
    assert stream.timeouts == [None, None]


def test_a_body_makes_progress_by_1024_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    piece = b"x" * 400 + b"\r\n"
    stream = Scripted(chain([b"+OK\r\n"], repeat(piece)), clock, 10.0)
    it = exchange(stream, timeouts=Timeouts(reply=30.0, body=40.0))
    run(it.ask(Retr(1)))
    for _, _ in zip(range(7), events_of(it), strict=False):
        # The caller's own time does not count.
        clock.now += 1000.0
    # After three pieces, which are 1,206 octets, it begins again.
    assert stream.timeouts[1:] == [40, 30, 20, 40, 30, 20, 40]


def test_an_octet_less_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    # Three pieces have 1,023 octets.
    stream = Scripted(chain([b"+OK\r\n"], repeat(b"x" * 339 + b"\r\n")), Clock(monkeypatch), 10.0)
    it = exchange(stream, timeouts=Timeouts(reply=30.0, body=50.0))
    run(it.ask(Retr(1)))
    for _ in zip(range(9), events_of(it), strict=False):
        pass
    assert stream.timeouts[1:] == [50, 40, 30, 20, 50, 40, 30, 20, 50]


class Failing(Scripted):
    """One from which nothing can be received."""

    def __init__(self, error: OSError) -> None:
        super().__init__([])
        self._error = error

    async def receive(self, timeout: float | None) -> bytes:
        raise self._error


def test_an_error_says_what_was_waited_for() -> None:
    with pytest.raises(DeadlineError) as deadline:
        run(exchange(Failing(TimeoutError())).ask(Noop(), "login"))
    assert deadline.value.args == ("nothing, or too little, arrived for 60 s (login)",)
    assert (deadline.value.phase, deadline.value.seconds) == ("login", 60.0)
    with pytest.raises(ConnectionLostError) as broken:
        run(exchange(Failing(OSError("no route"))).ask(Noop()))
    assert broken.value.args == ("the connection broke: no route",)
    assert deadline.value.command == broken.value.command == Noop()


def test_the_body_of_a_listing_has_the_deadline_of_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stream = Scripted([b"+OK\r\n", b"1 1\r\n", b"2 2\r\n", b".\r\n"], clock, 10.0)
    it = exchange(stream, timeouts=Timeouts(reply=30.0, body=40.0))
    run(it.ask(List()))
    assert stream.timeouts == [30, 40, 30, 20]


def test_the_body_of_a_listing_whose_status_line_came_early_has_all_of_its_time() -> None:
    stream = Scripted([b"+OK\r\n+OK\r\n", b".\r\n"])
    it = exchange(stream, timeouts=Timeouts(reply=30.0, body=40.0))
    results = batch(it, Noop(), List(), pipelining=True)
    run(results.__anext__())
    run(results.__anext__())
    assert stream.timeouts == [30, 40]


def test_records_without_data_do_not_move_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    class Ready(Scripted):
        async def receive(self, timeout: float | None) -> bytes:
            # It has something, whatever the deadline says.
            clock.now += 1.0
            return next(self._chunks)

    # The beginning of a record, octet by octet; 16 KiB of them would be one record.
    stream = Ready(chain([b"\x16\x03\x03\x40\x00"], repeat(b"\x02")))
    tls = TlsStream(stream, ssl.create_default_context(), "example.org")
    with pytest.raises(TimeoutError):
        run(tls.handshake(20.0))
    assert clock.now < 1030.0


def test_what_keeps_a_command_from_being_sent_is_raised() -> None:
    class Interrupted(Scripted):
        async def send(self, data: bytes, timeout: float | None) -> None:
            raise self.error

        error: BaseException = KeyboardInterrupt()

    it = exchange(stream := Interrupted([]))
    it.put(Noop())
    with pytest.raises(KeyboardInterrupt):
        run(it.flush(Noop()))
    with pytest.raises(KeyboardInterrupt):
        run(it.begin(Noop()))
    stream.error = OSError("no route")
    for send in (it.flush, it.begin):
        with pytest.raises(ConnectionLostError, match="the connection broke: no route"):
            run(send(Noop()))
    stream.error = TimeoutError()
    for send in (it.flush, it.begin):
        with pytest.raises(DeadlineError) as deadline:
            run(send(Noop()))
        assert (deadline.value.phase, deadline.value.seconds) == ("reply", 60.0)
        assert deadline.value.command == Noop()


# Before a command is sent


def test_a_look_before_each_command_and_none_while_answers_are_outstanding() -> None:
    stream = Looking([None, None])
    it = exchange(stream)
    run(it.begin(Noop()))
    assert stream.looks == 1
    run(it.begin(Noop()))
    assert stream.looks == 1
    it.engine.receive_data(b"+OK\r\n+OK\r\n")
    assert [next(events_of(it)) for _ in range(2)] == [Ok(Noop())] * 2
    run(it.begin(Noop()))
    assert stream.looks == 2
    assert stream.sent == [b"NOOP\r\n"] * 3


class Telling(Looking):
    """One that tells first, without a coroutine, if nothing is there."""

    quiet = True

    def is_quiet(self) -> bool:
        return self.quiet


def test_no_look_if_a_stream_tells_that_nothing_is_there() -> None:
    stream = Telling([None])
    it = exchange(Telling([]), recorder=Recorder()), exchange(stream)
    for each in it:
        run(each.begin(Noop()))
    stream.quiet = False
    it[1].engine.receive_data(b"+OK\r\n")
    it[1].engine.next_event()
    assert stream.looks == 0
    run(it[1].begin(Noop()))
    assert stream.looks == 1


def test_a_layer_of_tls_tells_what_the_stream_below_tells() -> None:
    stream = Telling([])
    context = ssl.create_default_context()
    assert TlsStream(stream, context, "example.org").is_quiet()
    stream.quiet = False
    assert not TlsStream(stream, context, "example.org").is_quiet()
    # This one cannot tell.
    assert not TlsStream(Looking([]), context, "example.org").is_quiet()


def test_blank_lines_are_taken_before_a_command() -> None:
    stream = Looking([b"\r\n", b"\n", None])
    it = exchange(stream)
    run(it.begin(Noop()))
    assert stream.looks == 3
    assert len(it.deviations) == 2
    assert stream.sent == [b"NOOP\r\n"]


@pytest.mark.parametrize(
    ("there", "error"),
    [
        ([b"+OK"], RemoteProtocolError),
        ([b"\r\n", b"+OK stray\r\n"], RemoteProtocolError),
        ([b"X\r\n"], RemoteProtocolError),
        ([b"-ERR idle\r\n"], ConnectionLostError),
        ([b""], ConnectionLostError),
        ([b"\r\n", b""], ConnectionLostError),
        ([ConnectionResetError("reset")], ConnectionLostError),
        ([ConnectionLostError("ours")], ConnectionLostError),
    ],
)
def test_nothing_is_sent_after_what_answers_nothing(there: Any, error: type[Exception]) -> None:
    stream = Looking(there)
    it = exchange(stream)
    with pytest.raises(error), Turn(it):
        run(it.begin(Dele(1)))
    assert stream.sent == []
    assert stream.aborted


def test_what_breaks_a_look_names_the_command_that_was_not_sent() -> None:
    it = exchange(Looking([ConnectionResetError("reset")]))
    with pytest.raises(ConnectionLostError, match="the connection broke: reset") as caught:
        run(it.begin(Dele(1)))
    assert caught.value.command == Dele(1)


@pytest.mark.parametrize(("command", "method"), [(Stls(), "start_tls"), (Quit(), "quit")])
def test_a_command_that_has_a_method_is_named(command: Command[Any], method: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"{method}\(\)") as caught:
        exchange(Scripted([])).check(command)
    assert caught.value.command is command


# Messages in one step, and in several


@pytest.mark.parametrize(
    ("chunks", "content", "told"),
    [
        ([b"+OK 6 octets\r\ntext\r\n.\r\n"], b"text\r\n", [(6, 6)]),
        ([b"+OK\r\ntext\r\n.\r\n"], b"text\r\n", [(6, None)]),
        ([b"+OK\r\n", b"text\r\n.\r\n"], b"text\r\n", [(6, None)]),
        ([b"+OK\r\nte", b"xt\r\n.\r\n"], b"text\r\n", [(2, None), (6, None)]),
        ([b"+OK\r\n.\r\n"], b"", []),
        ([b"+OK\r\n", b".\r\n"], b"", []),
        ([b"+OK\r\n..\r\n.\r\n"], b".\r\n", [(3, None)]),
    ],
)
def test_a_message_is_the_same_however_it_arrives(
    chunks: list[bytes], content: bytes, told: list[tuple[int, int | None]]
) -> None:
    seen: list[tuple[int, int | None]] = []

    def progress(octets: int, expected: int | None) -> None:
        seen.append((octets, expected))

    for limit in (len(content) or 1, 100):
        batch = batch_of(chunks, max_octets=limit, progress=progress)
        assert run(batch.__anext__()).content == content
    assert seen == told * 2
    if content:
        with pytest.raises(LimitError, match="longer than 1 octets"):
            run(batch_of(chunks, max_octets=1, progress=None).__anext__())


def test_each_listing_that_was_sent_for_ahead_has_the_whole_time_of_a_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks = [b"+OK\r\n", b"1 1\r\n.\r\n+OK\r\n", b"1 1\r\n.\r\n"]
    stream = Scripted(chunks, Clock(monkeypatch), 30.0)
    it = exchange(stream, timeouts=Timeouts(reply=30.0, body=40.0))
    listings = batch(it, List(), List(), pipelining=True)
    for _ in range(2):
        assert run(anext(listings)).listings[0].octets == 1
    # The status line of the second one came with the end of the first one.
    assert stream.timeouts == [30, 40, 40]


def batch_of(chunks: list[bytes], **options: Any) -> AsyncBatch[Message]:
    it = exchange(Scripted(chunks))
    return AsyncBatch(it, [Retr(1)], pipelining=False, expected=lambda _: None, **options)


# What an exchange is made with


def test_a_password_is_not_shown_unless_that_is_allowed() -> None:
    engine = ClientConnection()
    engine.receive_data(b"+OK\r\n+OK\r\n")
    engine.next_event()
    it = exchange(Scripted([]), engine)
    with pytest.raises(PlaintextAuthError):
        it.check(Pass("secret"))
    exchange(Scripted([]), ClientConnection(), allow_plaintext_auth=True).check(User("user"))


def test_a_recorder_hears_both_sides() -> None:
    recorder = Recorder()
    it = exchange(Scripted([b"+OK one\r\n"]), recorder=recorder)
    run(it.ask(Noop()))
    it.abort()
    recorded = recorder.transcript.dumps()
    assert "NOOP" in recorded
    assert "+OK one" in recorded
    assert "end of stream from client" in recorded


def test_the_first_cause_of_death_is_kept() -> None:
    it = exchange(Scripted([]))
    first, second = ConnectionLostError("first"), ConnectionLostError("second")
    it.abort(first)
    it.abort(second)
    error = it.refusal()
    assert isinstance(error, DeadConnectionError)
    assert error.__cause__ is first
    assert "the connection was given up: first" in str(error)


def test_a_cause_without_a_text_has_a_name() -> None:
    it = exchange(Scripted([]))
    it.abort(KeyboardInterrupt())
    assert "given up: KeyboardInterrupt" in str(it.refusal())


def test_a_connection_that_was_closed_has_no_cause() -> None:
    it = exchange(Scripted([]))
    run(it.aclose())
    error = it.refusal()
    assert str(error) == "the connection is closed"
    assert error.__cause__ is None
    it.abort(ConnectionLostError("late"))
    assert it.refusal().__cause__ is None


# Batches and their end


def batch(it: Exchange, *commands: Any, **options: Any) -> AsyncBatch[Any]:
    options.setdefault("max_octets", 1000)
    return AsyncBatch(
        it,
        commands,
        pipelining=options.pop("pipelining", False),
        expected=lambda _: None,
        progress=None,
        **options,
    )


async def cancelled() -> None:
    raise CancelledError


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_batch_that_has_died_says_so_again(pipelining: bool) -> None:
    results = batch(exchange(Scripted([b"+OK\r\n", b""])), Noop(), Noop(), pipelining=pipelining)
    assert run(results.__anext__()) == Ok(Noop())
    with pytest.raises(ConnectionLostError) as first:
        run(results.__anext__())
    for iterator in (results, results.outcomes()):
        with pytest.raises(ConnectionLostError) as again:
            run(cast(Any, iterator.__anext__()))
        assert again.value is first.value
    # Another error, by which the caller leaves it, is not what ended it.
    run(results.__aexit__(ValueError, ValueError(), None))
    with pytest.raises(ConnectionLostError):
        run(results.__anext__())


def test_one_that_was_cancelled_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Scripted([])
    results = batch(exchange(stream), Noop())
    monkeypatch.setattr(stream, "receive", lambda timeout: cancelled())
    with pytest.raises(CancelledError):
        run(results.__anext__())
    with pytest.raises(DeadConnectionError, match="CancelledError"):
        run(results.__anext__())


def test_one_that_has_ended_ends_again_whatever_happens_then() -> None:
    it = exchange(Scripted([b"+OK\r\n"]))
    results = batch(it, Noop())
    assert run(results.__anext__()) == Ok(Noop())
    it.abort(ConnectionLostError("later"))
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            run(results.__anext__())
    run(results.__aexit__(ValueError, ValueError(), None))
    with pytest.raises(StopAsyncIteration):
        run(results.__anext__())


def test_a_command_that_could_not_be_sent_ends_a_batch_and_nothing_else() -> None:
    it = exchange(Scripted([b"+OK\r\n"]))
    results = batch(it, User("user"))
    with pytest.raises(LocalProtocolError, match="not possible"):
        run(results.__anext__())
    with pytest.raises(StopAsyncIteration):
        run(results.__anext__())
    assert run(it.ask(Noop())) == Ok(Noop())


@pytest.mark.parametrize("end", ["aclose", "__aexit__", "error"])
def test_to_close_one_that_never_began_disturbs_no_other_call(end: str) -> None:
    it = exchange(Scripted([b"+OK\r\n"]))
    never = batch(it, Noop())
    with Turn(it) as used:
        if end == "aclose":
            run(never.aclose())
        else:
            error = ValueError() if end == "error" else None
            run(never.__aexit__(None if error is None else ValueError, error, None))
        assert it.turn is not None
        assert not it.closed
        with pytest.raises(BusyError):
            run(batch(it, Noop()).__anext__())
        assert run(used.ask(Noop())) == Ok(Noop())
    assert it.turn is None


def test_what_a_batch_cannot_run() -> None:
    it = exchange(Scripted([]))
    with pytest.raises(LocalProtocolError, match="commands is an iterable of commands, not int"):
        AsyncBatch[Any](
            it,
            cast(Any, 5),
            pipelining=False,
            max_octets=1,
            expected=lambda _: None,
            progress=None,
        )
    for octets in (0, -1):
        with pytest.raises(LocalProtocolError, match=f"max_octets is at least 1, not {octets}"):
            batch(it, Noop(), max_octets=octets)
