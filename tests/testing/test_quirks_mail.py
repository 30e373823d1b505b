"""Quirks of packets and of mail: what is cut, added, mixed, marked and hidden."""

from typing import Any, TypeVar

import pytest

from pop3proto import (
    CommandError,
    ConnectionLostError,
    DeadlineError,
    Fault,
    Leniency,
    List,
    Noop,
    RemoteProtocolError,
    Retr,
)
from pop3proto.errors import DeadConnectionError
from pop3proto.testing import Quirk
from pop3proto.transports.blocking import Client
from tests.testing.quirky import MESSAGES, OPTIONS, Counting, lines_of, start, stream_with, use

T = TypeVar("T")


def logged_in(quirk: Quirk, messages: list[bytes] = MESSAGES, **options: Any) -> Client:
    client = start({quirk}, messages=messages, **options)
    client.login("user", "secret", mechanisms=["USER"])
    return client


def test_each_octet_comes_by_itself() -> None:
    stream = Counting(stream_with({Quirk.SPLIT_PACKETS}))
    with Client.start(stream, security=stream.inner.security, options=OPTIONS) as client:
        client.login("user", "secret", mechanisms=["USER"])
        assert client.retr(1).content == MESSAGES[0]
    assert len(stream.sizes) > 200
    # The end of the stream is no octet.
    assert set(stream.sizes) - {0} == {1}
    assert use({Quirk.SPLIT_PACKETS}, Leniency.none()).bodies == MESSAGES


def test_a_command_is_never_cut() -> None:
    for pieces in ((b"CA", b"PA\r\n"), (b"NOOP\r\nCAPA\r", b"\n")):
        # There is the greeting, and then the end.
        assert lines_of(Quirk.NO_SPLIT_COMMANDS, *pieces)[1:] == [b""]
    seen = use({Quirk.NO_SPLIT_COMMANDS}, Leniency.none(), mechanisms=["SCRAM-SHA-256"])
    assert seen.bodies == MESSAGES
    assert seen.result.confirmed
    with logged_in(Quirk.NO_SPLIT_COMMANDS) as client:
        assert [one.content for one in client.retr_many([1, 2] * 1000)] == MESSAGES * 1000


def test_a_lone_dot_that_is_not_doubled_is_never_a_wrong_reply() -> None:
    mail = b"Subject: one\r\n\r\nText.\r\n.\r\n+OK 7 700\r\n"
    with logged_in(Quirk.NO_DOT_STUFFING, [mail]) as client:
        # The dot ends the message, there is no telling it from the end.
        assert client.retr(1).content == b"Subject: one\r\n\r\nText.\r\n"
        with pytest.raises(RemoteProtocolError, match="double dots"):
            client.stat()
        assert client.closed
        with pytest.raises(DeadConnectionError):
            client.stat()


def test_dots_that_are_doubled_now_and_then() -> None:
    mail = b"Subject: one\r\n\r\n.a\r\n.b\r\n..c\r\n..d\r\n"
    commands = b"USER user\r\nPASS secret\r\nRETR 1\r\n"
    assert b".x" in lines_of(Quirk.SOME_DOT_STUFFING, commands)
    with logged_in(Quirk.SOME_DOT_STUFFING, [mail]) as client:
        # A dot that stands alone is kept; of two, nobody can know that both belong to the mail.
        assert client.retr(1).content == mail.replace(b"..c", b".c")
    assert client.deviations[-1].fault is Fault.UNSTUFFED_DOT
    with start({Quirk.SOME_DOT_STUFFING}, Leniency().refusing(Fault.UNSTUFFED_DOT)) as client:
        client.login("user", "secret", mechanisms=["USER"])
        with pytest.raises(RemoteProtocolError):
            client.retr(1)


def test_without_a_line_end_before_the_dot_what_came_is_not_lost() -> None:
    with logged_in(Quirk.NO_FINAL_NEWLINE) as client:
        pieces: list[bytes] = []
        with pytest.raises(DeadlineError) as caught, client.retr_stream(1) as message:
            pieces.extend(message)
        # The dot could belong to the mail.
        assert b"".join(pieces) == MESSAGES[0].removesuffix(b"\r\n") + b"."
        assert caught.value.phase == "body"
        assert caught.value.seconds == 60.0
        assert caught.value.command == Retr(1)


def test_what_is_retrieved_is_hidden() -> None:
    with logged_in(Quirk.RETR_HIDES) as client:
        assert len(client.list()) == 2
        client.retr(1)
        assert [row.number for row in client.list()] == [row.number for row in client.uidl()] == [2]
        for ask in (client.list, client.uidl):
            with pytest.raises(CommandError):
                ask(1)
        # It is there all the same.
        assert client.stat().count == 2
        assert client.retr(1).content == MESSAGES[0]
        assert client.deviations == ()


def test_what_is_retrieved_is_marked() -> None:
    with logged_in(Quirk.RETR_MARKS) as client:
        assert [client.retr(1).content for _ in range(2)] == [
            MESSAGES[0],
            b"Status: RO\r\n" + MESSAGES[0],
        ]
        assert client.retr(2).content == MESSAGES[1]
        assert client.deviations == ()


def test_what_is_retrieved_is_deleted() -> None:
    for quirks, left in (((), 2), ((Quirk.RETR_DELETES,), 1)):
        stream = stream_with(quirks)
        with Client.start(stream, security=stream.security, options=OPTIONS) as client:
            client.login("user", "secret", mechanisms=["USER"])
            client.retr(1)
            assert client.quit().confirmed
        assert len(MESSAGES) - len(stream.session.deleted) == left


@pytest.mark.parametrize("utf8", [False, True])
def test_8_bit_header_fields(utf8: bool) -> None:
    mail = b"Subject: p\xc3\xb6st\r\n\r\nText.\r\n"
    with start({Quirk.NEEDS_UTF8}, messages=[mail, MESSAGES[0]], utf8=utf8) as client:
        client.login("user", "secret", mechanisms=["USER"])
        assert (client.retr(1).content == mail) is utf8
        assert (b"cannot be shown" in client.retr(1).content) is not utf8
        assert client.retr(2).content == MESSAGES[0]


def test_pipelining_that_closes() -> None:
    with logged_in(Quirk.CLOSES_ON_PIPELINING) as client, pytest.raises(ConnectionLostError):
        list(client.retr_many([1, 2]))
    with start({Quirk.CLOSES_ON_PIPELINING}, pipelining=False) as client:
        client.login("user", "secret", mechanisms=["USER"])
        assert [message.content for message in client.retr_many([1, 2])] == MESSAGES


def test_pipelining_out_of_step() -> None:
    with logged_in(Quirk.PIPELINED_BACKWARDS) as client:
        # The answer to RETR begins like one to NOOP; it is what follows that gives it away.
        with pytest.raises(RemoteProtocolError, match="Subject: two"):
            list(client.batch([Noop(), Retr(2)]))
        assert client.closed
    with start({Quirk.PIPELINED_BACKWARDS}, pipelining=False) as client:
        client.login("user", "secret", mechanisms=["USER"])
        rows = list(client.batch([List(1), List(2)]))
        assert [row.listings[0].number for row in rows] == [1, 2]


def test_pipelining_before_the_login_closes_too() -> None:
    together = b"USER user\r\nPASS secret\r\nSTAT\r\n"
    assert lines_of(Quirk.CLOSES_ON_PIPELINING, together)[1:] == [b""]
    apart = together.splitlines(keepends=True)
    assert b"+OK 2 50" in lines_of(Quirk.CLOSES_ON_PIPELINING, *apart)


@pytest.mark.parametrize("messages", [MESSAGES, MESSAGES[::-1]])
def test_answers_that_are_mixed(messages: list[bytes]) -> None:
    with logged_in(Quirk.PIPELINED_MIXED, messages) as client:
        # What belongs to the one and to the other cannot be told apart, but that it is wrong can.
        with pytest.raises(RemoteProtocolError, match=r"neither \+OK nor -ERR"):
            list(client.retr_many([1, 2]))
        assert client.closed
    with logged_in(Quirk.PIPELINED_MIXED, messages, pipelining=False) as client:
        assert [one.content for one in client.retr_many([1, 2])] == messages


def test_short_answers_that_are_mixed_are_whole() -> None:
    with logged_in(Quirk.PIPELINED_MIXED) as client:
        rows = list(client.batch([List(1), List(2)]))
        assert [row.listings[0].number for row in rows] == [1, 2]


@pytest.mark.parametrize("quirk", [Quirk.SECOND_REPLY, Quirk.CLOSES_BEFORE_QUIT])
def test_a_refused_deletion_is_refused_once(quirk: Quirk) -> None:
    with logged_in(quirk) as client:
        with pytest.raises(CommandError):
            client.dele(9)
        assert client.stat().count == 2
