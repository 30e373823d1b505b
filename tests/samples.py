"""Values that several of the test files look at from different sides."""

from typing import Any

import pop3proto
from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    Command,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rpop,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    Upload,
    User,
    Utf8,
)

# Every class of a command.
COMMAND_CLASSES = {
    each
    for name in pop3proto.__all__
    if isinstance(each := getattr(pop3proto, name), type) and issubclass(each, Command)
} - {Command}

# RFC 1939 section 7: the example of APOP; the shared secret is "tanstaaf".
TIMESTAMP = "<1896.697170952@dbc.mtview.ca.us>"
DIGEST = "c4c9334bac560ecc979e58001b3e22fb"

# What a command is on the wire, without its CRLF; the way back leads to an equal command.
COMMAND_LINES: tuple[tuple[Command[Any], bytes], ...] = (
    (Apop("mrose", DIGEST), b"APOP mrose " + DIGEST.encode()),
    (Apop("name with blanks ", DIGEST), b"APOP name with blanks  " + DIGEST.encode()),
    (Auth("PLAIN"), b"AUTH PLAIN"),
    (Auth("plain", b"\0joe\0secret"), b"AUTH PLAIN AGpvZQBzZWNyZXQ="),
    (Auth("EXTERNAL", b""), b"AUTH EXTERNAL ="),
    (Auth("SCRAM-SHA-256-PLUS"), b"AUTH SCRAM-SHA-256-PLUS"),
    (AuthList(), b"AUTH"),
    (Capa(), b"CAPA"),
    (Dele(1), b"DELE 1"),
    (Extension("XTND XLST Subject"), b"XTND XLST Subject"),
    (Extension(b"XNAME \xff"), b"XNAME \xff"),
    (Extension.multi("XDIR 1"), b"XDIR 1"),
    (Lang("*"), b"LANG *"),
    (Lang("es-MX"), b"LANG es-MX"),
    (Lang(), b"LANG"),
    (Last(), b"LAST"),
    (List(), b"LIST"),
    (List(2), b"LIST 2"),
    (Noop(), b"NOOP"),
    (Pass("tanstaaf"), b"PASS tanstaaf"),
    (Pass(""), b"PASS "),
    (Pass(" leading, inner  and trailing "), b"PASS  leading, inner  and trailing "),
    (Pass("pässwörd"), "PASS pässwörd".encode()),
    (Pass(b"\xe4\xff"), b"PASS \xe4\xff"),
    (Quit(), b"QUIT"),
    (Retr(1), b"RETR 1"),
    (Retr(2**31 - 1), b"RETR 2147483647"),
    (Retr("unread"), b"RETR unread"),
    (Retr("01"), b"RETR 01"),
    (Rpop("root"), b"RPOP root"),
    (Rset(), b"RSET"),
    (Stat(), b"STAT"),
    (Stls(), b"STLS"),
    (Top(1, 10), b"TOP 1 10"),
    (Top("last", 0), b"TOP last 0"),
    (Uidl(), b"UIDL"),
    (Uidl(2), b"UIDL 2"),
    (User("mrose"), b"USER mrose"),
    (User("jörg@example.org"), "USER jörg@example.org".encode()),
    (User(b"j\xf6rg"), b"USER j\xf6rg"),
    (User("two words"), b"USER two words"),
    (Utf8(), b"UTF8"),
)

# What is no command line, but belongs to the exchange that a command opened.
CONTINUATIONS: tuple[tuple[Command[Any], bytes], ...] = (
    (AuthCancel(), b"*\r\n"),
    (AuthResponse(b"secret"), b"c2VjcmV0\r\n"),
    (AuthResponse(b""), b"\r\n"),
    (Upload(b"Subject: x\n\n.\n"), b"Subject: x\r\n\r\n..\r\n.\r\n"),
)

ASCII_CONTROLS = tuple(chr(c) for c in (*range(0x20), 0x7F))
# Characters that are no ASCII controls and yet may not stand in an argument.
OTHER_CONTROLS = (*map(chr, range(0x80, 0xA0)), "\ud800", "\udc80", "\udcff", "\udfff")


def with_control(control: str) -> tuple[str, str, str]:
    """Texts that hold ``control`` at the start, within and at the end."""
    return f"{control}ab", f"a{control}b", f"ab{control}"
