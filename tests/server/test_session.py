import re
from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    Capa,
    CapaReply,
    Command,
    Dele,
    ErrorReply,
    Extension,
    Fault,
    Lang,
    LangReply,
    Last,
    LastReply,
    Leniency,
    Limits,
    List,
    Listing,
    Listings,
    ListReply,
    LocalProtocolError,
    Noop,
    Ok,
    Pass,
    Quit,
    ResponseCode,
    Retr,
    Rset,
    Stat,
    State,
    StatReply,
    Stls,
    Top,
    Uidl,
    UidlReply,
    User,
    Utf8,
)
from pop3proto.errors import LimitError, MaildropError, StlsInjectionError
from pop3proto.model import Language
from pop3proto.server import (
    Action,
    Close,
    Delay,
    Maildrop,
    MemoryMaildrops,
    NeedData,
    Send,
    ServerOptions,
    ServerSession,
    StartTls,
    StoredMessage,
)
from pop3proto.server.maildrop import CHUNK
from tests.server.talking import (
    CLEARTEXT,
    ONE,
    TWO,
    USERS,
    WRONG,
    Talk,
    capabilities,
    logged_in,
    refusal,
)

# The greeting, and what is announced


def test_a_session_from_greeting_to_quit() -> None:
    talk = Talk()
    states = [talk.session.state]
    talk.log_in()
    states.append(talk.session.state)
    assert states == [State.AUTHORIZATION, State.TRANSACTION]
    assert talk.content(Retr(1)) == ONE
    assert talk.ask(Dele(1)) == Ok(Dele(1), "message 1 is deleted")
    assert talk.ask(Quit()) == Ok(Quit(), "goodbye")
    assert talk.actions == [Close()]
    assert talk.session.next_action() == Close()
    assert talk.session.deleted == {1}
    assert talk.session.failed == set()
    assert talk.session.error is None
    assert talk.maildrops.contents("user") == [TWO]
    assert not talk.maildrops.in_use("user")


def test_repr_shows_no_secret() -> None:
    assert repr(logged_in().session) == "<ServerSession: <ServerConnection: transaction, secure>>"


def test_the_greeting_has_a_new_timestamp_each_time() -> None:
    stamps = {Talk(options=ServerOptions(host_name="mail.example.org")).greeting.timestamp}
    stamps |= {Talk().greeting.timestamp for _ in range(10)}
    assert len(stamps) == 11
    assert None not in stamps
    assert any(stamp is not None and stamp.endswith("@mail.example.org>") for stamp in stamps)
    # 128 bits, which nobody guesses.
    assert all(re.fullmatch("<[0-9a-f]{32}@[a-z.]+>", str(stamp)) for stamp in stamps)


def test_capabilities_before_and_after_tls_and_login() -> None:
    talk = Talk(secure=False, offer_stls=True)
    plaintext = capabilities(talk)
    assert plaintext.stls
    assert not plaintext.user
    assert plaintext.sasl == ()
    assert plaintext.implementation is None
    talk.ask(Stls())
    talk.session.tls_established()
    talk.client.tls_established()
    talk.pump()
    secure = capabilities(talk)
    assert not secure.stls
    assert secure.user
    assert secure.sasl == ("PLAIN",)
    talk.log_in()
    after = capabilities(talk)
    assert after.implementation == "pop3proto"
    # RFC 2449 section 5: what held before the login is announced behind it, too.
    assert set(secure.lines) < set(after.lines)


def test_plaintext_logins_are_announced_where_they_are_allowed() -> None:
    announced = capabilities(Talk(secure=False, options=CLEARTEXT))
    assert announced.user
    assert announced.sasl == ("PLAIN",)
    assert not announced.stls


def test_failed_logins_are_answered_late_and_end_the_session() -> None:
    talk = Talk()
    for attempt in (1, 2, 3):
        talk.ask(User("user"))
        assert talk.ask(Pass("wrong")) == refusal(Pass("wrong"), "the login failed", WRONG)
        assert talk.actions == [Delay(2.0), Close() if attempt == 3 else NeedData()]
    assert talk.session.user is None


def test_the_answer_comes_behind_the_delay() -> None:
    session = ServerSession(MemoryMaildrops(), USERS, secure=True)
    session.receive_data(b"USER user\r\nPASS wrong\r\n")
    actions = [session.next_action() for _ in range(5)]
    assert actions[2:] == [Delay(2.0), Send(b"-ERR [AUTH] the login failed\r\n"), NeedData()]


def test_without_a_delay_the_answer_comes_at_once() -> None:
    session = ServerSession(MemoryMaildrops(), USERS, secure=True, options=CLEARTEXT)
    session.receive_data(b"USER user\r\nPASS wrong\r\n")
    actions = [session.next_action() for _ in range(4)]
    assert actions[2:] == [Send(b"-ERR [AUTH] the login failed\r\n"), NeedData()]


def test_a_number_of_failed_logins_can_be_chosen() -> None:
    talk = Talk(options=ServerOptions(max_failed_logins=1, failed_login_delay=0.5))
    talk.ask(User("nobody"))
    talk.ask(Pass("secret"))
    assert talk.actions == [Delay(0.5), Close()]


def test_every_answer_can_be_late() -> None:
    talk = Talk(options=ServerOptions(latency=0.25))
    talk.ask(User("user"))
    assert talk.actions == [Delay(0.25), NeedData()]
    # Commands that come together wait together, and the end of the stream does not wait.
    talk.session.receive_data(b"PASS secret\r\nNOOP\r\n")
    delays = [action for action in actions_of(talk.session) if isinstance(action, Delay)]
    assert delays == [Delay(0.25)]
    talk.session.receive_data(b"")
    assert actions_of(talk.session) == [Close()]


def actions_of(session: ServerSession) -> list[Action]:
    actions = [session.next_action()]
    while not isinstance(actions[-1], NeedData | Close):
        actions.append(session.next_action())
    return actions


def test_a_maildrop_in_use() -> None:
    first = logged_in()
    second = Talk(maildrops=first.maildrops)
    second.ask(User("user"))
    reply = second.ask(Pass("secret"))
    text = "another session has the maildrop"
    assert reply == refusal(Pass("secret"), text, ResponseCode.IN_USE)
    assert second.session.user is None
    # That was no wrong password, so there is no delay; and the same in an AUTH exchange.
    assert second.actions == [NeedData()]
    auth = Auth("PLAIN", b"\0user\0secret")
    assert second.ask(auth) == refusal(auth, text, ResponseCode.IN_USE)
    first.ask(Quit())
    second.log_in()


class FaultyDrop:
    """A maildrop whose faults can be chosen."""

    def __init__(
        self, *, contents: Any = (), octets: int = 10, commit: Exception | None = None
    ) -> None:
        self.messages = [StoredMessage(octets, b"id-%d" % n) for n, _ in enumerate(contents)]
        self.contents = contents
        self.failure = commit
        self.closed = 0
        self.readers_gone = 0

    def open(self, number: int) -> Iterator[bytes]:
        try:
            for chunk in self.contents[number - 1]:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self.readers_gone += 1

    def commit(self, deleted: Collection[int]) -> None:
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed += 1


class FaultyDrops:
    def __init__(self, answer: Maildrop | Exception) -> None:
        self.answer = answer

    def open(self, user: str) -> Maildrop:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("error", [MaildropError("out of order"), OSError("disk on fire")])
def test_a_maildrop_that_cannot_be_opened(error: Exception) -> None:
    drops = FaultyDrops(error)
    talk = Talk(maildrops=drops)
    talk.ask(User("user"))
    reply = talk.ask(Pass("secret"))
    # What the error says is for the server's owner.
    assert reply == refusal(Pass("secret"), "the maildrop cannot be opened", ResponseCode.SYS_TEMP)
    assert talk.session.error is error
    drops.answer = FaultyDrop()
    talk.log_in()


# STLS, UTF8, LANG


def test_stls() -> None:
    talk = Talk(secure=False, offer_stls=True)
    assert talk.ask(Stls()) == Ok(Stls(), "begin TLS now")
    assert talk.actions == [StartTls()]
    assert talk.session.next_action() == StartTls()
    talk.session.tls_established()
    talk.client.tls_established()
    assert talk.session.secure
    talk.pump()
    assert talk.actions == [NeedData()]
    talk.log_in()


def test_octets_that_come_while_tls_is_awaited() -> None:
    talk = Talk(secure=False, offer_stls=True)
    talk.ask(Stls())
    talk.session.receive_data(b"CAPA\r\n")
    with pytest.raises(StlsInjectionError) as caught:
        talk.session.tls_established()
    assert talk.session.error is caught.value
    talk.pump()
    assert talk.actions == [Close()]


def test_tls_that_nobody_asked_for() -> None:
    talk = Talk(secure=False, offer_stls=True)
    with pytest.raises(LocalProtocolError):
        talk.session.tls_established()
    assert isinstance(talk.ask(Capa()), CapaReply)


def test_stls_is_refused_where_it_is_not_offered() -> None:
    talk = Talk(secure=False)
    assert talk.ask(Stls()) == refusal(Stls(), "not offered")
    assert Talk(offer_stls=True).raw(b"STLS\r\n") == b"-ERR not offered\r\n"


def test_a_client_that_leaves_in_the_middle_of_stls() -> None:
    talk = Talk(secure=False, offer_stls=True)
    talk.ask(Stls())
    talk.session.receive_data(b"")
    talk.pump()
    assert talk.actions == [Close()]


def test_utf8() -> None:
    talk = Talk(users={"usér": "pässword"}, leniency=Leniency.none())
    assert talk.ask(Utf8()) == Ok(Utf8())
    assert isinstance(talk.ask(User("usér")), Ok)
    assert isinstance(talk.ask(Pass("pässword")), Ok)


def test_utf8_can_be_switched_off() -> None:
    talk = Talk(options=ServerOptions(utf8=False))
    assert not capabilities(talk).utf8
    assert talk.ask(Utf8()) == refusal(Utf8(), "not offered")


def test_languages() -> None:
    talk = Talk()
    languages = (Language("i-default", "English"), Language("en", "English"))
    assert talk.ask(Lang()) == LangReply(Lang(), languages)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("*", "i-default English"),
        ("i-default", "i-default English"),
        ("EN", "en English"),
        ("en-GB", "en English"),
    ],
)
def test_a_language_that_is_spoken(tag: str, text: str) -> None:
    talk = logged_in()
    assert talk.ask(Lang(tag)) == LangReply(Lang(tag), (), text)


@pytest.mark.parametrize("tag", ["de", "e", "english", "i"])
def test_a_language_that_is_not_spoken(tag: str) -> None:
    assert isinstance(Talk().ask(Lang(tag)), ErrorReply)


# Messages


def test_listings() -> None:
    talk = logged_in()
    sizes = Listings([(1, len(ONE)), (2, len(TWO) + 4)])
    ids = Listings([(1, None, b"message-1"), (2, None, b"message-2")])
    text = f"2 messages ({len(ONE) + len(TWO) + 4} octets)"
    assert talk.ask(Stat()) == StatReply(Stat(), 2, len(ONE) + len(TWO) + 4)
    assert talk.ask(List()) == ListReply(List(), sizes, text)
    assert talk.ask(Uidl()) == UidlReply(Uidl(), ids, text)
    assert talk.ask(List(1)) == ListReply(List(1), Listings([(1, len(ONE))]))
    assert talk.ask(Uidl(2)) == UidlReply(Uidl(2), Listings([Listing(2, unique_id=b"message-2")]))
    assert talk.ask(Noop()) == Ok(Noop())


def test_retr_sends_as_many_octets_as_list_says() -> None:
    talk = logged_in()
    assert talk.content(Retr(2)) == b"Subject: two\r\n\r\nText.\r\n"
    assert talk.ask(List(2)).listings.octets == len(b"Subject: two\r\n\r\nText.\r\n")


def test_top() -> None:
    talk = logged_in()
    assert talk.content(Top(1, 0)) == b"Subject: one\r\n\r\n"
    assert talk.content(Top(1, 2)) == b"Subject: one\r\n\r\nFirst.\r\n.dot\r\n"
    assert talk.content(Top(2, 100)) == b"Subject: two\r\n\r\nText.\r\n"


def test_an_empty_message() -> None:
    talk = Talk(maildrops=MemoryMaildrops({"user": [b""]}))
    talk.log_in()
    assert talk.content(Retr(1)) == talk.content(Top(1, 0)) == b""


def test_deleted_messages_are_gone_until_rset() -> None:
    talk = logged_in()
    talk.ask(Dele(1))
    commands = (Retr(1), Top(1, 0), List(1), Uidl(1), Dele(1))
    assert [talk.ask(c) for c in commands] == [refusal(c, "no such message") for c in commands]
    assert talk.ask(Stat()).count == 1
    assert talk.ask(List()).listings.numbers == talk.ask(Uidl()).listings.numbers == (2,)
    assert talk.ask(Last()) == LastReply(Last(), 1)
    assert isinstance(talk.ask(Rset()), Ok)
    assert talk.content(Retr(1)) == ONE
    talk.ask(Quit())
    assert talk.maildrops.contents("user") == [ONE, TWO]


@pytest.mark.parametrize("argument", [b"3", b"0", b"-1", b"01", b"one", b"1 2", b"9" * 100])
def test_what_is_no_message(argument: bytes) -> None:
    talk = logged_in()
    for verb in (b"RETR", b"DELE", b"LIST", b"UIDL"):
        assert talk.raw(verb + b" " + argument + b"\r\n") == b"-ERR no such message\r\n"
    assert talk.session.state is State.TRANSACTION


def test_large_messages_are_pulled_piece_by_piece() -> None:
    opened: list[int] = []

    def message() -> Iterator[bytes]:
        chunk = b".\n" * (CHUNK // 2)
        for _ in range(10):
            opened.append(CHUNK)
            yield chunk

    drop = FaultyDrop(contents=[message()], octets=10 * CHUNK * 3 // 2)
    talk = logged_in(maildrops=FaultyDrops(drop))
    talk.session.receive_data(b"RETR 1\r\n")
    status = b"+OK 983040 octets\r\n"
    sizes: list[int] = []
    while isinstance(action := talk.session.next_action(), Send):
        assert sizes or action.data.startswith(status)
        sizes.append(len(action.data))
        # One piece is read ahead, to see whether the message can be read at all. Stuffing and CRLF
        # make four octets of two: a piece goes out as two.
        assert sum(opened) <= CHUNK + sum(sizes) / 2
    assert max(sizes) == CHUNK
    assert sum(sizes) == len(status) + 2 * 10 * CHUNK + 3


@pytest.mark.parametrize("command", [Retr(1), Top(1, 1)])
def test_a_message_that_cannot_be_opened(command: Retr | Top) -> None:
    error = OSError("disk on fire")
    drop = FaultyDrop(contents=[[error], [b"text\r\n"]])
    talk = logged_in(maildrops=FaultyDrops(drop))
    reply = talk.ask(command)
    assert reply == refusal(command, "the message cannot be read", ResponseCode.SYS_TEMP)
    assert talk.session.error is error
    # The session goes on.
    assert talk.content(Retr(2)) == b"text\r\n"


@pytest.mark.parametrize("error", [MaildropError("torn"), OSError("torn")])
def test_a_message_that_breaks_off_is_never_ended(error: Exception) -> None:
    drop = FaultyDrop(contents=[[b"Subject: x\r\n\r\n", b"text\r\n", error]])
    talk = logged_in(maildrops=FaultyDrops(drop))
    assert talk.raw(b"RETR 1\r\n") == b"+OK 10 octets\r\nSubject: x\r\n\r\ntext\r\n"
    assert talk.actions == [Close()]
    assert talk.session.error is error
    assert drop.closed == 1


# The end


def test_quit_before_the_login() -> None:
    talk = Talk()
    assert talk.ask(Quit()) == Ok(Quit(), "goodbye")
    assert talk.actions == [Close()]
    assert talk.session.state is State.CLOSED


def test_the_maildrop_is_free_before_quit_is_answered() -> None:
    talk = logged_in()
    talk.session.receive_data(b"QUIT\r\n")
    assert talk.session.next_action() == Send(b"+OK goodbye\r\n")
    assert not talk.maildrops.in_use("user")


def test_deletions_that_fail_in_part() -> None:
    talk = logged_in()
    talk.maildrops.undeletable.add(b"message-2")
    talk.ask(Dele(1))
    talk.ask(Dele(2))
    text = "some deleted messages not removed"
    assert talk.ask(Quit()) == refusal(Quit(), text, ResponseCode.SYS_TEMP)
    assert talk.actions == [Close()]
    assert [talk.session.deleted, talk.session.failed] == [{1}, {2}]
    assert talk.maildrops.contents("user") == [TWO]
    assert not talk.maildrops.in_use("user")


@pytest.mark.parametrize("error", [MaildropError("torn"), OSError("torn")])
def test_deletions_of_which_nothing_is_known(error: Exception) -> None:
    drop = FaultyDrop(contents=[[b"text"]], commit=error)
    talk = logged_in(maildrops=FaultyDrops(drop))
    talk.ask(Dele(1))
    assert isinstance(talk.ask(Quit()), ErrorReply)
    assert [talk.session.deleted, talk.session.failed] == [set(), {1}]
    assert talk.session.error is error
    assert drop.closed == 1


@pytest.mark.parametrize("end", ["eof", "eof within a line", "close"])
def test_without_quit_nothing_is_deleted(end: str) -> None:
    talk = logged_in()
    talk.ask(Dele(1))
    if end == "close":
        talk.session.close()
    else:
        if end == "eof within a line":
            talk.session.receive_data(b"QUIT")
        talk.session.receive_data(b"")
    assert talk.session.next_action() == Close()
    assert talk.maildrops.contents("user") == [ONE, TWO]
    assert not talk.maildrops.in_use("user")
    assert talk.session.deleted == set()


def test_closing_twice_and_data_behind_the_end() -> None:
    first = logged_in()
    first.session.close()
    second = logged_in(maildrops=first.maildrops)
    first.session.close()
    first.session.receive_data(b"QUIT\r\n")
    assert first.session.next_action() == Close()
    assert second.maildrops.in_use("user")


def test_closing_before_anything_was_sent() -> None:
    session = ServerSession(MemoryMaildrops(), USERS)
    session.close()
    assert session.next_action() == Close()


def test_closing_within_a_message() -> None:
    # Longer than what is sent in one piece.
    drop = FaultyDrop(contents=[[b"x" * CHUNK] * 10])
    talk = logged_in(maildrops=FaultyDrops(drop))
    talk.session.receive_data(b"RETR 1\r\n")
    assert isinstance(talk.session.next_action(), Send)
    assert drop.readers_gone == 0
    talk.session.close()
    assert [drop.readers_gone, drop.closed] == [1, 1]
    assert talk.session.next_action() == Close()


def test_faults_of_the_maildrops_code_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    drop = FaultyDrop(contents=[[b"text"]])
    talk = logged_in(maildrops=FaultyDrops(drop))

    def broken(_self: FaultyDrop, _number: int) -> Iterator[bytes]:
        raise ZeroDivisionError

    monkeypatch.setattr(FaultyDrop, "open", broken)
    talk.session.receive_data(b"RETR 1\r\n")
    with pytest.raises(ZeroDivisionError):
        talk.session.next_action()
    talk.session.close()
    assert drop.closed == 1


# Whatever else a client sends


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"XTND XMIT\r\n", b"-ERR not offered\r\n"),
        (b"HELO example.org\r\n", b"-ERR not offered\r\n"),
        (b"STAT\r\n", b"-ERR not possible in the state 'authorization'\r\n"),
        (b"RETR 1\r\n", b"-ERR not possible in the state 'authorization'\r\n"),
        (b"CAPA all\r\n", b"-ERR CAPA takes no argument\r\n"),
        (b"PASS secret\r\n", b"-ERR USER comes first\r\n"),
        (b"USER a\0b\r\n", b"-ERR a control character in a command\r\n"),
        (b"NOOP" + b" " * 600 + b"\r\n", b"-ERR the line is too long\r\n"),
    ],
)
def test_bad_commands(line: bytes, answer: bytes) -> None:
    talk = Talk()
    assert talk.raw(line) == answer
    assert talk.actions == [NeedData()]


@pytest.mark.parametrize(
    "command", [User("user"), Utf8(), Stls(), Auth("PLAIN"), Apop("a", "0" * 32)]
)
def test_commands_of_another_state(command: Command[Any]) -> None:
    talk = logged_in(offer_stls=True)
    answer = talk.raw(command.to_bytes())
    assert answer == b"-ERR not possible in the state 'transaction'\r\n"
    # And nothing has changed.
    assert talk.session.state is State.TRANSACTION
    assert isinstance(talk.ask(Stat()), StatReply)


def test_an_unknown_command_within_transaction() -> None:
    talk = logged_in()
    assert talk.ask(Extension.single("XTND XLST")) == refusal(
        Extension.single("XTND XLST"), "not offered"
    )


def test_a_reason_is_cut_to_what_a_line_holds() -> None:
    talk = Talk()
    answer = talk.raw(b"AUTH " + b"\\" * 4000 + b" " + b64encode(b"x") + b"\r\n")
    assert answer.startswith(b"-ERR a SASL mechanism has")
    assert len(answer) < 200


def test_too_many_bad_commands_end_the_session() -> None:
    talk = logged_in()
    talk.ask(Dele(1))
    answers = talk.raw(b"XTND\r\n" * 25 + b"QUIT\r\n")
    assert answers == b"-ERR not offered\r\n" * 20
    assert talk.actions == [Close()]
    assert not talk.maildrops.in_use("user")
    assert talk.maildrops.contents("user") == [ONE, TWO]


def test_good_commands_have_no_limit() -> None:
    talk = logged_in(options=ServerOptions(max_bad_commands=2))
    assert talk.raw(b"RETR 9\r\nNOOP\r\n" * 50).count(b"\r\n") == 100
    assert talk.actions == [NeedData()]


def test_what_a_client_may_not_send_at_all() -> None:
    talk = Talk(secure=False, offer_stls=True)
    talk.session.receive_data(b"STLS\r\nCAPA\r\n")
    talk.pump()
    assert talk.actions == [Close()]
    assert isinstance(talk.session.error, StlsInjectionError)


def test_limits_and_leniency_are_the_engines() -> None:
    talk = Talk(limits=Limits(command_line=20), leniency=Leniency.none())
    assert talk.raw(b"NOOP\n\r\n") == b"-ERR a control character in a command\r\n"
    assert talk.raw(b"USER " + b"a" * 20 + b"\r\n") == b"-ERR the line is too long\r\n"
    assert not isinstance(talk.session.error, LimitError)


def test_faults_that_are_forgiven_are_counted() -> None:
    talk = logged_in()
    talk.raw(b"NOOP\n")
    talk.raw(b"NOOP\nNOOP\n")
    assert talk.session.deviations == {Fault.BARE_LF: 3}
