"""Clients that send without end, or at odd moments, and what the server says to them."""

import re
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from pop3proto import State
from pop3proto.errors import MaildropError
from pop3proto.model.commands import KNOWN_VERBS
from pop3proto.server import (
    Close,
    MemoryMaildrops,
    NeedData,
    Send,
    ServerOptions,
    ServerSession,
    StartTls,
    UpdateError,
)
from tests.security.test_server_role import LOGIN, USERS, act, sent

QUICK = ServerOptions(failed_login_delay=0)
CLEARTEXT = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0)
MARK = b"ZQXJ"


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({"user": [b"one\r\n", b"two\r\n"]})


def session_of(maildrops: Any, **options: Any) -> ServerSession:
    session = ServerSession(maildrops, USERS, **{"secure": True, "options": QUICK, **options})
    act(session)
    return session


# Without end


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\r\n",
        b"\r\n",
        b"CAPA\r\n",
        b"USER user\r\n",
        b"AUTH\r\n",
        b"AUTH X\r\n*\r\n",
        b"x" * 99,
    ],
)
def test_a_client_that_sends_and_never_reads_costs_no_more_than_it_sent(
    maildrops: MemoryMaildrops, line: bytes
) -> None:
    session = session_of(maildrops)
    flood = line * (200_000 // len(line))
    tracemalloc.start()
    session.receive_data(flood)
    # The loop sends one answer at a time, and stops where the client does not read.
    first = session.next_action()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(first, Send | NeedData)
    assert peak < 100_000
    session.close()
    assert session.next_action() == Close()


def test_commands_that_are_right_may_come_for_ever(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops)
    act(session, LOGIN)
    assert sent(act(session, b"NOOP\r\n" * 1000)) == b"+OK\r\n" * 1000


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\r\n",  # which is for those who have logged in
        b"AUTH PLAIN\r\n*\r\n",
        b"AUTH PLAIN\r\n=\r\n",
        b"AUTH PLAIN\r\nnot base64\r\n",
        b"AUTH PLAIN " + b"A" * 9000 + b"\r\n",
        b"AUTH PLAIN\r\n" + b"A" * 9000 + b"\r\n",
        b"STLS\r\n",
        b"UTF8 x\r\n",
        b"QUIT x\r\n",
    ],
)
def test_what_is_refused_has_an_end(maildrops: MemoryMaildrops, line: bytes) -> None:
    session = session_of(maildrops)
    actions = act(session, line * 100)
    assert actions[-1] == Close()
    assert sent(actions).count(b"-ERR") == 20
    assert session.user is None


@pytest.mark.parametrize("response", [b"", b"=", b"AAAA", b64encode(b"\0user\0wrong")])
def test_responses_that_are_wrong_have_an_end(maildrops: MemoryMaildrops, response: bytes) -> None:
    session = session_of(maildrops)
    actions = act(session, (b"AUTH PLAIN\r\n" + response + b"\r\n") * 100)
    assert actions[-1] == Close()
    refusals = sent(actions).count(b"-ERR")
    assert refusals == (20 if response == b"=" else 3)
    assert session.user is None


def test_a_mechanism_that_asks_for_ever_is_ended(maildrops: MemoryMaildrops) -> None:
    class Asking:
        name, shows_password = "X-OWN", False

        def begin(self) -> "Asking":
            return self

        def respond(self, response: bytes | None) -> bytes:
            return b"more"

    session = session_of(maildrops, mechanisms=[Asking()], options=ServerOptions(max_auth_rounds=5))
    answers = sent(act(session, b"AUTH X-OWN\r\n" + b"\r\n" * 5))
    assert answers.count(b"+ ") == 5
    assert answers.endswith(b"-ERR [AUTH] the login failed\r\n")
    assert session.state is State.AUTHORIZATION


# STLS at odd moments


def test_stls_happens_once(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True)
    assert act(session, b"STLS\r\n")[-1] == StartTls()
    session.tls_established()
    assert act(session) == [NeedData()]
    assert sent(act(session, b"STLS\r\n")) == b"-ERR not offered\r\n"
    assert b"STLS" not in sent(act(session, b"CAPA\r\n"))
    act(session, LOGIN)
    assert sent(act(session, b"STLS\r\n")).startswith(b"-ERR not possible in the state")
    assert session.secure


def test_stls_after_the_login_is_refused(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True, options=CLEARTEXT)
    actions = act(session, LOGIN + b"STLS\r\nSTAT\r\n")
    assert sent(actions).endswith(b"-ERR not possible in the state 'transaction'\r\n+OK 2 10\r\n")
    assert actions[-1] == NeedData()


def test_stls_within_auth_is_a_response(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True, options=CLEARTEXT)
    actions = act(session, b"AUTH PLAIN\r\nSTLS\r\n")
    # Four letters are base64.
    assert sent(actions) == b"+ \r\n-ERR [AUTH] the login failed\r\n"
    assert actions[-1] == NeedData()


def test_what_was_sent_ahead_of_stls_is_answered_in_the_clear(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True)
    actions = act(session, b"CAPA\r\nUSER user\r\nSTLS\r\n")
    assert sent(actions).endswith(b"under TLS\r\n+OK begin TLS now\r\n")
    assert actions[-1] == StartTls()
    session.tls_established()
    # Nothing from before counts (RFC 2595 section 4).
    assert sent(act(session, b"PASS secret\r\n")) == b"-ERR USER comes first\r\n"


def test_a_user_named_before_stls_is_forgotten(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops, secure=False, offer_stls=True, options=CLEARTEXT)
    act(session, b"USER user\r\n")
    assert act(session, b"STLS\r\n")[-1] == StartTls()
    session.tls_established()
    assert sent(act(session, b"PASS secret\r\n")) == b"-ERR USER comes first\r\n"
    assert session.user is None


# QUIT, and what it says


@pytest.mark.parametrize("begun", [b"", b"USER user\r\n", b"AUTH PLAIN\r\n*\r\n"])
def test_quit_before_the_login(maildrops: MemoryMaildrops, begun: bytes) -> None:
    actions = act(session_of(maildrops), begun + b"QUIT\r\nNOOP\r\n")
    assert sent(actions).endswith(b"+OK goodbye\r\n")
    assert actions[-1] == Close()


def test_quit_within_auth_is_a_response(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops)
    actions = act(session, b"AUTH PLAIN\r\nQUIT\r\n")
    assert sent(actions) == b"+ \r\n-ERR [AUTH] the login failed\r\n"
    assert actions[-1] == NeedData()


class Failing:
    """Maildrops whose every commit fails, in one way or another."""

    def __init__(self, error: Exception) -> None:
        self.inner = MemoryMaildrops({"user": [b"one\r\n", b"two\r\n"]})
        self.error = error

    def open(self, user: str) -> Any:
        outer, maildrop = self, self.inner.open(user)

        class Maildrop:
            messages = maildrop.messages
            open, close = maildrop.open, maildrop.close

            def commit(self, deleted: Any) -> None:
                raise outer.error

        return Maildrop()


@pytest.mark.parametrize(
    ("error", "deleted", "failed"),
    [
        (UpdateError(deleted=[1], failed=[2]), {1}, {2}),
        (UpdateError(deleted=[], failed=[1, 2]), set(), {1, 2}),
        # Of message 2 it says nothing, and message 7 was not to be deleted.
        (UpdateError(deleted=[1, 7], failed=[]), {1}, {2}),
        (MaildropError("no"), set(), {1, 2}),
        (OSError(5, "no"), set(), {1, 2}),
    ],
)
def test_quit_says_that_messages_are_left(error: Exception, deleted: Any, failed: Any) -> None:
    maildrops = Failing(error)
    session = session_of(maildrops)
    actions = act(session, LOGIN + b"DELE 1\r\nDELE 2\r\nQUIT\r\n")
    assert sent(actions).endswith(b"-ERR [SYS/TEMP] some deleted messages not removed\r\n")
    assert actions[-1] == Close()
    assert (session.deleted, session.failed, session.error) == (deleted, failed, error)
    assert not maildrops.inner.in_use("user")


def test_a_commit_with_a_fault_of_its_own_releases_the_maildrop() -> None:
    maildrops = Failing(ZeroDivisionError("a bug"))
    session = session_of(maildrops)
    act(session, LOGIN + b"DELE 1\r\n")
    session.receive_data(b"QUIT\r\n")
    with pytest.raises(ZeroDivisionError):
        session.next_action()
    # No answer was sent, so nobody was told that anything was deleted.
    session.close()
    assert session.next_action() == Close()
    assert not maildrops.inner.in_use("user")


def test_where_nothing_was_to_be_deleted_nothing_is_left() -> None:
    maildrops = Failing(MaildropError("no"))
    session = session_of(maildrops)
    assert sent(act(session, LOGIN + b"DELE 1\r\nRSET\r\nQUIT\r\n")).endswith(b"+OK goodbye\r\n")
    assert (session.deleted, session.failed, session.error) == (frozenset(), frozenset(), None)


def test_rset_takes_back_all_deletions(maildrops: MemoryMaildrops) -> None:
    session = session_of(maildrops)
    act(session, LOGIN + b"DELE 1\r\nDELE 2\r\nRSET\r\nQUIT\r\n")
    assert (session.deleted, session.failed) == (frozenset(), frozenset())
    assert len(maildrops.contents("user")) == 2


# What the server says holds nothing of what the client has said


def lines() -> Iterator[bytes]:
    arguments = [
        *(b"%s", b"%s %s", b"%s =", b"%s eHh4", b"1 %s", b"-%s", b"\x1b%s", b"\xc3\xa9%s", b"%s."),
        *(b"PLAIN %s", b"PLAIN %s=", b"PLAIN %s x", b"%s\t%s", b"%s@", b"\\%s eHh4"),
    ]
    verbs = [*sorted(KNOWN_VERBS - {b"*"}), b"XTND", b"FOO", MARK, b"A" + MARK]
    for verb, blank, argument in product(verbs, (b" ", b"\t", b"", b"  "), arguments):
        yield verb + blank + argument.replace(b"%s", MARK) + b"\r\n"
    yield from (MARK * 200 + b"\r\n", MARK + b"\n", MARK + b"\0\r\n", b"\xff" + MARK + b"\r\n")


@pytest.mark.parametrize("begun", [b"", b"USER user\r\n", b"AUTH PLAIN\r\n", LOGIN])
def test_no_answer_repeats_what_a_client_sent(maildrops: MemoryMaildrops, begun: bytes) -> None:
    # It can be a password, and others read answers: in logs, and in transcripts.
    session = session_of(maildrops)
    for number, line in enumerate(lines()):
        if number % 10 == 0 or session.next_action() == Close():
            session.close()
            session = session_of(maildrops, options=ServerOptions(failed_login_delay=0))
            act(session, begun)
        answer = sent(act(session, line))
        assert MARK not in answer.upper(), line
        assert re.fullmatch(rb"(?:[\x20-\x7e]*\r\n)*", answer), line
