import subprocess
import sys
import traceback
from functools import partial
from typing import Any

import pytest

from pop3proto.compat import poplib
from tests.compat.conversations import BOTH, DROPIN, NAMES, STANDARD, outcome, script, talk

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)
HELLO = b"+OK ready <1@example.org>\r\n"
SECRET = "hush-hush"


def conversation(client: Any) -> None:
    client.noop()
    client.retr(1)
    client.stat()
    outcome(lambda: client.dele(1))


REPLIES = (
    HELLO,
    b"+OK\r\n",
    b"+OK\r\n..dot\r\nlast\n\r\n.\r\n",
    b"+OK 2 320\r\n",
    b"-ERR no\r\n",
)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_debug_output_is_poplibs(level: int, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for module in BOTH:
        with talk(module, *REPLIES) as (client, _):
            client.set_debuglevel(level)
            conversation(client)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert ("*cmd* 'NOOP'\n" in printed[1]) == (level > 0)
    assert ("*get* b'..dot\\r\\n'\n" in printed[1]) == (level > 1)


def logins(client: Any) -> None:
    client.user("user")
    for login in (
        lambda: client.pass_(SECRET),
        lambda: client.apop("user", SECRET),
        lambda: client.rpop(SECRET),
        lambda: client._shortcmd(f"AUTH XOAUTH2 {SECRET}"),
        lambda: client._shortcmd("AUTH LOGIN"),
        lambda: client._shortcmd(SECRET),
        lambda: client._shortcmd(SECRET),
        lambda: client._shortcmd(f" pass {SECRET}"),
        lambda: client._shortcmd("AUTH"),
        client.noop,
    ):
        outcome(login)


LOGINS = (
    HELLO,
    *[b"+OK\r\n", b"-ERR\r\n", b"-ERR\r\n", b"-ERR\r\n", b"-ERR\r\n"],
    *[b"+ VXNlcm5hbWU6\r\n", b"+ UGFzc3dvcmQ6\r\n", b"-ERR\r\n", b"-ERR\r\n", b"-ERR\r\n"],
    b"+OK\r\n",
)


@both
@pytest.mark.parametrize("level", [1, 2])
def test_secrets_in_debug_output(
    module: Any, level: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with talk(module, *LOGINS) as (client, server):
        client.set_debuglevel(level)
        logins(client)
    printed = capsys.readouterr().out
    sent = b"".join(server.received).decode()
    assert sent.count(SECRET) == 6
    digest = sent.partition("APOP user ")[2][:32]
    if module is STANDARD:
        assert SECRET in printed
        return
    assert SECRET not in printed
    assert digest not in printed
    commands = [line[6:] for line in printed.splitlines() if line.startswith("*cmd*")]
    assert commands == [
        "'USER user'",
        "'PASS <secret>'",
        "'APOP <secret>'",
        "'RPOP <secret>'",
        "'AUTH XOAUTH2 <secret>'",
        "'AUTH LOGIN'",
        "'<secret>'",
        "'<secret>'",
        "' pass <secret>'",
        "'AUTH'",
        "'NOOP'",
    ]


def shown(*exchange: tuple[bytes, bytes], last: bytes) -> str:
    """What is printed of ``last`` behind these lines and their answers."""
    printed: list[str] = []
    with talk(DROPIN, HELLO, *(reply for _, reply in exchange), b"+OK\r\n") as (client, _):
        for line, _ in exchange:
            outcome(partial(client._shortcmd, line.decode("latin-1")))
        printed.append(client._conversation.shown(last.decode()))
        client._shortcmd(last.decode())
    return printed[0]


@pytest.mark.parametrize(
    ("exchange", "last", "expected"),
    [
        # A challenge that some servers introduce with +OK, or the end of the exchange.
        ([(b"AUTH NTLM", b"+OK QUJD\r\n")], b"QUJD", "<secret>"),
        ([(b"AUTH NTLM", b"+OK QUJD\r\n")], b"RETR 1", "RETR 1"),
        ([(b"AUTH NTLM", b"+OK QUJD\r\n")], b"USER name", "USER name"),
        ([(b"AUTH NTLM", b"+OK QUJD\r\n")], b"PASS word", "<secret>"),
        ([(b"AUTH NTLM", b"+OK logged in\r\n")], b"RETR 1", "RETR 1"),
        ([(b"AUTH NTLM", b"+ \r\n")], b"QUIT", "<secret>"),
        ([(b"AUTH NTLM", b"+ \r\n")], b"*", "*"),
        ([(b"AUTH NTLM", b"+ \r\n"), (b"", b"+OK\r\n")], b"QUIT", "QUIT"),
        ([(b"authx y", b"+ \r\n")], b"QUIT", "QUIT"),
        ([], b"AUTH not a mechanism's name", "AUTH not <secret>"),
        ([], b"AUTH " + b"x" * 30, "AUTH <secret>"),
        ([], b"PASS", "PASS"),
    ],
)
def test_what_is_shown_around_auth(
    exchange: list[tuple[bytes, bytes]], last: bytes, expected: str
) -> None:
    assert shown(*exchange, last=last) == expected


AUDITED = """
import sys
events = []
sys.addaudithook(lambda name, args: events.append((name, args)) if name[:7] == "poplib." else None)
import poplib as standard
from pop3proto.compat import poplib
from tests.compat.conversations import talk
for module in (standard, poplib):
    with talk(module, b"+OK <1@example.org>\\r\\n", *[b"+OK\\r\\n"] * 4) as (client, _):
        client.user("user")
        client.pass_("hush-hush")
        client.apop("user", "hush-hush")
        client.quit()
    assert all(args[0] is client for _, args in events)
    print(*[(name, *args[1:]) for name, args in events], sep="\\n")
    events.clear()
"""


def test_audit_events() -> None:
    command = [sys.executable, "-c", AUDITED]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[0] == lines[5] == "('poplib.connect', 'pop.example.org', 110)"
    assert lines[2] == "('poplib.putline', b'PASS hush-hush')"
    assert lines[6:] == [
        "('poplib.putline', b'USER user')",
        "('poplib.putline', b'PASS <secret>')",
        "('poplib.putline', b'APOP <secret>')",
        "('poplib.putline', b'QUIT')",
    ]


def test_an_audit_hook_that_forbids() -> None:
    program = """
import sys
forbidden = []
def hook(name, args):
    if name in forbidden:
        raise PermissionError(name)
sys.addaudithook(hook)
from tests.compat.conversations import DROPIN, outcome, script, on, talk
with talk(DROPIN, b"+OK\\r\\n", b"+OK\\r\\n") as (client, server):
    forbidden[:] = ["poplib.putline"]
    assert outcome(lambda: client.pass_("secret"))[0] == "PermissionError"
    forbidden[:] = ["poplib.connect"]
    assert client.noop() == b"+OK"
    with script(b"") as (sock, _):
        assert outcome(lambda: on(DROPIN, sock))[0] == "PermissionError"
assert server.received == [b"NOOP\\r\\n"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def locals_of_our_frames(error: BaseException) -> str:
    shown = []
    seen: BaseException | None = error
    while seen is not None:
        report = traceback.TracebackException.from_exception(seen, capture_locals=True)
        frames = [frame for frame in report.stack if "pop3proto/compat" in frame.filename]
        shown += [str(frame.locals) for frame in frames]
        seen = seen.__context__
    assert shown
    return "".join(shown) + repr(error) + str(error)


@pytest.mark.parametrize(
    "login",
    [
        lambda client: client.pass_(SECRET),
        lambda client: client.pass_(SECRET + "\r\n"),
        lambda client: client.pass_(SECRET + "\udc80"),
        lambda client: client.apop("user", SECRET),
        lambda client: client.apop("user\n", SECRET),
        lambda client: client.apop("user", SECRET + "\udc80"),
        lambda client: client._longcmd(f"PASS {SECRET}"),
        lambda client: client._putline(f"PASS {SECRET}".encode()),
        lambda client: client._putcmd(f"PASS {SECRET}".encode()),
    ],
)
@pytest.mark.parametrize("state", ["refused", "gone", "closed", "dead", "no timestamp"])
def test_secrets_in_the_tracebacks_locals(login: Any, state: str) -> None:
    replies = [HELLO, b"-ERR no\r\n"] if state == "refused" else [HELLO]
    with script(*replies) as (sock, _):
        client: Any = poplib.POP3.__new__(poplib.POP3)
        client.sock, client.file = sock, sock.makefile("rb")
        client.welcome = client._getresp()
        if state == "closed":
            client.close()
        elif state == "dead":
            sock.shutdown(1)
            outcome(client.noop)
        elif state == "no timestamp":
            client.welcome = b"+OK"

        def attempt() -> None:
            login(client)
            client._getresp()

        with pytest.raises(Exception) as info:  # noqa: PT011 - each raises something else
            attempt()
        client.close()
    assert SECRET not in locals_of_our_frames(info.value)
    assert SECRET not in getattr(info.value, "object", "")


def test_an_encoding_error_does_not_hold_the_secret() -> None:
    client: Any = poplib.POP3.__new__(poplib.POP3)
    with pytest.raises(UnicodeEncodeError) as info:
        client.pass_(SECRET + "\udc80")
    assert SECRET not in info.value.object
    assert info.value.start == len("PASS ") + len(SECRET)
    assert info.value.__context__ is None
