from typing import Any

import pytest

from pop3proto import (
    ClientConnection,
    ConnectionLostError,
    Deviation,
    ErrorReply,
    Fault,
    Leniency,
    List,
    LocalProtocolError,
    Noop,
    Ok,
    Pop3Error,
    RemoteProtocolError,
    ServerConnection,
    Signal,
    State,
    Stls,
    Utf8,
)
from pop3proto.engine.base import Engine
from pop3proto.errors import DeadConnectionError, StlsInjectionError
from tests.engine.sessions import client, events, greeted_server


def stls_accepted(role: str) -> Engine[Any]:
    if role == "client":
        connection = client(Stls(), state=State.AUTHORIZATION)
        assert events(connection, b"+OK\r\n") == [Ok(Stls())]
        return connection
    server = greeted_server()
    assert events(server, b"STLS\r\n") == [Stls()]
    server.send(Ok(Stls()))
    return server


def next_event(connection: Engine[Any]) -> Any:
    assert isinstance(connection, ClientConnection | ServerConnection)
    return connection.next_event()


ROLES = pytest.mark.parametrize("role", ["client", "server"])
BOTH = pytest.mark.parametrize("kind", [ClientConnection, ServerConnection])


@BOTH
@pytest.mark.parametrize("secure", [False, True])
def test_a_session_begins_in_the_clear_or_under_tls(kind: type[Any], secure: bool) -> None:
    engine = kind(secure=secure)
    assert engine.secure is secure
    assert engine.state is State.GREETING
    assert not engine.utf8
    assert ("secure" in repr(engine)) is secure
    assert "greeting" in repr(engine)


def test_a_fault_in_an_answer_that_is_not_complete_is_told_before_more_is_asked_for() -> None:
    connection = client(List())
    assert events(connection, b"+OK\n1 120\n") == [Deviation(Fault.BARE_LF, List(), b"+OK")]
    assert connection.next_event() is Signal.NEED_DATA


@BOTH
@pytest.mark.parametrize("octets", [bytearray(b"+OK\r\n"), memoryview(b"+OK\r\n")])
def test_octets_come_in_any_kind_of_buffer(kind: type[Any], octets: Any) -> None:
    engine = client(Noop()) if kind is ClientConnection else greeted_server()
    engine.receive_data(octets)
    assert not isinstance(engine.next_event(), Signal)


@BOTH
def test_nothing_is_parsed_before_it_is_asked_for(kind: type[Any]) -> None:
    engine = kind()
    engine.receive_data(b"\0\0\0 what is this?\r\n")
    assert engine.state is State.GREETING


@BOTH
def test_data_behind_the_end_of_the_stream_is_the_callers_mistake(kind: type[Any]) -> None:
    engine = kind()
    engine.receive_data(b"")
    engine.receive_data(b"")
    with pytest.raises(LocalProtocolError, match="after the end"):
        engine.receive_data(b"x")


@ROLES
def test_tls_begins_where_stls_led_to(role: str) -> None:
    engine = stls_accepted(role)
    assert engine.state is State.TLS_NEGOTIATION
    assert next_event(engine) is Signal.PAUSED
    engine.tls_established()
    assert engine.state is State.AUTHORIZATION
    assert engine.secure
    assert next_event(engine) is Signal.NEED_DATA


@ROLES
def test_tls_begins_once(role: str) -> None:
    engine = stls_accepted(role)
    engine.tls_established()
    with pytest.raises(LocalProtocolError, match="STLS was not accepted"):
        engine.tls_established()


@BOTH
def test_tls_does_not_begin_without_stls(kind: type[Any]) -> None:
    engine = kind()
    with pytest.raises(LocalProtocolError, match="STLS was not accepted"):
        engine.tls_established()
    assert engine.state is State.GREETING
    assert not engine.secure


@ROLES
@pytest.mark.parametrize(
    "octets", [b"\r", b"\r\n", b"+OK injected\r\n", b"PASS x\r\n", b"\x16\x03"]
)
def test_what_comes_in_the_clear_behind_stls_ends_the_session(role: str, octets: bytes) -> None:
    engine = stls_accepted(role)
    engine.receive_data(octets)
    with pytest.raises(StlsInjectionError) as caught:
        next_event(engine)
    assert caught.value.hint
    assert not caught.value.session_usable
    assert engine.state is State.DEAD
    assert not engine.secure


@ROLES
def test_nor_does_the_handshake_help_if_nobody_looks_at_it_before(role: str) -> None:
    engine = stls_accepted(role)
    engine.receive_data(b"x")
    with pytest.raises(StlsInjectionError):
        engine.tls_established()
    assert engine.state is State.DEAD
    assert not engine.secure
    for call in (engine.tls_established, lambda: next_event(engine)):
        with pytest.raises(DeadConnectionError) as caught:
            call()
        assert isinstance(caught.value.__cause__, StlsInjectionError)


@ROLES
def test_a_stream_that_ends_in_place_of_tls(role: str) -> None:
    engine = stls_accepted(role)
    engine.receive_data(b"")
    with pytest.raises(ConnectionLostError):
        next_event(engine)


def killed(role: str) -> tuple[Engine[Any], Pop3Error]:
    engine: Engine[Any] = client(Noop()) if role == "client" else greeted_server()
    engine.receive_data(b"x")
    engine.receive_data(b"")
    with pytest.raises(ConnectionLostError) as caught:
        next_event(engine)
    return engine, caught.value


@ROLES
def test_an_error_is_raised_once_and_named_from_then_on(role: str) -> None:
    engine, first = killed(role)
    assert engine.state is State.DEAD
    for _ in range(2):
        for call in (lambda: next_event(engine), engine.tls_established):
            with pytest.raises(DeadConnectionError, match="this error: the stream ended") as caught:
                call()
            assert caught.value.__cause__ is first
            assert not caught.value.session_usable


@ROLES
def test_what_is_forgiven_is_an_event_before_what_shows_it(role: str) -> None:
    engine = client(Noop()) if role == "client" else greeted_server()
    deviation, event = events(engine, b"+OK\n" if role == "client" else b"CAPA\n")
    assert isinstance(deviation, Deviation)
    assert deviation.fault is Fault.BARE_LF
    assert not isinstance(event, Deviation)


def test_what_is_not_forgiven_names_the_fault_and_the_line() -> None:
    connection = client(Noop(), leniency=Leniency().refusing(Fault.STATUS_INDICATOR_CASE))
    connection.receive_data(b"+ok\x1b[2J\r\n")
    with pytest.raises(RemoteProtocolError) as caught:
        connection.next_event()
    assert caught.value.fault is Fault.STATUS_INDICATOR_CASE
    assert caught.value.command == Noop()
    assert str(caught.value).startswith("status indicator not in upper case: +ok\\x1b[2J")


def test_a_fault_without_a_sample_shows_no_line() -> None:
    connection = client(Noop(), leniency=Leniency().refusing(Fault.BLANK_LINE))
    connection.receive_data(b"\r\n")
    with pytest.raises(RemoteProtocolError, match=r"^blank line between replies \(at"):
        connection.next_event()


def test_a_sample_is_cut() -> None:
    deviation, _ = events(client(Noop()), b"+ok " + b"x" * 5000 + b"\r\n")
    assert deviation.sample == b"+ok " + b"x" * 196


def test_a_dead_connection_keeps_nothing() -> None:
    connection = ClientConnection()
    connection.receive_data(b"220 smtp.example.org\r\n")
    with pytest.raises(RemoteProtocolError):
        connection.next_event()
    connection.receive_data(b"x" * 1000)
    with pytest.raises(DeadConnectionError):
        connection.next_event()
    assert len(connection._buffer) == 0


@ROLES
@pytest.mark.parametrize("granted", [True, False])
def test_utf8_is_allowed_once_it_was_granted(role: str, granted: bool) -> None:
    engine: Engine[Any]
    if role == "client":
        engine = client(Utf8(), state=State.AUTHORIZATION)
        assert len(events(engine, b"+OK\r\n" if granted else b"-ERR\r\n")) == 1
    else:
        engine = greeted_server()
        assert events(engine, b"UTF8\r\n") == [Utf8()]
        engine.send(Ok(Utf8()) if granted else ErrorReply(Utf8()))
    assert engine.utf8 is granted


@pytest.mark.parametrize("wrong", [{"limits": None}, {"leniency": True}])
@pytest.mark.parametrize("engine", [ClientConnection, ServerConnection])
def test_limits_and_leniency_of_another_type(engine: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match="limits is a Limits, and leniency is a Leniency"):
        engine(**wrong)


@pytest.mark.parametrize("wrong", [5, "+OK", [43]])
def test_a_number_is_no_octets(wrong: Any) -> None:
    # bytes(5) would be five NULs.
    with pytest.raises(
        LocalProtocolError, match=r"^data is bytes, a bytearray or a memoryview, not "
    ):
        ClientConnection().receive_data(wrong)
