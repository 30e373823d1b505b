import copy
import pickle
import unicodedata
from collections.abc import Callable

import pytest

from pop3proto import (
    Apop,
    Auth,
    ErrorReply,
    Fault,
    Pass,
    ResponseCode,
    Retr,
    Rpop,
    User,
    errors,
)
from pop3proto.errors import (
    AuthenticationError,
    BusyError,
    CommandError,
    ConnectError,
    ConnectionLostError,
    CredentialsError,
    DeadConnectionError,
    DeadlineError,
    GreetingError,
    LimitError,
    LocalProtocolError,
    LoginDelayError,
    LoginError,
    MaildropError,
    MaildropInUseError,
    MaildropLockedError,
    MechanismError,
    OAuthError,
    PermanentServerError,
    PlaintextAuthError,
    Pop3Error,
    ProtocolError,
    RemoteProtocolError,
    SaslError,
    ServerVerificationError,
    StlsInjectionError,
    TemporaryServerError,
    TlsError,
    TlsUnavailableError,
    TranscriptError,
    printable,
)
from pop3proto.sasl import apop_command

SESSION_USABLE = {
    LoginError: True,
    AuthenticationError: True,
    BusyError: True,
    CommandError: True,
    ConnectError: False,
    ConnectionLostError: False,
    DeadConnectionError: False,
    DeadlineError: False,
    GreetingError: False,
    LimitError: False,
    LocalProtocolError: True,
    LoginDelayError: True,
    MaildropInUseError: True,
    MaildropError: True,
    MaildropLockedError: True,
    MechanismError: True,
    OAuthError: True,
    PermanentServerError: True,
    PlaintextAuthError: True,
    Pop3Error: True,
    ProtocolError: True,
    RemoteProtocolError: False,
    SaslError: True,
    ServerVerificationError: False,
    StlsInjectionError: False,
    TemporaryServerError: True,
    TlsError: False,
    TlsUnavailableError: False,
    TranscriptError: True,
    CredentialsError: True,
}
ALL = sorted(SESSION_USABLE, key=lambda cls: cls.__name__)
WITHOUT_HINT = {
    LoginError,
    CommandError,
    MaildropError,
    Pop3Error,
    ProtocolError,
    TranscriptError,
}
REPLY = ErrorReply(Retr(1), "maildrop already locked", ResponseCode("IN-USE"))
DETAILED: list[Pop3Error] = [
    LimitError("too long", command=Retr(1), limit="status_line", value=8192),
    RemoteProtocolError("odd", command=Retr(1), hint="do this", fault=Fault.BARE_LF),
    ConnectionLostError("cut", command=Retr(1), octets_received=17, pending_deletions=2),
    DeadlineError("slow", command=Retr(1), phase="greeting", seconds=2.5),
    CommandError("refused", command=Retr(1), reply=REPLY),
    GreetingError("refused", reply=REPLY),
    AuthenticationError("refused", reply=REPLY),
    LoginDelayError("refused", command=Retr(1), reply=REPLY, seconds=300),
    OAuthError("refused", command=Retr(1), reply=REPLY, details={"status": "401"}),
]


def test_the_table_knows_every_exception() -> None:
    named = {each for name, each in vars(errors).items() if name.endswith("Error")}
    assert named == set(SESSION_USABLE)


@pytest.mark.parametrize("cls", ALL)
def test_every_exception_says_what_can_be_done(cls: type[Pop3Error]) -> None:
    error = cls("what failed", command=Retr(3))
    assert isinstance(error, Pop3Error)
    assert error.session_usable is SESSION_USABLE[cls]
    assert error.command == Retr(3)
    assert bool(error.hint) is (cls not in WITHOUT_HINT)
    assert str(error) == "what failed (at Retr(message=3))"


@pytest.mark.parametrize("cls", ALL)
def test_message_and_command_are_optional(cls: type[Pop3Error]) -> None:
    assert cls().command is None
    assert str(cls()) == ""
    assert str(cls("what failed")) == "what failed"


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (ConnectError, ConnectionError),
        (ConnectionLostError, ConnectionError),
        (TlsError, ConnectionError),
        (TlsUnavailableError, ConnectionError),
        (DeadlineError, TimeoutError),
        (TranscriptError, ValueError),
        (DeadConnectionError, LocalProtocolError),
        (LimitError, RemoteProtocolError),
        (StlsInjectionError, RemoteProtocolError),
        (AuthenticationError, CommandError),
        (GreetingError, CommandError),
        (MaildropLockedError, MaildropError),
        (TlsUnavailableError, TlsError),
        (LocalProtocolError, ProtocolError),
        (RemoteProtocolError, ProtocolError),
    ],
)
def test_who_catches_the_wider_class_catches_it(
    cls: type[Pop3Error], base: type[Exception]
) -> None:
    assert issubclass(cls, base)


@pytest.mark.parametrize("cls", [CommandError, BusyError, ConnectError])
def test_only_what_broke_the_network_is_an_oserror(cls: type[Pop3Error]) -> None:
    assert issubclass(cls, OSError) is (cls is ConnectError)


def test_a_hint_can_be_given_for_one_exception_alone() -> None:
    assert LocalProtocolError("x", hint="do this").hint == "do this"
    assert LocalProtocolError("x", hint="").hint == ""
    assert LocalProtocolError("x").hint == LocalProtocolError.hint
    assert LocalProtocolError("x", hint=None).hint == LocalProtocolError.hint


def test_an_exception_that_somebody_emptied_still_prints() -> None:
    error = Pop3Error("x")
    error.args = ()
    assert str(error) == ""


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (RemoteProtocolError(), "fault", None),
        (LimitError(), "limit", ""),
        (LimitError(), "value", 0),
        (ConnectionLostError(), "octets_received", 0),
        (ConnectionLostError(), "pending_deletions", 0),
        (DeadlineError(), "phase", ""),
        (DeadlineError(), "seconds", 0.0),
        (CommandError(), "reply", None),
        (CommandError(), "code", None),
        (CommandError(), "text", ""),
        (DETAILED[0], "limit", "status_line"),
        (DETAILED[0], "value", 8192),
        (DETAILED[1], "fault", Fault.BARE_LF),
        (DETAILED[2], "octets_received", 17),
        (DETAILED[2], "pending_deletions", 2),
        (DETAILED[3], "phase", "greeting"),
        (DETAILED[3], "seconds", 2.5),
        (DETAILED[4], "reply", REPLY),
        (DETAILED[4], "code", ResponseCode.IN_USE),
        (DETAILED[4], "text", "maildrop already locked"),
    ],
)
def test_details(error: Pop3Error, name: str, value: object) -> None:
    assert getattr(error, name) == value


def pickled(error: Pop3Error) -> object:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("duplicate", [pickled, copy.copy, copy.deepcopy])
@pytest.mark.parametrize(
    "error",
    [*DETAILED, *(cls("what failed", command=User("joe")) for cls in ALL)],
    ids=lambda error: type(error).__name__,
)
def test_survives_pickle_and_copy(
    error: Pop3Error, duplicate: Callable[[Pop3Error], object]
) -> None:
    again = duplicate(error)
    assert type(again) is type(error)
    assert isinstance(again, Pop3Error)
    assert vars(again) == vars(error)
    assert (again.args, str(again), again.hint) == (error.args, str(error), error.hint)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    "command",
    [
        Pass("tanstaaf"),
        apop_command("mrose", "<1@example.org>", "tanstaaf"),
        Auth("PLAIN", b"\0joe\0tanstaaf"),
        Rpop("tanstaaf"),
    ],
)
def test_a_command_with_a_secret_does_not_show_it(
    cls: type[Pop3Error], command: Pass | Apop | Auth | Rpop
) -> None:
    error = cls("refused", command=command)
    secret = str(command.digest.reveal()) if isinstance(command, Apop) else "tanstaaf"
    assert secret not in str(error) + repr(error)
    assert type(command).__name__ in str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain text, ümläute, 漢字", "plain text, ümläute, 漢字"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\r\nb\tc\0", r"a\r\nb\tc\x00"),
        ("\x7f\x9b31m\x85", r"\x7f\x9b31m\x85"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        ("\u2066\u2069\u200f\ufeff\u2028", r"\u2066\u2069\u200f\ufeff\u2028"),
        ("\udcff\ud800", r"\udcff\ud800"),
        (b"plain", "plain"),
        ("ümläute".encode(), "ümläute"),
        (b"\xfcml\xe4ute\x1b", r"\xfcml\xe4ute\x1b"),
        ("\u202e".encode(), r"\u202e"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_printable(text: str | bytes, shown: str) -> None:
    assert printable(text) == shown


def test_printable_lets_no_control_and_no_change_of_direction_through() -> None:
    every = [chr(c) for c in range(0x3000)] + [chr(c) for c in range(0xD800, 0x10000)]
    for character in every:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            assert printable(character).isascii()
            assert printable(character).isprintable()


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("a" * 200, 200, "a" * 200),
        ("a" * 201, 200, "a" * 200 + "..."),
        (b"a" * 201, 200, "a" * 200 + "..."),
        ("ä" * 4, 3, "äää..."),
        ("𝄞𝄞𝄞".encode(), 3, "𝄞𝄞𝄞"),
        ("𝄞𝄞𝄞𝄞".encode(), 3, "𝄞𝄞𝄞..."),
        (b"\xff\xff", 4, r"\xff..."),
    ],
)
def test_printable_cuts_long_text(text: str | bytes, limit: int, shown: str) -> None:
    assert printable(text, limit) == shown


@pytest.mark.parametrize("text", ["\x1b" * 1_000_000, b"\xff" * 1_000_000, b"\x1b" * 1_000_000])
def test_printable_is_short_whatever_is_escaped(text: str | bytes) -> None:
    assert len(printable(text)) <= 4 * 200 + 3


TRANSIENT = {
    BusyError,
    ConnectError,
    ConnectionLostError,
    DeadlineError,
    GreetingError,
    LoginDelayError,
    MaildropInUseError,
    MaildropLockedError,
    TemporaryServerError,
}


@pytest.mark.parametrize("cls", ALL)
def test_whether_trying_again_can_help(cls: type[Pop3Error]) -> None:
    assert cls("what failed").transient is (cls in TRANSIENT)


@pytest.mark.parametrize(
    ("code", "transient"),
    [
        ("IN-USE", True),
        ("LOGIN-DELAY", True),
        ("SYS/TEMP", True),
        ("SYS/PERM", False),
        ("X", False),
    ],
)
def test_a_response_code_says_whether_trying_again_can_help(code: str, transient: bool) -> None:
    reply = ErrorReply(Retr(1), "no", ResponseCode(code))
    assert CommandError("no", reply=reply).transient is transient
    assert AuthenticationError("no", reply=reply).transient is transient


def test_an_error_takes_only_the_attributes_that_it_has() -> None:
    assert LimitError("x", limit="a").limit == "a"
    with pytest.raises(
        TypeError, match=r"Pop3Error\(\) got an unexpected keyword argument 'limit'"
    ):
        Pop3Error("x", limit="a")
