"""Every state with every command, both roles, against a table written from the RFCs."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    Challenge,
    ClientConnection,
    Command,
    ConnectionLostError,
    Dele,
    ErrorReply,
    Extension,
    Greeting,
    Lang,
    Last,
    List,
    LocalProtocolError,
    Noop,
    Ok,
    Pass,
    Quit,
    RemoteProtocolError,
    Retr,
    Rpop,
    Rset,
    ServerConnection,
    Stat,
    State,
    Stls,
    Top,
    Uidl,
    Upload,
    User,
    Utf8,
)
from pop3proto.errors import DeadConnectionError
from tests.property.engines import positive
from tests.samples import COMMAND_CLASSES

AUTHORIZATION, TRANSACTION = State.AUTHORIZATION, State.TRANSACTION
EITHER = {AUTHORIZATION, TRANSACTION}

# Where each command may be given: RFC 1939 sections 4 to 7, RFC 1460 (LAST, RPOP), RFC 2449
# section 5 (CAPA), RFC 2595 section 4 (STLS), RFC 5034 section 4 (AUTH), RFC 6856 sections 2, 3.
LEGAL: dict[Command[Any], set[State]] = {
    User("user"): {AUTHORIZATION},
    Pass("secret"): {AUTHORIZATION},
    Apop("user", "0" * 32): {AUTHORIZATION},
    Rpop("user"): {AUTHORIZATION},
    Auth("PLAIN"): {AUTHORIZATION},
    AuthList(): {AUTHORIZATION},
    AuthResponse(b"x"): {State.AUTHENTICATING},
    AuthCancel(): {State.AUTHENTICATING},
    Stls(): {AUTHORIZATION},
    Utf8(): {AUTHORIZATION},
    Capa(): EITHER,
    Lang("en"): EITHER,
    Lang(): EITHER,
    Quit(): EITHER,
    Extension.single("XTND XMIT"): EITHER,
    Stat(): {TRANSACTION},
    List(): {TRANSACTION},
    List(1): {TRANSACTION},
    Retr(1): {TRANSACTION},
    Dele(1): {TRANSACTION},
    Noop(): {TRANSACTION},
    Rset(): {TRANSACTION},
    Top(1, 0): {TRANSACTION},
    Uidl(): {TRANSACTION},
    Uidl(1): {TRANSACTION},
    Last(): {TRANSACTION},
    Upload(b"x\r\n"): {TRANSACTION},
}
# What a positive answer leads to; everything else stays where it is.
LEADS_TO: dict[type[Command[Any]], State] = {
    Pass: TRANSACTION,
    Apop: TRANSACTION,
    Rpop: TRANSACTION,
    AuthResponse: TRANSACTION,
    Stls: State.TLS_NEGOTIATION,
}
# Behind which nothing may be sent before it is answered: AUTH and its exchange, STLS (RFC 2449
# section 6.6 and RFC 2595 section 4), QUIT, and a text, which ends with an answer.
BARRIERS = {Auth, AuthResponse, AuthCancel, Stls, Quit, Upload}
# What may not be sent behind anything that is unanswered.
ALONE = {Stls, Upload}
REACHABLE = [s for s in State if s is not State.DEAD]
COMMANDS = pytest.mark.parametrize("command", LEGAL, ids=lambda c: type(c).__name__)


def pair() -> tuple[ClientConnection, ServerConnection]:
    return ClientConnection(), ServerConnection()


def ask(
    client: ClientConnection, server: ServerConnection, command: Command[Any], *replies: Any
) -> list[Any]:
    """Send ``command``, answer it, and take the client's events."""
    server.receive_data(client.send(command))
    if isinstance(command, Upload):
        server.expect_upload()
    assert server.next_event() == command
    client.receive_data(b"".join(map(server.send, replies)))
    return [client.next_event() for _ in replies]


def reach(state: State) -> tuple[ClientConnection, ServerConnection]:
    """Both engines in ``state``."""
    client, server = pair()
    if state is State.GREETING:
        return client, server
    if state is State.CLOSED:
        client.receive_data(server.send(ErrorReply(None, "busy")))
        client.next_event()
        return client, server
    client.receive_data(server.send(Greeting("ready")))
    client.next_event()
    if state is State.AUTHENTICATING:
        ask(client, server, Auth("PLAIN"), Challenge(Auth("PLAIN"), b""))
    elif state is State.TLS_NEGOTIATION:
        ask(client, server, Stls(), Ok(Stls()))
    elif state in (State.TRANSACTION, State.UPDATE):
        ask(client, server, Pass("secret"), Ok(Pass("secret")))
        if state is State.UPDATE:
            ask(client, server, Quit(), Ok(Quit()))
    assert client.state is server.state is state
    return client, server


def test_the_table_has_every_command() -> None:
    assert {type(command) for command in LEGAL} == COMMAND_CLASSES


@pytest.mark.parametrize("state", REACHABLE)
@COMMANDS
def test_a_client_sends_only_what_is_legal(state: State, command: Command[Any]) -> None:
    client, _ = reach(state)
    if state in LEGAL[command]:
        assert client.send(command) == command.to_bytes()
        assert client.in_flight == (command,)
        return
    with pytest.raises(LocalProtocolError):
        client.send(command)
    assert client.state is state
    assert client.in_flight == ()


@pytest.mark.parametrize("state", REACHABLE)
@COMMANDS
def test_success_leads_where_the_rfcs_say(state: State, command: Command[Any]) -> None:
    if state not in LEGAL[command] or isinstance(command, AuthCancel):
        return
    client, server = reach(state)
    if isinstance(command, Upload):
        ask(client, server, Extension.single("XTND XMIT"), Ok(Extension.single("XTND XMIT")))
    replies = positive(command, Auth("PLAIN") if isinstance(command, AuthResponse) else None)
    events = ask(client, server, command, *replies)
    assert events == replies
    if isinstance(command, Quit):
        expected = State.UPDATE if state is TRANSACTION else State.CLOSED
    elif isinstance(command, Auth):
        expected = State.AUTHENTICATING
    else:
        expected = LEADS_TO.get(type(command), state)
    assert client.state is server.state is expected


@pytest.mark.parametrize("state", [AUTHORIZATION, TRANSACTION, State.AUTHENTICATING])
@COMMANDS
def test_a_refusal_leaves_both_where_they_were(state: State, command: Command[Any]) -> None:
    if state not in LEGAL[command]:
        return
    client, server = reach(state)
    if isinstance(command, Upload):
        ask(client, server, Extension.single("XTND XMIT"), Ok(Extension.single("XTND XMIT")))
    within_auth = isinstance(command, AuthResponse | AuthCancel)
    answered = Auth("PLAIN") if within_auth else command
    assert ask(client, server, command, ErrorReply(answered, "no")) == [ErrorReply(answered, "no")]
    if isinstance(command, Quit):
        expected = State.UPDATE if state is TRANSACTION else State.CLOSED
    else:
        expected = AUTHORIZATION if within_auth else state
    assert client.state is server.state is expected


@pytest.mark.parametrize("state", [AUTHORIZATION, TRANSACTION])
@COMMANDS
def test_a_server_refuses_to_grant_what_is_not_legal(state: State, command: Command[Any]) -> None:
    if state in LEGAL[command] or State.AUTHENTICATING in LEGAL[command]:
        return
    if isinstance(command, Upload):
        return
    _, server = reach(state)
    server.receive_data(command.to_bytes())
    assert server.next_event() == command
    for reply in positive(command)[:1]:
        with pytest.raises(LocalProtocolError):
            server.send(reply)
    assert server.state is state
    assert server.send(ErrorReply(command, "not now")) == b"-ERR not now\r\n"
    assert server.state is state


@pytest.mark.parametrize("state", [AUTHORIZATION, TRANSACTION, State.AUTHENTICATING])
@COMMANDS
def test_what_may_be_sent_ahead(state: State, command: Command[Any]) -> None:
    if state not in LEGAL[command]:
        return
    for behind, legal in LEGAL.items():
        client, _ = reach(state)
        client.send(command)
        # What is sent ahead counts on the success of what is before it.
        ahead = LEADS_TO.get(type(command), state)
        if type(command) in BARRIERS or ahead not in legal or type(behind) in ALONE:
            with pytest.raises(LocalProtocolError):
                client.send(behind)
            assert client.in_flight == (command,)
        else:
            assert client.send(behind) == behind.to_bytes()
            assert client.in_flight == (command, behind)
        assert client.state is state


@COMMANDS
def test_a_dead_engine_does_nothing_more(command: Command[Any]) -> None:
    client, server = reach(TRANSACTION)
    client.receive_data(b"what?\r\n")
    server.receive_data(b"STA")
    server.receive_data(b"")
    for engine, error in ((client, RemoteProtocolError), (server, ConnectionLostError)):
        with pytest.raises(error):
            engine.next_event()
        assert engine.state is State.DEAD
    for call in (client.send, lambda asked: server.send(Ok(asked))):
        with pytest.raises(DeadConnectionError):
            call(command)
