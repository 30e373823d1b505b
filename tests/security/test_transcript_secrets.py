"""No secret is in what a recorder keeps, whatever the chunks and the pipelining."""

import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    ClientConnection,
    Command,
    ConnectionLostError,
    Extension,
    LocalProtocolError,
    Pass,
    Pop3Error,
    Quit,
    RemoteProtocolError,
    Retr,
    Rpop,
    Stat,
    User,
)
from pop3proto.testing.strategies import chunkings
from pop3proto.transcript import Recorder, Role, Transcript, replay
from tests.engine.sessions import drained
from tests.property.effort import effort

PASSWORD = b"hunter2-Sesame"
USER_NAME = b"user"
DIGEST = md5(b"<1@example.org>" + PASSWORD).hexdigest().encode()
PLAIN = b"\0" + USER_NAME + b"\0" + PASSWORD
CRAM = USER_NAME + b" " + DIGEST

# Who says what. A list of lines goes out at once, whatever was answered by then.
SESSIONS: dict[str, list[tuple[str, list[bytes]]]] = {
    "USER and PASS": [
        ("S", [b"+OK"]),
        ("C", [b"USER user"]),
        ("S", [b"+OK"]),
        ("C", [b"PASS " + PASSWORD]),
        ("S", [b"+OK"]),
    ],
    "pipelined": [
        ("S", [b"+OK"]),
        ("C", [b"USER user", b"PASS " + PASSWORD, b"STAT"]),
        ("S", [b"+OK", b"+OK", b"+OK 2 320"]),
    ],
    "refused, and again": [
        ("S", [b"+OK"]),
        ("C", [b"USER user", b"pass " + PASSWORD, b"USER user", b"PASS  " + PASSWORD]),
        ("S", [b"+OK", b"-ERR", b"+OK", b"+OK"]),
    ],
    "APOP": [("S", [b"+OK <1@example.org>"]), ("C", [b"APOP user " + DIGEST]), ("S", [b"+OK"])],
    "initial response": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH PLAIN " + b64encode(PLAIN)]),
        ("S", [b"+OK done"]),
        ("C", [b"STAT", b"QUIT"]),
        ("S", [b"+OK 0 0", b"+OK"]),
    ],
    "continuation": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH PLAIN"]),
        ("S", [b"+ "]),
        ("C", [b64encode(PLAIN)]),
        ("S", [b"+OK"]),
    ],
    "LOGIN": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH LOGIN"]),
        ("S", [b"+ VXNlcm5hbWU6"]),
        ("C", [b64encode(USER_NAME)]),
        ("S", [b"+ UGFzc3dvcmQ6"]),
        ("C", [b64encode(PASSWORD)]),
        ("S", [b"-ERR [AUTH] no"]),
        ("C", [b"USER user", b"PASS " + PASSWORD]),
        ("S", [b"+OK", b"+OK"]),
    ],
    "challenge and response": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH CRAM-MD5"]),
        ("S", [b"+ " + b64encode(b"<1@example.org>")]),
        ("C", [b64encode(CRAM)]),
        ("S", [b"+OK"]),
    ],
    "cancelled": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH LOGIN"]),
        ("S", [b"+ VXNlcm5hbWU6"]),
        ("C", [b"*"]),
        ("S", [b"-ERR"]),
        ("C", [b"AUTH PLAIN " + b64encode(PLAIN)]),
        ("S", [b"+OK"]),
    ],
    "challenge introduced by +OK": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH LOGIN"]),
        ("S", [b"+OK UGFzc3dvcmQ6"]),
        ("C", [b64encode(PASSWORD)]),
        ("S", [b"+OK"]),
    ],
    "behind answers that are outstanding": [
        ("S", [b"+OK"]),
        ("C", [b"CAPA", b"USER user", b"AUTH LOGIN"]),
        ("S", [b"+OK", b"+OK", b"-ERR", b".", b"+OK", b"+ VXNlcm5hbWU6"]),
        ("C", [b64encode(PASSWORD)]),
        ("S", [b"+OK"]),
    ],
}
# These do not replay: the client does what a client may not, or the server answers too much, or
# says that it takes a message where it cannot.
UNRULY: dict[str, list[tuple[str, list[bytes]]]] = {
    "responses after an AUTH that was refused": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH LOGIN"]),
        ("S", [b"-ERR"]),
        ("C", [b64encode(USER_NAME)]),
        ("S", [b"-ERR"]),
        ("C", [b64encode(PASSWORD), b"*", PASSWORD]),
        ("S", [b"-ERR", b"-ERR", b"-ERR"]),
        ("C", [b64encode(PASSWORD)]),
    ],
    "responses after a response that was refused": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH CRAM-MD5"]),
        ("S", [b"+ " + b64encode(b"<1@example.org>")]),
        ("C", [b"*"]),
        ("S", [b"-ERR"]),
        ("C", [b64encode(CRAM)]),
        ("S", [b"-ERR"]),
        ("C", [b""]),
        ("S", [b"-ERR"]),
        ("C", [b64encode(PLAIN)]),
    ],
    "responses after a bare AUTH that was refused": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH", b64encode(PLAIN)]),
        ("S", [b"-ERR", b"-ERR"]),
        ("C", [b64encode(PASSWORD)]),
    ],
    "answers sent ahead of challenges": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH LOGIN", b64encode(USER_NAME), b64encode(PASSWORD), b"STAT"]),
        ("S", [b"+ ", b"+ ", b"+OK", b"+OK 0 0"]),
    ],
    "more answers than commands": [
        ("S", [b"+OK", b"+OK", b"+OK"]),
        ("C", [b"AUTH LOGIN"]),
        ("S", [b"+OK", b"+ VXNlcm5hbWU6"]),
        ("C", [b64encode(PASSWORD)]),
        ("S", [b"+ UGFzc3dvcmQ6"]),
        ("C", [PASSWORD]),
    ],
    "a challenge in prose, introduced by +OK": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH LOGIN"]),
        ("S", [b"+OK Password:"]),
        ("C", [b64encode(PASSWORD)]),
        ("S", [b"+OK Once more:"]),
        ("C", [PASSWORD]),
        ("S", [b"+OK"]),
        ("C", [b"PASS " + PASSWORD]),
    ],
    "a challenge out of turn": [
        ("S", [b"+OK"]),
        ("C", [b"USER user"]),
        ("S", [b"+ UGFzc3dvcmQ6"]),
        ("C", [b64encode(PASSWORD)]),
    ],
    "an upload before the login": [
        ("S", [b"+OK"]),
        ("C", [b"XTND XMIT"]),
        ("S", [b"+OK"]),
        ("C", [b"USER user"]),
        ("S", [b"+OK"]),
        ("C", [b"PASS " + PASSWORD, b"AUTH PLAIN " + b64encode(PLAIN), b"AUTH LOGIN"]),
        ("S", [b"+OK", b"+OK", b"+ "]),
        ("C", [b64encode(PASSWORD), b".", b"PASS " + PASSWORD]),
    ],
    "an upload sent ahead of the login": [
        ("S", [b"+OK"]),
        ("C", [b"XTND XMIT", b"USER user", b"PASS " + PASSWORD]),
        ("S", [b"+OK", b"+OK"]),
        ("C", [b"PASS " + PASSWORD, b"APOP user " + DIGEST]),
    ],
    "an upload behind a login that is refused": [
        ("S", [b"+OK"]),
        ("C", [b"USER user", b"PASS " + PASSWORD, b"XTND XMIT"]),
        ("S", [b"+OK", b"-ERR", b"+OK"]),
        ("C", [b"USER user", b"PASS " + PASSWORD]),
    ],
    "an upload ahead of an exchange": [
        ("S", [b"+OK"]),
        ("C", [b"XTND XMIT", b"AUTH LOGIN"]),
        ("S", [b"+OK", b"+ "]),
        ("C", [b64encode(PASSWORD)]),
        ("S", [b"+ "]),
        ("C", [PASSWORD]),
    ],
    "an upload sent ahead of the answer to a login": [
        ("S", [b"+OK"]),
        ("C", [b"AUTH PLAIN " + b64encode(PLAIN), b"XTND XMIT", b"AUTH LOGIN"]),
        ("S", [b"+OK", b"+OK"]),
        ("C", [b64encode(PASSWORD), b"PASS " + PASSWORD]),
    ],
    "mistyped": [
        ("S", [b"+OK"]),
        ("C", [b" PASS " + PASSWORD, b"PASS" + PASSWORD, b"PASSWORD:" + PASSWORD]),
        ("C", [b"APOP " + DIGEST, b"APOP " + PASSWORD, b"APOP user\t" + DIGEST]),
        ("C", [b"AUTH " + b64encode(PLAIN), b"auth\tplain " + b64encode(PLAIN)]),
    ],
}
ALL = SESSIONS | UNRULY


def parts(octets: bytes) -> Iterator[bytes]:
    """Every piece that would tell something."""
    for start in range(len(octets) - 5):
        yield octets[start : start + 6]


SECRETS = frozenset(
    part
    for secret in (PASSWORD, DIGEST, b64encode(PASSWORD), b64encode(PLAIN), b64encode(CRAM))
    for part in parts(secret)
)


_ADDRESS = re.compile(" at 0x[0-9a-f]+")


def everything_in(value: object, seen: set[int]) -> Iterator[str]:
    """Yield the reprs of ``value`` and of all that hangs on it, without addresses.

    Now and then an address has six digits of the digest.
    """
    if id(value) in seen:
        return
    seen.add(id(value))
    yield _ADDRESS.sub("", repr(value))
    for name in getattr(type(value), "__slots__", ()):
        yield from everything_in(getattr(value, name, None), seen)
    for inner in getattr(value, "__dict__", {}).values():
        yield from everything_in(inner, seen)
    if isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from everything_in(inner, seen)
    if isinstance(value, dict):
        yield from everything_in(list(value.values()), seen)


def assert_no_secret(recorder: Recorder) -> None:
    transcript = recorder.transcript
    texts = [transcript.dumps(), *everything_in(recorder, set()), *everything_in(transcript, set())]
    for secret in SECRETS:
        assert not any(secret.decode() in text for text in texts)


def record(
    script: list[tuple[str, list[bytes]]], role: Role, cut: st.DataObject | None = None
) -> Recorder:
    recorder = Recorder(role)
    own = "C" if role == "client" else "S"
    for who, lines in script:
        data = b"".join(line + b"\r\n" for line in lines)
        while data:
            size = cut.draw(st.integers(1, len(data))) if cut else 1
            (recorder.sent if who == own else recorder.received)(data[:size])
            data = data[size:]
    return recorder


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("name", ALL)
def test_octet_by_octet(name: str, role: Role) -> None:
    assert_no_secret(record(ALL[name], role))


@given(st.data(), st.sampled_from(sorted(ALL)), st.sampled_from(["client", "server"]))
@effort(150)
def test_cut_anywhere(data: st.DataObject, name: str, role: Role) -> None:
    recorder = record(ALL[name], role, data)
    assert_no_secret(recorder)
    assert recorder.transcript == record(ALL[name], role).transcript


@pytest.mark.parametrize("name", ALL)
def test_cut_off_anywhere(name: str) -> None:
    lines = [(who, line) for who, lines in ALL[name] for line in lines]
    for end, (_, last) in enumerate(lines):
        recorder = record([(who, [line]) for who, line in lines[:end]], "client")
        if lines[end][0] == "C":
            recorder.sent(last)
        recorder.closed()
        assert_no_secret(recorder)


@pytest.mark.parametrize("name", SESSIONS)
def test_what_is_left_can_be_replayed(name: str) -> None:
    transcript = record(SESSIONS[name], "client").transcript
    lines = sum(len(lines) for who, lines in SESSIONS[name] if who == "C")
    events = [e for e in replay(transcript, "server") if "InvalidCommand" not in repr(e)]
    assert len(events) == lines
    assert list(replay(transcript, "client"))


@pytest.mark.parametrize("name", SESSIONS)
def test_errors_of_a_replay_show_no_secret(name: str) -> None:
    """Not even of a transcript that still holds them, because somebody wrote it by hand."""
    text = "pop3proto transcript 1\n"
    for who, lines in SESSIONS[name]:
        text += "".join(f"{who}: {line.decode()}\\r\\n\n".replace("\t", "\\t") for line in lines)
    transcript = Transcript.loads(text)
    roles: tuple[Role, Role] = ("client", "server")
    for role in roles:
        shown = repr(transcript)
        try:
            for event in replay(transcript, role):
                shown += repr(event) if "InvalidCommand" not in repr(event) else ""
        except Pop3Error as error:
            shown += f"{error} {error!r}"
        assert PASSWORD.decode() not in shown
        assert b64encode(PASSWORD).decode() not in shown


TYPED: list[Command[Any]] = [
    *(User(USER_NAME), Pass(PASSWORD), Rpop(PASSWORD), Apop(USER_NAME, DIGEST.decode())),
    *(Auth("PLAIN", PLAIN), Auth("LOGIN"), Auth("X-OWN", complete=False), AuthList()),
    *(AuthResponse(PASSWORD), AuthResponse(PLAIN, complete=False), AuthResponse(b"")),
    *(AuthCancel(), Capa(), Stat(), Retr(1), Quit(), Extension.multi("XTND XLST")),
    *([Extension.single("XTND XMIT")] * 3),
]
ANSWERED = [
    *([b"+OK\r\n"] * 5),
    *(b"-ERR\r\n", b"+ \r\n", b"+ PDE+\r\n", b"+OK PDE+\r\n", b"+OK 1 2\r\n", b"+ok\n", b"\r\n"),
    *(b"+OK\r\nPLAIN\r\n.\r\n", b".\r\n", b"+OK\r\n.x\r\n.\r\n"),
]
STEPS = st.lists(st.sampled_from(TYPED) | st.sampled_from(ANSWERED), max_size=14)


@given(STEPS, st.sampled_from([(), ("XTND XLST",)]), st.data())
@effort(300)
def test_whatever_an_engine_sends(
    steps: list[Command[Any] | bytes], multiline: tuple[str, ...], data: st.DataObject
) -> None:
    """Commands sent ahead, in several pieces, to a server that says anything."""
    engine, recorder = ClientConnection(), Recorder(multiline=multiline)
    with suppress(RemoteProtocolError, ConnectionLostError):
        for step in (b"+OK\r\n", *steps):
            if isinstance(step, bytes):
                recorder.received(step)
                engine.receive_data(step)
                deque(drained(engine), maxlen=0)
            else:
                with suppress(LocalProtocolError):
                    octets = engine.send(step)
                    for piece in data.draw(chunkings(octets)):
                        recorder.sent(piece)
    assert_no_secret(recorder)


def test_a_malformed_line_is_not_shown() -> None:
    with pytest.raises(Pop3Error) as caught:
        Transcript.loads(f"pop3proto transcript 1\nPASS {PASSWORD.decode()}\n")
    assert PASSWORD.decode() not in str(caught.value)
