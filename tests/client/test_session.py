"""The life of a connection: what is awaited how long, what is said of it, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto import (
    Capa,
    CommandError,
    Dele,
    Greeting,
    List,
    Quit,
    Retr,
    Stls,
    Top,
)
from pop3proto.client.client import AsyncClient
from pop3proto.client.stepping import run
from pop3proto.errors import (
    AuthenticationError,
    ConnectionLostError,
    GreetingError,
    LocalProtocolError,
    LoginDelayError,
    TlsUnavailableError,
)
from pop3proto.model.login_commands import Auth, AuthCancel, Pass, User
from pop3proto.transports import ClientOptions, QuitResult, Security, Timeouts
from tests.client.test_exchange import Scripted

OK = b"+OK\r\n"
GREETING = b"+OK ready <1.2@example.org>\r\n"
CAPABILITIES = b"+OK\r\nPIPELINING\r\nTOP\r\n.\r\n"
# One for each phase.
TIMEOUTS = Timeouts(greeting=1.0, reply=2.0, login=3.0, body=4.0, quit=5.0)


def started(*chunks: bytes, host: str | None = None, **options: Any) -> tuple[Any, Scripted]:
    stream = Scripted([GREETING, *([CAPABILITIES] if options.get("capabilities") else []), *chunks])
    options = {"capabilities": False, "allow_plaintext_auth": True, **options}
    made = AsyncClient.start(
        stream,
        security=Security.PLAINTEXT,
        server_hostname=host,
        options=ClientOptions(timeouts=TIMEOUTS, **options),
    )
    return run(made), stream


def logged_in(*chunks: bytes, **how: Any) -> tuple[Any, Scripted]:
    client, stream = started(OK, OK, *chunks, **how)
    run(client.login("user", "secret", mechanisms=["USER"]))
    stream.sent.clear()
    stream.timeouts.clear()
    return client, stream


# How long an answer is awaited


def test_each_phase_has_its_own_deadline() -> None:
    client, stream = started(OK, OK, b"+OK\r\n1 5\r\n", b".\r\n", OK)
    run(client.call(User("user")))
    run(client.call(Pass("secret")))
    run(client.call(List()))
    run(client.quit())
    # A call that asks for the rest of a body has been in the body before.
    assert [round(seconds or 0) for seconds in stream.timeouts] == [1, 2, 3, 2, 4, 5]


def test_what_logs_in_by_itself_is_awaited_as_long() -> None:
    client, stream = started(OK, OK)
    run(client.login("user", "secret", mechanisms=["USER"]))
    assert stream.timeouts == [1.0, 2.0, 3.0]


def test_a_login_that_is_cancelled_is_awaited_as_long() -> None:
    client, stream = started(b"+ \r\n", b"-ERR cancelled\r\n")
    run(client.call(Auth("X-OWN", complete=False)))
    with pytest.raises(AuthenticationError) as caught:
        run(client.call(AuthCancel()))
    assert caught.value.command == AuthCancel()
    assert stream.timeouts == [1.0, 3.0, 3.0]


# What is said of it


def test_what_it_looks_like() -> None:
    client, _ = started(host="pop.example.org\x1b")
    assert repr(client) == r"<AsyncClient: pop.example.org\x1b, authorization>"
    assert client.greeting == Greeting("ready <1.2@example.org>")
    client, _ = logged_in()
    assert repr(client) == "<AsyncClient: 'user', transaction>"
    client.abort()
    assert repr(client) == "<AsyncClient: 'user', closed>"
    client = AsyncClient(Scripted([]), secure=True, options=ClientOptions())
    assert repr(client) == "<AsyncClient: greeting, TLS>"


@pytest.mark.parametrize(
    ("user", "shown"),
    [("user", "'user'"), ("us\xe9r".encode(), "'us\xe9r'"), (b"\xff", r"'\ufffd'")],
)
def test_who_has_logged_in(user: str | bytes, shown: str) -> None:
    async def apop(client: Any) -> None:
        await client.apop(user, "secret")

    async def rpop(client: Any) -> None:
        await client.rpop(user, "remote")

    async def oauth(client: Any) -> None:
        await client.oauth(user, "token", initial_response=True)

    for log_in, answers in ((apop, [OK]), (rpop, [OK, OK]), (oauth, [OK])):
        client, _ = started(*answers)
        run(log_in(client))
        assert repr(client).replace("\ufffd", r"\ufffd") == f"<AsyncClient: {shown}, transaction>"


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_batches_send_ahead_if_both_sides_do(allowed: bool, asked: bool) -> None:
    client, _ = started(capabilities=asked, pipelining=allowed)
    assert client.pipelining is (allowed and asked)


def test_a_refusal_in_place_of_a_greeting() -> None:
    stream = Scripted([b"-ERR [SYS/TEMP] later\r\n"])
    with pytest.raises(GreetingError, match=r"^the server refused: .*later") as caught:
        run(AsyncClient.start(stream, security=Security.PLAINTEXT))
    assert caught.value.reply is not None
    assert stream.aborted
    assert stream.sent == []


def test_a_call_that_is_refused_names_its_command() -> None:
    client, _ = logged_in(b"-ERR [SYS/TEMP] later\r\n")
    with pytest.raises(CommandError) as caught:
        run(client.call(Dele(1)))
    assert type(caught.value) is CommandError
    assert caught.value.command == Dele(1)
    assert caught.value.text == "later"


@pytest.mark.parametrize("command", [User("user"), Auth("X-OWN")])
def test_a_login_that_is_refused_is_the_reason_if_the_server_then_closes(command: Any) -> None:
    announced = b"+OK\r\nLOGIN-DELAY 60\r\nRESP-CODES\r\n.\r\n"
    client, _ = started(announced, b"-ERR [LOGIN-DELAY] wait\r\n", b"")
    run(client.call(Capa()))
    with pytest.raises(LoginDelayError) as refused:
        run(client.call(command))
    assert refused.value.command == command
    assert refused.value.seconds == 60
    with pytest.raises(ConnectionLostError) as lost:
        run(client.call(command))
    assert lost.value.__cause__ is refused.value


def test_a_login_that_is_refused_in_the_clear_is_told_of_stls() -> None:
    client, _ = started(b"+OK\r\nSTLS\r\n.\r\n", b"-ERR no\r\n")
    run(client.call(Capa()))
    with pytest.raises(AuthenticationError) as caught:
        run(client.call(User("user")))
    assert "STLS" in str(caught.value.hint)


def test_stls_that_is_refused_says_why() -> None:
    client, stream = started(b"-ERR [SYS/PERM] never\r\n")
    with pytest.raises(TlsUnavailableError) as caught:
        run(client.start_tls())
    reason = "STLS is not available: the server refused: [SYS/PERM] never"
    assert caught.value.args == (reason,)
    assert caught.value.command == Stls()
    assert stream.aborted


@pytest.mark.parametrize("method", ["send", "receive"])
def test_half_of_a_stream_is_none(method: str) -> None:
    half: Any = type("Half", (), {method: getattr(Scripted, method)})()
    with pytest.raises(LocalProtocolError, match="stream is a Stream, not Half"):
        run(AsyncClient.start(half, security=Security.PLAINTEXT))


# The sizes of messages


def test_list_tells_progress_what_is_expected() -> None:
    listing = b"+OK\r\n1 5\r\n2 9\r\n.\r\n"
    body = b"+OK 99 octets\r\n123\r\n.\r\n"
    client, _ = logged_in(listing, body, body, body, body)
    seen: list[int | None] = []

    def progress(octets: int, expected: int | None) -> None:
        seen.append(expected)

    async def streamed(command: Any) -> int | None:
        async with client.stream(command, progress=progress) as message:
            async for _ in message:
                pass
        return message.expected if isinstance(message.expected, int) else None

    run(client.list())
    run(client.call(Retr(1), progress=progress))
    assert run(streamed(Retr(2))) == 9
    # Nobody knows about this message, and TOP is not all of one.
    run(client.call(Retr(3), progress=progress))
    run(client.call(Top(1, 1), progress=progress))
    assert list(dict.fromkeys(seen)) == [5, 9, 99]


def test_what_is_expected_of_a_message_that_arrives_in_pieces() -> None:
    client, _ = logged_in(b"+OK\r\n1 5\r\n.\r\n", OK, b"text\r\n.\r\n")
    seen: list[tuple[int, int | None]] = []
    run(client.list())
    run(client.call(Retr(1), progress=lambda octets, expected: seen.append((octets, expected))))
    assert seen == [(6, 5)]


def test_what_is_no_text_is_refused_with_its_command() -> None:
    client, stream = logged_in()
    with pytest.raises(LocalProtocolError, match="not answered by a text") as caught:
        client.stream(List())
    assert caught.value.command == List()
    assert stream.sent == []


# The end


def test_quit_that_is_confirmed() -> None:
    client, stream = logged_in(OK, b"+OK bye\r\n")
    run(client.call(Dele(1)))
    assert run(client.quit()) == QuitResult(True, 1, "bye")
    assert run(client.quit()) == QuitResult(True, 1, "bye")
    assert stream.sent == [b"DELE 1\r\n", b"QUIT\r\n"]
    assert client.closed


def test_quit_that_is_refused() -> None:
    client, stream = logged_in(OK, b"-ERR some were not removed\r\n")
    run(client.call(Dele(1)))
    result = run(client.quit())
    assert (result.confirmed, result.deletions) == (False, 1)
    assert result.text == "some were not removed"
    assert type(result.error) is CommandError
    assert result.error.command == Quit()
    assert result.error.reply is not None
    assert stream.aborted


def test_quit_that_is_not_answered() -> None:
    client, stream = logged_in(OK, b"")
    run(client.call(Dele(1)))
    result = run(client.quit())
    assert (result.confirmed, result.deletions, result.text) == (False, 1, "")
    assert type(result.error) is ConnectionLostError
    assert stream.aborted
    assert client.closed


def test_quit_skips_what_was_left_open() -> None:
    client, stream = logged_in(OK, b"+OK\r\n1\r\n", b"2\r\n.\r\n", b"+OK bye\r\n")

    async def left() -> None:
        await client.call(Dele(2))
        await client.stream(Retr(1)).__anext__()

    run(left())
    assert run(client.quit()) == QuitResult(True, 1, "bye")
    assert stream.sent == [b"DELE 2\r\n", b"RETR 1\r\n", b"QUIT\r\n"]


def test_quit_after_a_text_that_was_left_open_and_breaks() -> None:
    client, stream = logged_in(OK, b"+OK\r\n1\r\n", b"")

    async def left() -> None:
        await client.call(Dele(2))
        await client.stream(Retr(1)).__anext__()

    run(left())
    result = run(client.quit())
    assert (result.confirmed, result.deletions, result.text) == (False, 1, "")
    assert type(result.error) is ConnectionLostError
    assert stream.sent == [b"DELE 2\r\n", b"RETR 1\r\n"]


@pytest.mark.parametrize("deleted", [True, False])
def test_leaving_raises_the_reason_if_deletions_were_not_made(deleted: bool) -> None:
    client, _ = logged_in(*([OK] if deleted else []), b"-ERR no\r\n")

    async def left() -> None:
        async with client:
            if deleted:
                await client.call(Dele(1))

    if deleted:
        with pytest.raises(CommandError, match="no"):
            run(left())
    else:
        run(left())
    assert client.closed


def test_leaving_by_an_error_deletes_nothing() -> None:
    client, stream = logged_in(OK)

    async def left() -> None:
        async with client:
            await client.call(Dele(1))
            raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="the caller's own"):
        run(left())
    assert stream.sent == [b"DELE 1\r\n"]
    assert stream.aborted


def test_a_client_that_was_closed_is_left_in_silence() -> None:
    client, stream = logged_in()

    async def left() -> None:
        async with client:
            await client.aclose()

    run(left())
    assert stream.sent == []


def test_the_capabilities_can_be_asked_for_again() -> None:
    client, stream = started(CAPABILITIES, b"+OK\r\nTOP\r\n.\r\n", capabilities=True)
    assert client.capabilities.pipelining
    assert run(client.call(Capa())).capabilities == client.capabilities
    assert client.capabilities.pipelining
    assert not run(client.call(Capa())).capabilities.pipelining
    assert not client.capabilities.pipelining
    assert stream.sent == [b"CAPA\r\n"] * 3
