"""What is measured: every contest with its contestants, as data."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from benchmarks import corpora, programs, servers
from benchmarks.clients import CLIENTS
from benchmarks.layers import LAYERS
from benchmarks.measuring import Contest, Entry
from benchmarks.relay import delayed
from benchmarks.server import Maildrop, serving

_KIB = 1024
_MIB = 1024 * _KIB
_SLOW = 5
"""Milliseconds that each wait for the disk takes, in the contest that is about a slow disk."""
_DELAY = 50.0
"""Milliseconds of round trip, in the contest that is about waiting."""
_BLOCKING, _ASYNCIO, _UVLOOP, _TRIO = (name for name in CLIENTS if name.startswith("pop3proto, "))
_DROP_IN = "pop3proto.compat.poplib"
_MODULES = {_UVLOOP: "uvloop", _TRIO: "trio"}

Scene = Callable[[int], AbstractContextManager[dict[str, Any]]]


def _scene(make: Callable[[int], Maildrop], tls: bool = False, milliseconds: float = 0.0) -> Scene:
    """A server with so much mail, and so far away."""

    @contextmanager
    def scene(count: int) -> Generator[dict[str, Any]]:
        maildrop = make(count)
        with ExitStack() as stack:
            address = stack.enter_context(serving(maildrop, tls=tls))
            if milliseconds:
                address = stack.enter_context(delayed(address, milliseconds))
            yield {"address": address.arguments(), "maildrop": asdict(maildrop)}

    return scene


@contextmanager
def _compiled(count: int) -> Generator[dict[str, Any]]:
    """Bytecode is there when the clocks start, as it is for whoever has installed a package."""
    for who in programs.STARTS:
        programs.start(who, 1)
    yield {}


def _small(count: int) -> Maildrop:
    return Maildrop(count, 4 * _KIB, 4 * _KIB, text=True)


def _real(count: int) -> Maildrop:
    return Maildrop(count, 20 * _KIB, 100 * _KIB)


def _one(mebibytes: int) -> Maildrop:
    return Maildrop(1, mebibytes * _MIB, mebibytes * _MIB)


def _listed(count: int) -> Maildrop:
    return Maildrop(count, 2_000, 50_000)


def _program(who: str, share: int = 1, on_disk: bool = False, milliseconds: int = 0) -> Entry:
    arguments = {"who": who, "on_disk": on_disk, "milliseconds": milliseconds}

    def missing() -> str:
        return (programs.missing_slow_disk() if milliseconds else "") or programs.missing(who)

    return Entry(who, "programs:run", arguments, share, missing=missing)


def _client(who: str, job: str) -> Entry:
    module = _MODULES.get(who)
    missing = partial(programs.missing_module, module) if module else lambda: ""
    arguments = {"name": who, "job": job}
    return Entry(who, "clients:run", arguments, missing=missing)


def _server(name: str, job: str) -> Entry:
    return Entry(
        name,
        "servers:run",
        {"name": name, "job": job},
        missing=partial(servers.missing, name),
    )


_PROGRAMS = (
    "A program, from its start to its end. Each gets all the mail and adds up its octets; those to"
    " an mbox write a file in memory, as mpop does, which makes them the fair comparison with mpop."
    " poplib and curl send one command at a time. The raw loop sends all commands at once and looks"
    " at nothing that it gets."
)
_COLLECTING = ("raw loop", "poplib", _BLOCKING, _ASYNCIO, _TRIO)
_TO_MBOX = ("poplib, to an mbox", "pop3proto, to an mbox", "mpop")
_FETCHERS = tuple(who for who, program in programs.PROGRAMS.items() if program.durability)
_OVER_TLS = ("raw loop", "poplib", _BLOCKING, "pop3proto, to an mbox", "mpop")
_DURABILITY = "A message is safe: " + "; ".join(
    f"{who}: {programs.PROGRAMS[who].durability}" for who in _FETCHERS
)


_SLOW_DISK = (
    f"Each call that waits for the disk (fsync, fdatasync, syncfs, sync) takes {_SLOW} ms more, for"
    " every program alike, as it does on a disk that has to turn, or at the other end of a network:"
    " a library that is preloaded sleeps so long. How much is written makes no difference to that."
)


def _fetching(
    name: str,
    title: str,
    scene: Scene,
    count: int,
    share: int,
    about: float,
    milliseconds: int = 0,
) -> Contest:
    """Programs that keep the mail. Those that start a process a message get only some of it."""
    entries = [_program(who, share if "dd" in who else 1, True, milliseconds) for who in _FETCHERS]
    return Contest(
        name,
        title,
        entries,
        count=count,
        quick=10,
        scene=scene,
        references=("mpop, to a Maildir",),
        rounds=2,
        seconds=about,
        note=f"{_DURABILITY}. All write to the same disk ({programs.filesystem()})."
        + (f" {_SLOW_DISK}" if milliseconds else ""),
    )


def _streaming(name: str, title: str, tls: bool, about: float) -> Contest:
    return Contest(
        name,
        title,
        [_client(who, "stream") for who in ("raw loop", _BLOCKING, _ASYNCIO, _TRIO)],
        unit="MiB",
        count=1024,
        quick=4,
        scene=_scene(_one, tls),
        memory=True,
        references=("raw loop",),
        rounds=5 if not tls else 3,
        seconds=about,
        note="Growth is the peak of resident memory less that after the login.",
    )


def _parsing(corpus: str) -> Contest:
    return Contest(
        f"parse-{corpus}",
        f"The engine alone, corpus '{corpus}', from memory",
        [
            Entry(who, "engine:parse", {"who": who, "corpus": corpus})
            for who in ("poplib", "pop3proto")
        ],
        unit="MiB",
        # Of all the corpus, one in so many octets.
        count=1,
        quick=64,
        rounds=2,
        seconds=4,
    )


def _serving(name: str, title: str, job: str) -> Contest:
    names = (servers.LIMIT, servers.OURS, servers.TWISTED, servers.DOVECOT)
    return Contest(
        name,
        title,
        [_server(one, job) for one in names],
        count=5_000,
        scene=servers.all_of_them,
        references=(servers.TWISTED,),
        seconds=4,
        note="CPU is that of the server's process; that of Dovecot, which is several and has a"
        " Maildir and logs to look after, is not known.",
    )


def _sessions(name: str, title: str, count: int, tls: bool, about: float) -> Contest:
    contestants = ((_ASYNCIO, "client_sessions"), ("bare asyncio", "bare_sessions"))
    return Contest(
        name,
        title,
        [Entry(who, f"sessions:{function}", {"tls": tls}) for who, function in contestants],
        unit="session",
        memory=True,
        count=count,
        references=(),
        rounds=3,
        seconds=about,
        note="All are logged in and open. Bare asyncio has as many connections with a protocol that"
        " does nothing.",
    )


CONTESTS = (
    Contest(
        "start",
        "Starting Python and loading a module",
        [
            Entry(who, "programs:start", {"who": who}, command=command)
            for who, command in programs.STARTS.items()
        ],
        unit="start",
        count=10,
        quick=1,
        scene=_compiled,
        counted=tuple(programs.STARTS),
        seconds=4,
    ),
    Contest(
        "small",
        "Programs that fetch 10,000 mails of 4 KiB",
        [_program(who) for who in (*_COLLECTING, *_TO_MBOX, "curl")],
        scene=_scene(_small),
        references=("poplib", "mpop"),
        seconds=14,
        note=_PROGRAMS,
    ),
    Contest(
        "real",
        "Programs that fetch 1,000 mails of 20 to 100 KiB",
        [_program(who) for who in (*_COLLECTING, *_TO_MBOX)],
        count=1_000,
        scene=_scene(_real),
        references=("poplib", "mpop"),
        seconds=6,
        note=_PROGRAMS,
    ),
    Contest(
        "small-tls",
        "Programs that fetch 10,000 mails of 4 KiB over TLS",
        [_program(who) for who in _OVER_TLS],
        scene=_scene(_small, tls=True),
        references=("poplib", "mpop"),
        rounds=3,
        seconds=5,
        note=f"{_PROGRAMS} The server is written in Python here.",
    ),
    Contest(
        "real-tls",
        "Programs that fetch 1,000 mails of 20 to 100 KiB over TLS",
        [_program(who) for who in _OVER_TLS],
        count=1_000,
        scene=_scene(_real, tls=True),
        references=("poplib", "mpop"),
        rounds=3,
        seconds=4,
        note=f"{_PROGRAMS} The server is written in Python here.",
    ),
    Contest(
        "delay",
        f"Programs that fetch 10,000 mails of 4 KiB, {_DELAY:g} ms of round trip away",
        [
            _program("raw loop"),
            _program("poplib", share=100),
            *(_program(who) for who in (_BLOCKING, _ASYNCIO, _UVLOOP, _TRIO, "mpop")),
        ],
        scene=_scene(_small, milliseconds=_DELAY),
        references=("poplib", "mpop"),
        rounds=2,
        seconds=23,
        quick=5,
        note=f"{_PROGRAMS} poplib waits for each answer, so it gets one mail in a hundred.",
    ),
    Contest(
        "noop",
        "NOOP, one at a time",
        [_client(who, "noop") for who in CLIENTS],
        unit="command",
        scene=_scene(_small),
        counted=("poplib", _BLOCKING),
        seconds=8,
    ),
    Contest(
        "retr",
        "RETR of 4 KiB, one at a time",
        [_client(who, "retr") for who in CLIENTS],
        count=5_000,
        scene=_scene(_small),
        counted=("poplib", _DROP_IN, _BLOCKING),
        seconds=6,
    ),
    Contest(
        "pipelined",
        "RETR of 4 KiB, asked for ahead",
        [
            _client("raw loop", "retr_many"),
            _client("poplib", "retr"),
            *(_client(who, "retr_many") for who in (_BLOCKING, _ASYNCIO, _UVLOOP, _TRIO)),
        ],
        scene=_scene(_small),
        counted=("poplib", _BLOCKING, _ASYNCIO, _TRIO),
        seconds=4,
        note="poplib cannot ask ahead. All are timed from the login to the last answer.",
    ),
    Contest(
        "retr-real",
        "RETR of 20 to 100 KiB, one at a time",
        [_client(who, "retr") for who in ("raw loop", "poplib", _DROP_IN, _BLOCKING)],
        count=1_000,
        scene=_scene(_real),
        seconds=3,
    ),
    *map(_parsing, corpora.NAMES),
    Contest(
        "layers",
        "Where the time of small mail goes, layer by layer",
        [Entry(who, "layers:run", {"layer": layer}) for layer, who in LAYERS.items()],
        scene=_scene(_small),
        references=(),
        seconds=4,
        note="Each layer contains the one before it; the last talks to a server, the others work on"
        " octets in memory.",
    ),
    _streaming("stream", "Streaming one message of 1 GiB", False, 3),
    _streaming("stream-tls", "Streaming one message of 1 GiB over TLS", True, 5),
    Contest(
        "whole",
        "A whole message of 100 MiB in memory",
        [_client(who, "whole") for who in ("poplib", _DROP_IN, _BLOCKING)],
        unit="MiB",
        count=100,
        quick=1,
        scene=_scene(_one),
        memory=True,
        rounds=3,
        seconds=5,
        note="poplib returns a list of lines, and so does its drop-in.",
    ),
    Contest(
        "listings",
        "STAT, LIST and UIDL of a million messages",
        [_client(who, "listings") for who in ("poplib", _BLOCKING)],
        count=1_000_000,
        quick=1_000,
        scene=_scene(_listed),
        memory=True,
        rounds=3,
        seconds=5,
        note="Both return numbers, sizes and unique-ids. Those of pop3proto are checked.",
    ),
    _sessions("sessions", "5,000 open sessions in one asyncio process", 5_000, False, 8),
    _sessions(
        "sessions-tls", "1,000 open sessions over TLS in one asyncio process", 1_000, True, 8
    ),
    _serving("serve", "Servers, RETR of 4 KiB one at a time", "retr"),
    _serving("serve-ahead", "Servers, RETR of 4 KiB asked for ahead", "retr_many"),
    _fetching(
        "fetch", "Onto a disk, safely: 10,000 mails of 4 KiB", _scene(_small), 10_000, 20, 60
    ),
    _fetching(
        "fetch-slow",
        f"Onto a slow disk, safely: 2,000 mails of 4 KiB, {_SLOW} ms for each wait",
        _scene(_small),
        2_000,
        20,
        20,
        milliseconds=_SLOW,
    ),
    _fetching(
        "fetch-real",
        "Onto a disk, safely: 1,000 mails of 20 to 100 KiB",
        _scene(_real),
        1_000,
        5,
        12,
    ),
)
BY_NAME = {contest.name: contest for contest in CONTESTS}
