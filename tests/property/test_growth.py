"""Every parser of text does work in proportion to the text, or refuses it by its length.

Left out are SASL's messages, whose parsers have such a test of their own, and mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from pop3proto import (
    AuthList,
    Capa,
    ClientConnection,
    Command,
    ErrorReply,
    Extension,
    Greeting,
    Lang,
    Last,
    Limits,
    List,
    Noop,
    Pass,
    Pop3Error,
    PopUrl,
    Signal,
    Stat,
    Uidl,
    User,
)
from pop3proto.errors import printable
from pop3proto.model.capabilities import Capabilities
from pop3proto.server import MemoryMaildrops, NeedData, ServerOptions, ServerSession
from pop3proto.server.maildir import delivery_order, folder_name, unique_id
from pop3proto.testing import Quirk
from pop3proto.transcript import Recorder, Transcript, replay
from tests.property.counting import TooMuchWorkError, Work

SIZES = (1_000, 2_000, 4_000)
MORE = (8_000, 16_000, 32_000)
# Texts are read in a few passes, and a growing start costs nothing that grows.
SLACK = 2_000

# Each special character of the grammars, alternating and nested ones, and beginnings of words.
PIECES = [
    *"a1 \t<>@[]/:;%=+-*.\\#\0\x1b\r\né",
    *(
        "\udcff",
        "\u202e",
        "A1",
        "a ",
        "1 ",
        "a@",
        ".a",
        "a-",
        "<a@",
        "<a@b>",
        "<>",
        "[]",
        "[a/",
        "..",
    ),
    *("%41", "%4", "\\x41", "\\x4", "\\n", "PASS ", "\rAUTH ", "\x01 ", "x=", "en ", "C: ", "\\ "),
    *("((", "{}", "\"'", "1.", "::", "00", "-1 "),
]
Parser = Callable[[str], object]


def octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def client(text: str, command: Command[Any], start: bytes) -> None:
    """Read an answer of a server, whose lines may have any length."""
    connection = ClientConnection(limits=Limits(status_line=10**6, listing_line=10**6))
    said = [b"+OK\r\n", b"+OK\r\n", b"+OK\r\n", start + octets(text) + b"\r\n.\r\n"]
    for sent, answer in zip((None, User("u"), Pass("p"), command), said, strict=True):
        if sent is not None:
            connection.send(sent)
        connection.receive_data(answer)
        while not isinstance(event := connection.next_event(), Signal):
            repr(event)
            if isinstance(event, ErrorReply):
                str(event.code)


def answer(command: Command[Any], start: bytes) -> Parser:
    return lambda text: client(text, command, start)


def greeting(text: str) -> None:
    connection = ClientConnection(limits=Limits(status_line=10**6))
    connection.receive_data(octets(text) + b"\r\n")
    connection.next_event()


def stamp(text: str) -> None:
    assert Greeting(f"ready {text}").timestamp is None or "<" in text


def capabilities(text: str) -> None:
    found = Capabilities((text, f"SASL {text}", f"EXPIRE {text}", f"LOGIN-DELAY {text}"))
    for name in dir(found):
        if not name.startswith("_") and not callable(content := getattr(found, name)):
            str(content)


def commands(text: str) -> None:
    session = ServerSession(
        MemoryMaildrops({"u": [b"x"]}),
        {"u": "p"},
        secure=True,
        limits=Limits(command_line=10**6, auth_line=10**6, challenge=10**6),
        options=ServerOptions(failed_login_delay=0, max_bad_commands=10**6, max_failed_logins=99),
    )
    line = octets(text) + b"\r\n"
    verbs = b"APOP AUTH LANG LIST PASS TOP USER XTND".split()
    session.receive_data(b"".join([b"%s %s" % (verb, line) for verb in verbs]))
    session.receive_data(b"AUTH PLAIN\r\n" + line + line + b"USER u\r\nPASS p\r\n")
    session.receive_data(b"".join([b"%s %s" % (verb, line) for verb in verbs]))
    while not isinstance(session.next_action(), NeedData):
        pass


def refused_by_length(text: str) -> None:
    session = ServerSession(MemoryMaildrops(), {})
    session.receive_data(octets(text) + b"\r\n")
    for _ in range(10):
        session.next_action()


def recording(text: str) -> None:
    recorder = Recorder(bodies=False)
    recorder.received(b"+OK\r\n")
    for start in (b"", b"PASS ", b"APOP ", b"AUTH ", b"AUTH PLAIN ", b"USER ", b"XTND XMIT "):
        recorder.sent(start + octets(text) + b"\r\n")
    recorder.received(octets(text) + b"\r\n")
    recorder.transcript.dumps()


def transcript(text: str) -> None:
    title = "pop3proto transcript 1\n"
    for content in (text, f"pop3proto transcript {text}", title + text, f"{title}C: {text}\\n"):
        with suppress(Pop3Error):
            Transcript.loads(content)
    lines = "".join(f"C: {word}\\r\\n\n" for word in text.split())
    with suppress(Pop3Error):
        for _ in replay(Transcript.loads(f"{title}S: +OK\\r\\n\n{lines}"), "server"):
            pass


def url(text: str) -> None:
    for whole in (text, f"pop://{text}", f"pop://h/{text}", f"pop://{text}@h", f"pop://h:{text}"):
        with suppress(Pop3Error):
            PopUrl.parse(whole)
    for whole in (f"pop://u;AUTH={text}@h", f"pop://[{text}]", f"pops://u@{text}:110"):
        with suppress(Pop3Error):
            PopUrl.parse(whole)


def each(*parsers: Parser) -> Parser:
    def parse(text: str) -> None:
        for parser in parsers:
            with suppress(Pop3Error, ValueError):
                parser(text)

    return parse


PARSERS: dict[str, Parser] = {
    "URLs": url,
    "greetings": greeting,
    "timestamps": stamp,
    "errors": answer(Noop(), b"-ERR "),
    "response codes": answer(Noop(), b"-ERR [A"),
    "status lines": answer(Noop(), b""),
    "STAT": answer(Stat(), b"+OK "),
    "LAST": answer(Last(), b"+OK "),
    "LIST of one": answer(List(1), b"+OK 1 "),
    "LIST": answer(List(), b"+OK\r\n1 "),
    "LIST, numbers": answer(List(), b"+OK\r\n"),
    "UIDL of one": answer(Uidl(1), b"+OK 1 "),
    "UIDL": answer(Uidl(), b"+OK\r\n1 "),
    "CAPA": answer(Capa(), b"+OK\r\nSASL "),
    "LANG": answer(Lang(), b"+OK\r\nen "),
    "AUTH": answer(AuthList(), b"+OK\r\n"),
    "capabilities": capabilities,
    "command lines": commands,
    "a command line that is too long": refused_by_length,
    "recordings": recording,
    "transcripts": transcript,
    "Maildir names": each(folder_name, unique_id, delivery_order),
    "options and quirks": each(
        lambda text: ServerOptions(host_name=text),
        lambda text: ServerOptions(implementation=text),
        Quirk.named,
    ),
    "arguments": each(
        User, Lang, Extension.single, lambda text: ErrorReply(Noop(), text).to_bytes()
    ),
    "text for people": each(printable, lambda text: printable(octets(text), 10**6)),
}


def work(parser: Parser, text: str) -> int:
    with Work() as counted, suppress(Pop3Error):
        parser(text)
    return counted.steps


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("sizes", [SIZES, pytest.param(MORE, marks=pytest.mark.slow)])
def test_no_parser_does_more_than_in_proportion(name: str, sizes: tuple[int, ...]) -> None:
    parser = PARSERS[name]
    # What is loaded when it is used first is no part of the work.
    work(parser, "a")
    for piece in PIECES:
        # Of many short lines, fewer characters are enough.
        room = len(piece) * (20 if "\n" in piece else 1)
        counts = [work(parser, piece * (size // room)) for size in sizes]
        for half, whole in pairwise(counts):
            assert whole <= 2.2 * half + SLACK, (piece, counts)


def copying(text: str) -> None:
    while text:
        text = text[100:]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r" +$", " " * 1_000 + "x"),
        (r"<[^>]*@>", "<" * 1_000),
        (r"(?:a|b)*c", "ab" * 500),
        (r"a*a*c", "a" * 100),
    ],
)
def test_backtracking_is_counted(pattern: str, text: str) -> None:
    counts = []
    for half in (text[: len(text) // 2] + text[-1:], text):
        with Work() as counted:
            re.search(pattern, half)
        counts.append(counted.steps)
    assert counts[1] > 3 * counts[0]


def test_what_has_no_end_is_given_up() -> None:
    with pytest.raises(TooMuchWorkError), Work(most=100_000):
        re.search(r"(?:a|b|ab)*c", "ab" * 50)


def test_what_is_linear_counts_as_linear() -> None:
    counts = []
    for size in SIZES:
        with Work() as counted:
            assert re.fullmatch(r"(?:[ -~]|\\x[0-9a-f]{2})+", "a" * size)
        counts.append(counted.steps)
    assert counts[2] <= 4.1 * counts[0]
