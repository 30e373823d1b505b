"""What is to be reached, and in which contest it shows: the one table of goals.

Most are about the CPU time, beside a peer in the same run: unlike wall time, it hardly depends on
how long a round trip takes between two processes. Those that are about waiting state the delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measuring import Figure


@dataclass(frozen=True, slots=True)
class Goal:
    """What a median has to reach: ``least`` or ``most``."""

    contest: str
    who: str
    text: str
    """What is wanted, to be read."""
    least: float | None = None
    """How many times as fast it has to be as ``against``."""
    most: float | None = None
    """How many times as much as ``against`` it may take; or how much, without one."""
    against: str = ""
    figure: str = "cpu"
    above: str = ""
    """Who is subtracted from both before they are compared."""
    scale: float = 1.0
    """What the figure is multiplied with, for the unit."""
    unit: str = "x"
    page: str = ""
    """What it is called among the ten rows of the page, if it is one of them."""

    def terms(self, figures: Mapping[str, Mapping[str, Figure]]) -> list[Figure]:
        """What ours took and, with one to compare it with, what that took.

        Empty if someone was absent, or cannot be measured so.
        """
        found = [
            figures.get(who, {}).get(self.figure)
            for who in (self.who, self.against, self.above)
            if who
        ]
        known = [figure for figure in found if figure is not None]
        if len(known) < len(found):
            return []
        if self.above:
            *known, bare = known
            known = [figure - bare for figure in known]
        return known

    def value(self, figures: Mapping[str, Mapping[str, Figure]]) -> Figure | None:
        """What was reached, if it can be told."""
        terms = self.terms(figures)
        if not terms:
            return None
        ours, *others = terms
        if not others:
            value = ours
        else:
            value = others[0] / ours if self.least is not None else ours / others[0]
        return Figure(tuple(one * self.scale for one in value.rounds))

    def met(self, value: float) -> bool:
        if self.least is not None:
            return value >= self.least
        return self.most is not None and value <= self.most

    @property
    def wanted(self) -> str:
        limit = self.least if self.least is not None else self.most
        return f"{'≥' if self.least is not None else '≤'} {limit:g}{self.unit}"


_BLOCKING, _ASYNCIO, _TRIO = (f"pop3proto, {name}" for name in ("blocking", "asyncio", "trio"))
_DROP_IN = "pop3proto.compat.poplib"
_PARSING = {"small": 7, "real": 40, "big": 120, "short": 70, "text": 11, "dots": 4, "dotonly": 20}


def _percent(contest: str, text: str, page: str = "") -> Goal:
    return Goal(
        contest,
        _BLOCKING,
        text,
        least=95,
        against="raw loop",
        scale=100,
        unit=" %",
        page=page,
    )


GOALS = (
    Goal(
        "start",
        _BLOCKING,
        "to load the blocking client takes at most twice the CPU of loading poplib, both without"
        " the start of Python",
        most=2,
        against="poplib",
        above="bare python",
        page="loading the blocking client",
    ),
    Goal(
        "start",
        "pop3proto --help",
        "`pop3proto --help` takes at most 50 ms of CPU more than Python that does nothing",
        most=50,
        above="bare python",
        scale=1e-3,
        unit=" ms",
    ),
    Goal(
        "small",
        _BLOCKING,
        "a program that fetches 10,000 mails of 4 KiB takes a seventh of poplib's CPU",
        least=7,
        against="poplib",
        page="a program, 10,000 mails of 4 KiB",
    ),
    Goal(
        "small",
        _BLOCKING,
        "the same, beside mpop, which is written in C and writes an mbox too",
        least=3.5,
        against="mpop",
        page="the same, while mpop writes an mbox too",
    ),
    Goal(
        "real",
        _BLOCKING,
        "a program that fetches 1,000 mails of 20 to 100 KiB takes a sixth of poplib's CPU",
        least=6,
        against="poplib",
        page="a program, 1,000 mails of 20 to 100 KiB",
    ),
    Goal("real", _BLOCKING, "the same, beside mpop", least=1.9, against="mpop"),
    Goal(
        "small-tls",
        _BLOCKING,
        "small mail over TLS takes a fifth of poplib's CPU",
        least=5,
        against="poplib",
        page="the same 10,000 over TLS",
    ),
    Goal(
        "real-tls",
        _BLOCKING,
        "mail of 20 to 100 KiB over TLS takes a fifth of poplib's CPU",
        least=5,
        against="poplib",
    ),
    *(
        Goal(
            "delay",
            who,
            "at 50 ms of round trip, a program gets 10,000 mails in a tenth of mpop's time",
            least=10,
            against="mpop",
            figure="wall",
            page="10,000 mails, 50 ms away" if who == _BLOCKING else "",
        )
        for who in (_BLOCKING, _ASYNCIO, "pop3proto, uvloop", _TRIO)
    ),
    Goal(
        "noop",
        _BLOCKING,
        "NOOP, one at a time, takes no more CPU than poplib's",
        most=1,
        against="poplib",
    ),
    Goal(
        "retr",
        _BLOCKING,
        "RETR of 4 KiB, one at a time, takes half of poplib's CPU",
        most=0.5,
        against="poplib",
        page="RETR of 4 KiB, one at a time",
    ),
    Goal(
        "retr",
        _DROP_IN,
        "the drop-in module takes half of poplib's CPU for 4 KiB, one at a time",
        least=2,
        against="poplib",
    ),
    Goal(
        "retr-real",
        _DROP_IN,
        "the drop-in module takes a third of poplib's CPU for 20 to 100 KiB",
        least=3,
        against="poplib",
        page="the drop-in for poplib, 20 to 100 KiB",
    ),
    Goal(
        "pipelined",
        _BLOCKING,
        "a mail of 4 KiB that is asked for ahead takes 11 microseconds of CPU",
        most=11,
        unit=" µs",
    ),
    Goal(
        "pipelined",
        _ASYNCIO,
        "on asyncio, the same takes a sixth of poplib's CPU",
        least=6,
        against="poplib",
    ),
    Goal(
        "pipelined",
        _TRIO,
        "on trio, the same takes less than a fourth of poplib's CPU",
        least=4.5,
        against="poplib",
    ),
    *(
        Goal(
            f"parse-{corpus}",
            "pop3proto",
            f"the engine parses the corpus '{corpus}' {times} times as fast as poplib",
            least=times,
            against="poplib",
        )
        for corpus, times in _PARSING.items()
    ),
    _percent(
        "stream",
        "streaming 1 GiB is 95 % as fast, by CPU, as a bare recv() loop",
        page="streaming 1 GiB, beside a bare recv() loop",
    ),
    _percent("stream-tls", "streaming 1 GiB over TLS is 95 % as fast as a bare recv() loop"),
    *(
        Goal(
            contest,
            who,
            "streaming takes at most 2 MiB of memory, however large the mail is",
            most=2,
            figure="growth",
            unit=" MiB",
        )
        for contest in ("stream", "stream-tls")
        for who in (_BLOCKING, _ASYNCIO, _TRIO)
    ),
    Goal(
        "whole",
        _BLOCKING,
        "a whole message of 100 MiB takes at most 115 MiB of memory",
        most=115,
        figure="growth",
        unit=" MiB",
    ),
    Goal(
        "listings",
        _BLOCKING,
        "LIST and UIDL of a million messages, kept, take at most 60 octets a message",
        most=60,
        figure="held",
        unit=" octets",
    ),
    *(
        Goal(
            contest,
            "pop3proto, asyncio",
            f"each of many open sessions {how} takes at most {most} KiB",
            most=most,
            figure="held",
            scale=1 / 1024,
            unit=" KiB",
        )
        for contest, how, most in (("sessions", "in plain", 5), ("sessions-tls", "under TLS", 30))
    ),
    *(
        Goal(
            contest,
            "pop3proto, embedded",
            f"the test server takes half of Twisted's CPU for 4 KiB, {how}",
            least=2,
            against="Twisted",
        )
        for contest, how in (("serve", "one at a time"), ("serve-ahead", "asked for ahead"))
    ),
    Goal(
        "fetch",
        "pop3proto fetch",
        "`fetch` puts 10,000 small mails on a disk, safely, in a fifth of mpop's time",
        least=5,
        against="mpop, to a Maildir",
        figure="wall",
        page="`fetch` of 10,000 mails onto a disk",
    ),
    Goal(
        "fetch-slow",
        "pop3proto fetch",
        "`fetch` puts 2,000 small mails on a disk that takes 5 ms more for each wait, safely, in a"
        " fifth of mpop's time",
        least=5,
        against="mpop, to a Maildir",
        figure="wall",
    ),
    Goal(
        "fetch",
        "pop3proto fetch",
        "`fetch` takes at most 150 microseconds of CPU for a small mail",
        most=150,
        unit=" µs",
    ),
)
