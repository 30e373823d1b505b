"""What type checkers must be able to conclude; mypy and pyright read this file, too."""

from typing import Any, TypeVar, assert_never, assert_type

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    Capabilities,
    CapaReply,
    Challenge,
    ClientConnection,
    ClientEvent,
    Command,
    ConnectionClosed,
    Dele,
    Deviation,
    ErrorReply,
    Extension,
    Greeting,
    InvalidCommand,
    Lang,
    LangReply,
    Last,
    LastReply,
    List,
    Listing,
    Listings,
    ListReply,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Pass,
    Quit,
    Retr,
    Rpop,
    Rset,
    ServerConnection,
    ServerEvent,
    Signal,
    Stat,
    StatReply,
    Stls,
    Top,
    Uidl,
    UidlReply,
    Upload,
    User,
    Utf8,
)

R = TypeVar("R")


def answered_by(command: Command[R]) -> Command[R]:
    """``command``, seen as every function sees it that takes any command."""
    return command


def test_each_command_knows_its_reply() -> None:
    assert_type(answered_by(Stat()), Command[StatReply])
    assert_type(answered_by(List()), Command[ListReply])
    assert_type(answered_by(List(1)), Command[ListReply])
    assert_type(answered_by(Uidl()), Command[UidlReply])
    assert_type(answered_by(Uidl(1)), Command[UidlReply])
    assert_type(answered_by(Last()), Command[LastReply])
    assert_type(answered_by(Retr(1)), Command[Message])
    assert_type(answered_by(Top(1, 0)), Command[Message])
    assert_type(answered_by(Capa()), Command[CapaReply])
    assert_type(answered_by(Lang()), Command[LangReply])
    assert_type(answered_by(Lang("en")), Command[LangReply])
    assert_type(answered_by(AuthList()), Command[MechanismsReply])
    assert_type(answered_by(Auth("PLAIN")), Command[Ok | Challenge])
    assert_type(answered_by(AuthResponse(b"")), Command[Ok | Challenge])


def test_the_reply_of_many_is_ok_and_nothing_more() -> None:
    for command in (Dele(1), Noop(), Rset(), Quit(), Stls(), Utf8(), User("joe")):
        assert_type(answered_by(command), Command[Ok])
    for login in (Pass("x"), Rpop("x"), Apop("joe", "0" * 32), AuthCancel(), Upload(b"")):
        assert_type(answered_by(login), Command[Ok])


def test_an_extension_has_the_reply_that_its_caller_says() -> None:
    assert_type(Extension.single("XTND XMIT"), Extension[Ok])
    assert_type(Extension.multi("XTND XLST"), Extension[Message])
    assert_type(answered_by(Extension.multi(b"XTND XLST")), Command[Message])


def test_a_command_of_one_reply_is_none_of_another() -> None:
    # An ignore that ignores nothing is an error, so each of these lines has to be one.
    wrong: list[Command[Any]] = []
    message: Command[Message] = Stat()  # type: ignore[assignment]
    ok: Command[Ok] = Extension.multi("XTND")  # type: ignore[assignment]
    challenge: Command[Ok] = Auth("PLAIN")  # type: ignore[assignment]
    wrong += [message, ok, challenge]
    # A reply type may be widened, because a command only ever produces it.
    wide: Command[Ok | Challenge] = Noop()
    everything: list[Command[object]] = [wide, Retr(1), List()]
    assert len(wrong + everything) == 6


def test_arguments_have_types() -> None:
    for call in (
        lambda: Retr(1.5),  # type: ignore[arg-type]
        lambda: Retr(b"1"),  # type: ignore[arg-type]
        lambda: Top(1),  # type: ignore[call-arg]
        lambda: Pass(None),  # type: ignore[arg-type]
        lambda: Auth("PLAIN", "text"),  # type: ignore[arg-type]
        lambda: ClientConnection(True),  # type: ignore[call-arg]
    ):
        with pytest.raises(Exception, match=r"."):
            call()


def test_rows_have_types() -> None:
    scan, ids = Listings([(1, 5)]), Listings([(1, None, b"a")])
    joined = scan.joined(ids)
    assert_type(scan[0], Listing)
    assert_type(ids[0], Listing)
    assert_type(joined[0], Listing)
    assert_type([row.octets for row in scan], list[int | None])
    assert_type([row.unique_id for row in ids[:]], list[bytes | None])
    number, octets, unique_id = joined[0]
    assert_type((number, octets, unique_id), tuple[int, int | None, bytes | None])


def what_a_client_sees(event: ClientEvent | Signal) -> str:
    match event:
        case Signal.NEED_DATA | Signal.PAUSED:
            pass
        case Greeting(text) | Ok(text=text) | MessageStart(text=text) | ErrorReply(text=text):
            assert_type(text, str)
        case StatReply(count=number) | LastReply(number=number) | MessageEnd(octets=number):
            assert_type(number, int)
        case ListReply(listings=listings):
            assert_type(listings, Listings)
        case UidlReply(listings=unique_ids):
            assert_type(unique_ids, Listings)
        case CapaReply(capabilities=capabilities):
            assert_type(capabilities, Capabilities)
        case MessageData(data) | Challenge(data=data):
            assert_type(data, bytes)
        case ListReply() | UidlReply() | LangReply() | MechanismsReply():
            pass
        case Deviation() | ConnectionClosed():
            pass
        case _:
            assert_never(event)
    return type(event).__name__


def what_a_server_sees(event: ServerEvent | Signal) -> str:
    match event:
        case Signal():
            pass
        case Command():
            assert_type(event.to_bytes(), bytes)
        case InvalidCommand(line=line, reason=reason):
            assert_type((line, reason), tuple[bytes, str])
        case Deviation() | ConnectionClosed():
            pass
        case _:
            assert_never(event)
    return type(event).__name__


def test_events_can_be_matched_without_a_rest() -> None:
    client, server = ClientConnection(), ServerConnection()
    assert what_a_client_sees(client.next_event()) == "Signal"
    assert what_a_server_sees(server.next_event()) == "Signal"
    client.receive_data(server.send(Greeting("ready")))
    assert what_a_client_sees(client.next_event()) == "Greeting"
    server.receive_data(client.send(Capa()))
    assert what_a_server_sees(server.next_event()) == "Capa"
    server.receive_data(b"NOOP x\r\n")
    reply = CapaReply(Capa(), Capabilities.of("TOP"))
    client.receive_data(server.send(reply))
    event = client.next_event()
    assert what_a_client_sees(event) == "CapaReply"
    assert what_a_server_sees(server.next_event()) == "InvalidCommand"


def test_a_signal_is_told_from_an_event_by_identity() -> None:
    event = ClientConnection().next_event()
    if not (event is Signal.NEED_DATA or event is Signal.PAUSED):
        assert_type(event, ClientEvent)
    assert event is Signal.NEED_DATA
