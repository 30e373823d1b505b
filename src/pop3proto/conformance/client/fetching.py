"""Cases about messages that are fetched, on connections that last and on others."""

from __future__ import annotations

from ...server import MemoryMaildrops
from ...testing.quirks.names import Quirk
from ...transports import Security
from ..case import NotTestedError, Severity, demand
from .hooks import CutOff, Endless, Silent
from .judge import complete, failed, survived
from .mail import MAIL, message, token_of
from .run import CASES, USER, ClientRun

_ORDINARY = (*MAIL[:4], MAIL[-1])
"""Messages without anything that other standards advise against."""


@CASES.case("C101", "RFC 1939 section 5", "All messages are fetched, octet for octet.")
def _(run: ClientRun) -> None:
    result = run.fetch(_ORDINARY)
    complete(result, _ORDINARY)
    demand(result.code == 0, f"all is well, but the exit code is {result.code}")


def _one(number: str, clause: str, title: str, token: str, severity: Severity) -> None:
    mail = [each for each in MAIL if f"\r\nSubject: {token}\r\n".encode() in each]

    def check(run: ClientRun) -> None:
        complete(run.fetch(mail), mail)

    CASES.case(number, clause, title, severity=severity)(check)


_one(
    "C102",
    "RFC 1939 section 3",
    "Of a line that begins with a dot, one dot is taken away.",
    "dots",
    Severity.ERROR,
)
_one(
    "C103",
    "RFC 1939 section 3",
    "Lines of a message that look like answers are a part of the message.",
    "replies",
    Severity.ERROR,
)
_one("C104", "RFC 1939 section 3", "A message can have no body.", "empty", Severity.ERROR)
_one(
    "C105",
    "RFC 1939 section 3",
    "A line of a message can be of any length.",
    "long-line",
    Severity.WARNING,
)
_one(
    "C106",
    "RFC 1939 section 3",
    "The octets of a message are kept, those above 127 too.",
    "eight-bit",
    Severity.WARNING,
)
_one(
    "C107",
    "RFC 5322 section 4",
    'A line that begins with "From " is kept, or quoted so that it can be told.',
    "from-line",
    Severity.WARNING,
)
_one("C108", "RFC 1939 section 5", "A message can be large.", "large", Severity.ERROR)


@CASES.case("C109", "RFC 1939 section 5", "A maildrop can be empty.")
def _(run: ClientRun) -> None:
    result = run.fetch([])
    survived(result)
    demand(result.code == 0, f"there is no mail, and the exit code is {result.code}")


@CASES.case("C110", "RFC 1939 section 5", "A maildrop can have many messages.")
def _(run: ClientRun) -> None:
    mail = [message(f"many-{number}", b"Text.\r\n") for number in range(1, 301)]
    # Some programs connect anew for each of them.
    complete(run.fetch(mail, timeout=max(run.target.timeout, 150.0)), mail)


@CASES.case("C111", "RFC 9293 section 3.8", "Octets can come one by one.")
def _(run: ClientRun) -> None:
    mail = MAIL[:4]
    complete(run.fetch(mail, quirks=[Quirk.SPLIT_PACKETS]), mail)


@CASES.case("C112", "RFC 1939 section 3", "A status line can end after its indicator.")
def _(run: ClientRun) -> None:
    complete(run.fetch(MAIL[:4], quirks=[Quirk.BARE_STATUS]), MAIL[:4])


@CASES.case("C113", "RFC 2449 section 5", "A server need not know CAPA.")
def _(run: ClientRun) -> None:
    if run.target.security is Security.STLS:
        # RFC 2595 section 4: that is how STLS is announced.
        raise NotTestedError("such a server does not announce STLS")
    complete(run.fetch(MAIL[:4], quirks=[Quirk.NO_CAPA]), MAIL[:4])


@CASES.case("C114", "RFC 1939 section 7", "A server need not know UIDL.", severity=Severity.WARNING)
def _(run: ClientRun) -> None:
    complete(run.fetch(MAIL[:4], quirks=[Quirk.NO_UIDL]), MAIL[:4])


@CASES.case(
    "C115",
    "RFC 1939 section 5",
    "A message that the server refuses does not keep the others from being fetched.",
    severity=Severity.WARNING,
)
def _(run: ClientRun) -> None:
    result = run.fetch(MAIL[:4], quirks=[Quirk.REFUSED_MESSAGE])
    survived(result)
    stored = len(result.stored.whole)
    demand(stored >= 3, f"3 of 4 messages can be had, and {stored} are stored")
    if stored == 3:
        failed(result, "a message was refused")


@CASES.case("C121", "RFC 1939 section 4", "A wrong password ends the session, and is told.")
def _(run: ClientRun) -> None:
    result = run.fetch(known=False)
    failed(result, "the server refused the password")


@CASES.case("C122", "RFC 1939 section 4", "A greeting can be negative.")
def _(run: ClientRun) -> None:
    result = run.fetch(quirks=[Quirk.ERROR_GREETING])
    failed(result, "the greeting was negative")


@CASES.case("C123", "RFC 2449 section 8.1.2", "A maildrop can be in use.")
def _(run: ClientRun) -> None:
    result = run.fetch(quirks=[Quirk.LOGIN_IN_USE])
    failed(result, "the maildrop was in use")


def _cut(number: str, title: str, where: str) -> None:
    def check(run: ClientRun) -> None:
        mail = (*MAIL[:2], MAIL[-1], MAIL[3])
        drops = MemoryMaildrops({USER: mail})
        cuts = iter([CutOff(where, 3)])
        result = run.fetch(
            mail, title="until the cut", hooks=lambda: next(cuts, CutOff("", 0)), drops=drops
        )
        survived(result)
        stored = len(result.stored.whole)
        # All four, if the program has connected again.
        came = f"2 messages came whole before the cut, and {stored} are stored as whole ones"
        demand(stored in (2, 4), came, Severity.WARNING)
        again = run.fetch(mail, title="the next run", drops=drops)
        survived(again)
        missing = [token_of(each) for each in mail if not again.stored.whole.get(token_of(each))]
        demand(not missing, f"after the next run there is no {', '.join(missing)}")
        twice = [token for token, count in again.stored.whole.items() if count > 1]
        demand(not twice, f"after the next run, twice there: {twice}", Severity.WARNING)

    CASES.case(number, "RFC 1939 section 5", title)(check)


_cut("C131", "A connection can end between two messages.", "before")
_cut("C132", "A connection can end within a message, which is not stored as a whole one.", "within")
_cut("C133", "A message has not ended before its last line, the dot.", "end")


@CASES.case(
    "C141",
    "RFC 1939 section 3",
    "A server that says nothing any more does not keep the program for ever.",
    severity=Severity.WARNING,
    slow=True,
)
def _(run: ClientRun) -> None:
    result = run.fetch(hooks=Silent, timeout=max(run.target.timeout, 90.0))
    failed(result, "the server said nothing any more")


@CASES.case(
    "C142",
    "RFC 1939 section 3",
    "A status line that never ends does not keep the program, or fill its memory.",
    severity=Severity.WARNING,
)
def _(run: ClientRun) -> None:
    result = run.fetch(hooks=Endless)
    failed(result, "a status line did not end")
