import pickle
from base64 import b64encode
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Challenge,
    Command,
    Limits,
    LocalProtocolError,
    MechanismsReply,
    Ok,
    Pass,
    Rpop,
    State,
    User,
)
from pop3proto.sasl import apop_command
from tests.samples import ASCII_CONTROLS, DIGEST, OTHER_CONTROLS, TIMESTAMP, with_control
from tests.tracebacks import frames_of_the_package, shown

SECRET = "tanstaaf"
NO_TEXT = [None, 5, b"0" * 32]
MALFORMED_MECHANISMS = [
    *[
        "",
        " ",
        "x" * 21,
        "TWO WORDS",
        "PLAIN\r\n",
        "PLAIN\n",
        "A.B",
        "A/B",
        "*",
        "=",
        "Ä",
        "\udcff",
    ],
    # Letters whose upper or lower case is an ASCII one.
    *["\u212a", "\u0130", "\u0131", "\u017f"],
    *NO_TEXT,
]
MAKERS: list[Callable[[Any], Command[Any]]] = [
    User,
    Pass,
    Rpop,
    lambda text: Apop(text, DIGEST),
    lambda text: apop_command(text, TIMESTAMP, SECRET),
    lambda text: apop_command("mrose", TIMESTAMP, text),
]
NAMED = pytest.mark.parametrize(
    "make", MAKERS, ids=["User", "Pass", "Rpop", "Apop", "Apop name", "Apop password"]
)


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        (User("mrose"), b"USER mrose\r\n"),
        (User(b"j\xf6rg"), b"USER j\xf6rg\r\n"),
        (Pass("tanstaaf"), b"PASS tanstaaf\r\n"),
        (Pass(" a b "), b"PASS  a b \r\n"),
        (Pass(""), b"PASS \r\n"),
        (Pass(b"\xff"), b"PASS \xff\r\n"),
        (Rpop("root"), b"RPOP root\r\n"),
        (Apop("mrose", DIGEST), b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"),
        (Auth("KERBEROS_V4"), b"AUTH KERBEROS_V4\r\n"),
        (Auth("scram-sha-1"), b"AUTH SCRAM-SHA-1\r\n"),
        (Auth("PLAIN", b"\0test\0test"), b"AUTH PLAIN AHRlc3QAdGVzdA==\r\n"),
        (Auth("EXTERNAL", b""), b"AUTH EXTERNAL =\r\n"),
        (AuthList(), b"AUTH\r\n"),
        (AuthResponse(b"\0test\0test"), b"AHRlc3QAdGVzdA==\r\n"),
        (AuthResponse(b""), b"\r\n"),
        (AuthCancel(), b"*\r\n"),
    ],
)
def test_wire_form(command: Command[Any], wire: bytes) -> None:
    assert command.to_bytes() == wire


@NAMED
@pytest.mark.parametrize("control", [*ASCII_CONTROLS, *OTHER_CONTROLS])
def test_no_control_reaches_the_wire(make: Callable[[Any], Command[Any]], control: str) -> None:
    for text in with_control(control):
        with pytest.raises(LocalProtocolError, match="control character"):
            make(text)
        if control in ASCII_CONTROLS:
            with pytest.raises(LocalProtocolError, match="control character"):
                make(text.encode())


@NAMED
@pytest.mark.parametrize("argument", [None, 5, True, 1.5, ["x"], bytearray(b"x"), object()])
def test_no_other_type_is_taken(make: Callable[[Any], Command[Any]], argument: object) -> None:
    with pytest.raises(LocalProtocolError, match="must be str or bytes"):
        make(argument)


@pytest.mark.parametrize("empty", ["", b""])
def test_a_name_is_not_empty_and_a_password_can_be(empty: str | bytes) -> None:
    for make in (User, Rpop):
        with pytest.raises(LocalProtocolError, match="is empty"):
            make(empty)
    with pytest.raises(LocalProtocolError, match="is empty"):
        Apop(empty, DIGEST)
    assert Pass(empty).to_bytes() == b"PASS \r\n"


@pytest.mark.parametrize("make", [User, Rpop, lambda name: Apop(name, DIGEST)])
def test_the_longest_name_fits_a_line_that_the_server_takes(
    make: Callable[[Any], Command[Any]],
) -> None:
    accepted = 0
    for size in range(400, 600):
        try:
            command = make("x" * size)
        except LocalProtocolError:
            continue
        assert len(command.to_bytes()) <= Limits().command_line
        accepted = size
    assert 450 < accepted < 512


def test_the_longest_password() -> None:
    assert len(Pass("x" * 8_160).to_bytes()) == 8_167
    with pytest.raises(LocalProtocolError, match="too long"):
        Pass("x" * 8_161)


@pytest.mark.parametrize(
    "digest",
    ["", DIGEST[:-1], DIGEST + "0", DIGEST.upper(), DIGEST[:-1] + "g", DIGEST + "\n", *NO_TEXT],
)
def test_no_apop_digest(digest: Any) -> None:
    with pytest.raises(LocalProtocolError, match="32 lower-case hexadecimal digits"):
        Apop("mrose", digest)


@pytest.mark.parametrize("mechanism", ["X", "x" * 20, "CRAM-MD5", "KERBEROS_V4", "9"])
def test_mechanisms(mechanism: str) -> None:
    assert Auth(mechanism).mechanism == mechanism.upper()


@pytest.mark.parametrize(
    "mechanism",
    MALFORMED_MECHANISMS,
)
def test_no_mechanism(mechanism: Any) -> None:
    with pytest.raises(LocalProtocolError, match="mechanism"):
        Auth(mechanism)


@pytest.mark.parametrize(
    "make", [lambda data: Auth("PLAIN", data), AuthResponse], ids=["Auth", "AuthResponse"]
)
@pytest.mark.parametrize("data", [SECRET, 5, [1], object()])
def test_a_response_is_octets(make: Callable[[Any], Command[Any]], data: object) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        make(data)
    assert SECRET not in shown(caught.value)


def test_an_initial_response_keeps_to_255_octets() -> None:
    fitting = Auth("PLAIN", b"x" * 180)
    assert fitting.fits_line
    assert len(fitting.to_bytes()) == 253
    too_long = Auth("PLAIN", b"x" * 183)
    assert not too_long.fits_line
    with pytest.raises(LocalProtocolError, match="longer than 255 octets") as caught:
        too_long.to_bytes()
    assert caught.value.command == too_long
    assert caught.value.hint == "send Auth(mechanism) and answer its challenge"
    assert len(AuthResponse(b"x" * 9_000).to_bytes()) == 12_002


def test_an_initial_response_of_exactly_255_octets_fits() -> None:
    # AUTH, a mechanism of 4 octets, 2 blanks and CRLF leave 243; base64 comes in fours.
    assert len(Auth("ABCDEFG", b"x" * 180).to_bytes()) == 255
    assert not Auth("ABCDEFGH", b"x" * 180).fits_line


def test_no_initial_response_is_not_an_empty_one() -> None:
    assert Auth("EXTERNAL") != Auth("EXTERNAL", b"")
    assert Auth("EXTERNAL").to_bytes() == b"AUTH EXTERNAL\r\n"


def test_whether_more_is_to_come_does_not_count_in_comparisons() -> None:
    assert Auth("plain", b"x", complete=False) == Auth("PLAIN", b"x")
    assert AuthResponse(b"x", complete=False) == AuthResponse(b"x")
    assert Auth("PLAIN").complete
    assert AuthResponse(b"").complete
    assert not Auth("PLAIN", complete=False).complete
    assert not AuthResponse(b"", complete=False).complete


@pytest.mark.parametrize(
    ("command", "states", "next_state", "barrier", "secret"),
    [
        (User("x"), {State.AUTHORIZATION}, None, False, False),
        (Pass("x"), {State.AUTHORIZATION}, State.TRANSACTION, False, True),
        (Apop("x", DIGEST), {State.AUTHORIZATION}, State.TRANSACTION, False, True),
        (Rpop("x"), {State.AUTHORIZATION}, State.TRANSACTION, False, True),
        (Auth("X"), {State.AUTHORIZATION}, State.TRANSACTION, True, True),
        (AuthResponse(b""), {State.AUTHENTICATING}, State.TRANSACTION, True, True),
        (AuthCancel(), {State.AUTHENTICATING}, None, True, False),
        (AuthList(), {State.AUTHORIZATION}, None, False, False),
    ],
)
def test_state_table(
    command: Command[Any],
    states: set[State],
    next_state: State | None,
    barrier: bool,
    secret: bool,
) -> None:
    assert command.legal_states == states
    assert command.next_state is next_state
    assert command.barrier is barrier
    assert command.secret is secret
    assert not command.alone


def test_answers() -> None:
    exchange = {type(c) for c in (Auth("X"), AuthResponse(b""), AuthCancel())}
    assert {cls.answer for cls in exchange} == {Challenge}
    assert AuthList.answer is MechanismsReply
    assert AuthList().multiline
    assert not Auth("PLAIN").multiline
    assert {cls.answer for cls in (User, Pass, Apop, Rpop)} == {Ok}


WITH_SECRET: list[tuple[Command[Any], str]] = [
    (Pass(SECRET), "Pass(password=<secret>)"),
    (Pass(SECRET.encode()), "Pass(password=<secret>)"),
    (Pass(""), "Pass(password=<secret>)"),
    (apop_command("mrose", TIMESTAMP, SECRET), "Apop(name='mrose', digest=<secret>)"),
    (Rpop(SECRET), "Rpop(user=<secret>)"),
    (Auth("PLAIN", SECRET.encode()), "Auth(mechanism='PLAIN', initial_response=<secret>)"),
    (Auth("PLAIN", b""), "Auth(mechanism='PLAIN', initial_response=<secret>)"),
    (Auth("PLAIN"), "Auth(mechanism='PLAIN', initial_response=None)"),
    (AuthResponse(SECRET.encode()), "AuthResponse(data=<secret>)"),
]


@pytest.mark.parametrize(("command", "text"), WITH_SECRET)
def test_repr_and_str_show_no_secret(command: Command[Any], text: str) -> None:
    assert repr(command) == str(command) == f"{command}" == text


@pytest.mark.parametrize("command", [command for command, _ in WITH_SECRET])
def test_commands_are_values(command: Command[Any]) -> None:
    same = pickle.loads(pickle.dumps(command))
    assert same == command
    assert hash(same) == hash(command)
    assert not hasattr(command, "__dict__")


def test_commands_with_different_secrets_differ() -> None:
    assert Pass("a") != Pass("b")
    assert Apop("x", DIGEST) != Apop("x", "0" * 32)
    assert Auth("PLAIN", b"a") != Auth("PLAIN", b"b")
    assert AuthResponse(b"a") != AuthResponse(b"b")


FAILING: dict[str, Callable[[], Any]] = {
    "Pass, control": lambda: Pass(f"{SECRET}\r\n"),
    "Pass, C1 control": lambda: Pass(f"{SECRET}\x85"),
    "Pass, surrogate": lambda: Pass(f"{SECRET}\udcff"),
    "Pass, octets": lambda: Pass(f"{SECRET}\0".encode()),
    "Pass, too long": lambda: Pass(SECRET * 2_000),
    "Pass, type": lambda: Pass([SECRET]),  # type: ignore[arg-type]
    "Rpop": lambda: Rpop(f"{SECRET}\n"),
    "Apop, password": lambda: apop_command("mrose", TIMESTAMP, f"{SECRET}\n"),
    "Apop, password's type": lambda: apop_command(
        "mrose",
        TIMESTAMP,
        [SECRET],  # type: ignore[arg-type]
    ),
    "Apop, password's length": lambda: apop_command("mrose", TIMESTAMP, SECRET * 2_000),
    "Apop, name": lambda: apop_command("mrose\n", TIMESTAMP, SECRET),
    "Apop, name's type": lambda: apop_command(5, TIMESTAMP, SECRET),  # type: ignore[arg-type]
    "Apop, timestamp": lambda: apop_command("mrose", "<1@exämple.org>", SECRET),
    "Apop, no timestamp": lambda: apop_command("mrose", None, SECRET),  # type: ignore[arg-type]
    "Apop, digest": lambda: Apop("mrose", SECRET),
    "Auth, mechanism": lambda: Auth("TWO WORDS", SECRET.encode()),
    "Auth, mechanism's type": lambda: Auth(5, SECRET.encode()),  # type: ignore[arg-type]
    "Auth, response's type": lambda: Auth("PLAIN", SECRET).to_bytes(),  # type: ignore[arg-type]
    "Auth, response's length": lambda: Auth("PLAIN", SECRET.encode() * 99).to_bytes(),
    "AuthResponse, type": lambda: AuthResponse(SECRET).to_bytes(),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("fail", FAILING.values(), ids=FAILING)
def test_a_failure_shows_no_secret(fail: Callable[[], Any]) -> None:
    # Whatever exception it is, and even if it is a wrong one.
    with pytest.raises(Exception) as caught:  # noqa: PT011
        fail()
    digest = md5(f"{TIMESTAMP}{SECRET}".encode()).hexdigest()
    text = shown(caught.value)
    assert list(frames_of_the_package(caught.value))
    for secret in (SECRET, b64encode(SECRET.encode()).decode().rstrip("="), digest):
        assert secret not in text


@pytest.mark.parametrize("fail", FAILING.values(), ids=FAILING)
def test_a_failure_is_one_of_ours(fail: Callable[[], Any]) -> None:
    with pytest.raises(LocalProtocolError):
        fail()
