"""Whatever clients say to a server's sessions, only a QUIT deletes, and its answer is the truth."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pop3proto import ClientConnection, Pop3Error, ServerConnection, Signal, State
from pop3proto.errors import MaildropError, MaildropLockedError
from pop3proto.server import (
    Close,
    NeedData,
    Send,
    ServerOptions,
    ServerSession,
    StartTls,
    StoredMessage,
    UpdateError,
)
from tests.property.effort import effort

MESSAGES = {number: b"Subject: %d\r\n\r\n.text\nwithout end" % number for number in range(1, 5)}
OPTIONS = ServerOptions(failed_login_delay=0, max_bad_commands=50, max_failed_logins=50)
LOGIN = [b"USER user", b"PASS secret"]
PLAIN = b64encode(b"\0user\0secret")
RIGHT = st.sampled_from(
    [
        *(b"DELE %d" % number for number in range(6)),
        *(b"RETR 1", b"RETR 9", b"TOP 2 0", b"TOP 1 99", b"TOP 3 2147483647", b"LIST 2", b"UIDL 4"),
        *(b"NOOP", b"STAT", b"LIST", b"UIDL", b"LAST", b"CAPA", b"RSET", b"STLS", b"UTF8", b"LANG"),
        *(*LOGIN, b"PASS wrong", b"AUTH", b"AUTH PLAIN", b"AUTH PLAIN " + PLAIN, b"*", PLAIN, b""),
    ]
)
WRONG = st.sampled_from(
    [b"DELE", b"DELE -1", b"dele 1 2", b"QUIT x", b"XTND", b"TOP 1", b"\0", b"="]
)
LINES = RIGHT | RIGHT | WRONG | st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))


class Maildrops:
    """Maildrops of one user, with every way to fail that the protocol of maildrops has."""

    def __init__(self) -> None:
        self.left = dict(MESSAGES)
        self.in_use = False
        self.failure = ""
        self.commits = 0

    def open(self, user: str) -> Any:
        if self.in_use:
            raise MaildropLockedError("in use")
        if self.failure == "open":
            raise OSError("no")
        self.in_use = True
        return Maildrop(self)


class Maildrop:
    def __init__(self, maildrops: Maildrops) -> None:
        self._maildrops = maildrops
        self._open = True
        self.numbers = [*maildrops.left]
        self.messages = [StoredMessage(40, b"id-%d" % number) for number in self.numbers]

    def open(self, number: int) -> Any:
        if self._maildrops.failure == "read":
            raise MaildropError("no")
        yield MESSAGES[self.numbers[number - 1]]
        if self._maildrops.failure == "break":
            raise OSError("no")

    def commit(self, deleted: Collection[int]) -> None:
        assert self._open
        self._maildrops.commits += 1
        failure = self._maildrops.failure
        if failure == "commit":
            raise MaildropError("no")
        if failure == "bug":
            raise ZeroDivisionError
        done = {number for number in deleted if failure != "half" or number % 2}
        for number in done:
            del self._maildrops.left[self.numbers[number - 1]]
        if len(done) < len(deleted):
            raise UpdateError(deleted=done, failed={*deleted} - done)

    def close(self) -> None:
        # A second call must not release the lock of the next session.
        self._maildrops.in_use = self._maildrops.in_use and not self._open
        self._open = False


class Sessions(RuleBasedStateMachine):
    """One session after another, and now and then a second one at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.maildrops = Maildrops()
        self.session: ServerSession | None = None
        self.over = True
        # The messages that the client was told are deleted, by their own numbers.
        self.marked: set[int] = set()
        self.listed: list[int] = []
        self.expected = dict(MESSAGES)

    @precondition(lambda self: self.over)
    @rule(log_in=st.booleans(), secure=st.booleans())
    def connect(self, log_in: bool, secure: bool) -> None:
        self.session = ServerSession(
            self.maildrops,
            {"user": "secret"},
            options=OPTIONS,
            secure=secure,
            offer_stls=not secure,
        )
        self.over = False
        self.marked.clear()
        assert self.answers().startswith(b"+OK")
        for line in LOGIN if log_in and secure else ():
            self.say(line)

    def answers(self) -> bytes:
        assert self.session is not None
        said = b""
        while True:
            match self.session.next_action():
                case Send(data):
                    said += data
                case NeedData():
                    return said
                case StartTls():
                    self.session.tls_established()
                case Close():
                    self.over = True
                    return said

    @precondition(lambda self: not self.over)
    @rule(line=LINES, cut=st.integers(0, 10))
    def say(self, line: bytes, cut: int = 0) -> None:
        assert self.session is not None
        before = self.session.state
        said = b""
        for part in (line[:cut], line[cut:] + b"\r\n"):
            if part and not self.over:
                self.session.receive_data(part)
                said += self.answers()
        if before is not State.TRANSACTION and self.session.state is State.TRANSACTION:
            self.listed = [*self.maildrops.left]
        accepted = before is State.TRANSACTION and said.startswith(b"+OK")
        words = line.upper().split()
        if accepted and words[:1] == [b"DELE"]:
            number = self.listed[int(words[1]) - 1]
            assert number not in self.marked
            self.marked.add(number)
        if accepted and words == [b"RSET"]:
            self.marked.clear()

    @precondition(lambda self: not self.over)
    @rule(failure=st.sampled_from(["", "", "half", "commit", "bug"]))
    def quit(self, failure: str) -> None:
        assert self.session is not None
        session, before, commits = self.session, self.session.state, self.maildrops.commits
        self.maildrops.failure = failure
        session.receive_data(b"QUIT\r\n")
        logged_in = before is State.TRANSACTION
        try:
            said = self.answers()
        except ZeroDivisionError:
            # The loop's code lets it out, and closes: nobody was told anything.
            assert failure == "bug"
            assert logged_in
            session.close()
            self.over = True
            said = b""
        self.maildrops.failure = ""
        assert self.maildrops.commits == commits + bool(logged_in and self.marked)
        if before is State.AUTHENTICATING:
            assert said.startswith(b"-ERR")
            return
        assert self.over
        gone = {self.listed[number - 1] for number in session.deleted} if logged_in else set()
        if said.startswith(b"+OK"):
            assert gone == (self.marked if logged_in else set())
        elif said:
            kept = {self.listed[number - 1] for number in session.failed}
            assert (gone | kept, gone & kept) == (self.marked, set())
            assert kept
            assert b"some deleted messages not removed" in said
        for number in gone:
            del self.expected[number]

    @precondition(lambda self: not self.over)
    @rule(how=st.sampled_from(["cut", "close", "within a message", "read"]))
    def leave(self, how: str) -> None:
        assert self.session is not None
        if how == "read":
            self.maildrops.failure = "break"
            self.say(b"RETR 1")
            self.maildrops.failure = "read"
            if not self.over:
                self.say(b"RETR 2")
        elif how == "within a message":
            self.session.receive_data(b"RETR 1\r\nDELE 1\r\nQUIT\r\n"[:7])
            self.session.next_action()
        elif how == "cut":
            self.session.receive_data(b"")
            self.answers()
        self.maildrops.failure = ""
        self.session.close()
        assert self.session.next_action() == Close()
        self.over = True

    @precondition(lambda self: not self.over)
    @rule()
    def a_second_session(self) -> None:
        held = self.maildrops.in_use
        second = ServerSession(self.maildrops, {"user": "secret"}, options=OPTIONS, secure=True)
        second.receive_data(b"USER user\r\nPASS secret\r\n")
        said = b""
        while isinstance(action := second.next_action(), Send):
            said += action.data
        assert (b"-ERR [IN-USE]" in said) is held
        second.close()
        assert self.maildrops.in_use is held

    @invariant()
    def nothing_is_deleted_but_by_an_answered_quit(self) -> None:
        assert self.maildrops.left == self.expected

    @invariant()
    def the_lock_ends_with_the_session(self) -> None:
        logged_in = self.session is not None and self.session.user is not None
        assert self.maildrops.in_use is (not self.over and logged_in)


TestSessions = Sessions.TestCase
TestSessions.settings = effort(60, stateful_step_count=25)


# Both engines, each with what the other one would never say


@given(chunks=st.lists(st.binary(max_size=30) | LINES.map(lambda line: line + b"\r\n")))
def test_the_servers_engine_takes_whatever_a_client_sends(chunks: list[bytes]) -> None:
    session = ServerSession(Maildrops(), {"user": "secret"}, options=OPTIONS, secure=True)
    client = ClientConnection(secure=True)
    for chunk in [b"", *chunks]:
        if chunk:
            session.receive_data(chunk)
        while isinstance(action := session.next_action(), Send):
            client.receive_data(action.data)
    session.close()
    # What it answers never breaks the protocol: at the worst, nobody has asked for it.
    assert not isinstance(client.next_event(), Signal)


@given(
    chunks=st.lists(
        st.binary(max_size=30)
        | st.sampled_from([b"+OK\r\n", b"-ERR no\r\n", b"+ eA==\r\n", b".\r\n", b"..\r\n", b"+OK"])
    )
)
def test_the_clients_engine_survives_whatever_a_server_sends(chunks: list[bytes]) -> None:
    client, server = ClientConnection(secure=True), ServerConnection(secure=True)
    for chunk in chunks:
        try:
            client.receive_data(chunk)
            while not isinstance(client.next_event(), Signal):
                pass
        except Pop3Error:
            break
    # And the other way round: it is no command, or one that is not answered yet.
    for chunk in chunks:
        try:
            server.receive_data(chunk)
            assert server.next_event() is Signal.PAUSED
        except Pop3Error:
            break
