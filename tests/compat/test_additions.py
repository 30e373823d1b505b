"""What poplib cannot do: lang() and retr_iter(); for auth() see test_auth.py."""

import base64
import gc
from contextlib import closing
from typing import Any

import pytest

from pop3proto.compat import poplib
from tests.compat.conversations import outcome, talk

HELLO = b"+OK ready\r\n"
MAIL = b"Subject: one\r\n\r\n..dots\r\n.\r\n" + base64.encodebytes(bytes(200_000)).replace(
    b"\n", b"\r\n"
)
RETR = b"+OK 1 message\r\n" + MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n"
LINES = MAIL.split(b"\r\n")[:-1]


def client_on(*replies: bytes) -> Any:
    return talk(poplib, HELLO, *replies)


def test_lang() -> None:
    with client_on(b"+OK\r\nen English\r\n.\r\n", b"+OK en\r\n", b"-ERR no\r\n") as (
        client,
        server,
    ):
        assert client.lang() == (b"+OK", [b"en English"], 12)
        assert client.lang("en") == b"+OK en"
        assert outcome(lambda: client.lang("*")) == ("error_proto", (b"-ERR no",))
    assert server.received == [b"LANG\r\n", b"LANG en\r\n", b"LANG *\r\n"]


@pytest.mark.parametrize("debug", [0, 2])
def test_a_message_as_it_comes(debug: int) -> None:
    with client_on(RETR, b"+OK\r\n") as (client, _):
        client.set_debuglevel(debug)
        message = client.retr_iter(1)
        assert message.response == b"+OK 1 message"
        assert list(message) == LINES
        assert message.octets == len(MAIL)
        assert list(message) == []
        assert client.noop() == b"+OK"


def test_a_message_that_is_not_there() -> None:
    with client_on(b"-ERR no\r\n", b"+OK\r\n") as (client, _):
        assert outcome(lambda: client.retr_iter(1)) == ("error_proto", (b"-ERR no",))
        assert client.noop() == b"+OK"


def test_an_empty_message() -> None:
    with client_on(b"+OK\r\n.\r\n") as (client, _):
        assert list(client.retr_iter(1)) == []


def test_the_next_command_skips_what_was_left() -> None:
    with client_on(RETR, RETR, b"+OK\r\n") as (client, _):
        first = client.retr_iter(1)
        assert next(first) == LINES[0]
        assert next(client.retr_iter(1)) == LINES[0]
        gc.collect()
        assert list(first) == []
        assert client.noop() == b"+OK"


def test_closing_it_skips_what_is_left() -> None:
    with client_on(RETR, b"+OK\r\n") as (client, _):
        with closing(client.retr_iter(1)) as message:
            assert next(message) == LINES[0]
        assert list(message) == []
        assert message.octets == len(MAIL)
        assert client.noop() == b"+OK"


def test_the_end_of_a_with_skips_what_is_left() -> None:
    with client_on(RETR, b"+OK\r\n") as (client, _):
        with client.retr_iter(1) as message:
            assert next(message) == LINES[0]
        assert message.octets == len(MAIL)
        assert client.noop() == b"+OK"


def test_the_end_of_a_with_by_an_exception_reads_nothing() -> None:
    with client_on(RETR, b"+OK\r\n") as (client, _):
        with pytest.raises(ZeroDivisionError), client.retr_iter(1) as message:
            raise ZeroDivisionError
        assert message.octets == 0
        assert client.noop() == b"+OK"
        assert message.octets == len(MAIL)


def test_the_end_of_a_with_on_a_connection_that_has_failed() -> None:
    with client_on(RETR[:-10]) as (client, _):
        with client.retr_iter(1) as message, pytest.raises(poplib.error_proto, match="EOF"):
            list(message)
        # The error was told.
        message.close()
        assert outcome(client.noop)[0] == "error_proto"


def test_a_message_that_is_cut_short() -> None:
    with client_on(RETR[:-10]) as (client, _):
        message = client.retr_iter(1)
        with pytest.raises(poplib.error_proto, match="EOF"):
            list(message)
        assert outcome(lambda: list(message))[0] == "error_proto"
        assert outcome(client.noop)[0] == "error_proto"


def test_a_connection_that_is_stream_closed() -> None:
    with client_on(RETR) as (client, _):
        message = client.retr_iter(1)
        next(message)
        client.close()
        with pytest.raises(poplib.error_proto, match="it was closed"):
            list(message)
