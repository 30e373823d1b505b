"""``pop3proto fetch``, against the embedded server."""

from __future__ import annotations

import io
import os
import re
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from pop3proto import PopUrl
from pop3proto.cli.demo import difficult_messages
from pop3proto.cli.fetch import maildrop_name
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.cli.output import Output
from pop3proto.errors import LocalProtocolError
from pop3proto.sasl.server import Passwords, ServerAnonymous, ServerExternal, password_mechanisms
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.sync.folder import claim, file_name
from pop3proto.testing import LoopbackServer, Turn, serve, serve_script
from pop3proto.transcript import EndOfStream, Entry
from pop3proto.transports import Security

MESSAGES = list(difficult_messages().values())
SECRET = "pa55 word"
OWNER = ".pop3proto-maildrop"
Run = Callable[..., int]


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({"user": MESSAGES})


@pytest.fixture(params=[Security.STLS, Security.TLS], ids=lambda mode: mode.value)
def server(
    request: pytest.FixtureRequest, maildrops: MemoryMaildrops, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopbackServer]:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    users = {"user": SECRET}
    mechanisms = password_mechanisms(Passwords(users), host="127.0.0.1")
    with serve(
        maildrops,
        users=users,
        security=request.param,
        mechanisms=[*mechanisms, ServerAnonymous()],
        options=ServerOptions(failed_login_delay=0.0),
    ) as running:
        yield running


def url(server: LoopbackServer, login: str = "user") -> str:
    scheme = "pops" if server.security is Security.TLS else "pop"
    return f"{scheme}://{login}@{server.host}:{server.port}"


@pytest.fixture
def fetch(server: LoopbackServer, tmp_path: Path) -> Run:
    (authority,) = server.client_context().get_ca_certs(binary_form=True)
    (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(authority))

    def run(*arguments: str, login: str = "user") -> int:
        where = [url(server, login), str(tmp_path / "mail")]
        return main(["fetch", *where, "--ca", str(tmp_path / "ca.pem"), *arguments])

    return run


def contents(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in messages_in(folder))


def messages_in(folder: Path) -> list[Path]:
    """All there is but the file that says whose messages they are."""
    paths = {path.name: path for path in folder.iterdir()}
    del paths[OWNER]
    return [*paths.values()]


@pytest.mark.parametrize("arguments", [[], ["--no-pipelining"]])
def test_everything_once(
    fetch: Run,
    maildrops: MemoryMaildrops,
    tmp_path: Path,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fetch(*arguments) == 0
    assert contents(tmp_path / "mail") == sorted(MESSAGES)
    if os.name == "posix":
        # Mail is nobody else's business.
        assert {path.stat().st_mode & 0o777 for path in messages_in(tmp_path / "mail")} == {0o600}
    maildrops.add("user", b"one more\r\n")
    assert fetch() == 0
    assert contents(tmp_path / "mail") == sorted([*MESSAGES, b"one more\r\n"])
    assert len(maildrops.contents("user")) == len(MESSAGES) + 1
    assert capsys.readouterr().out.splitlines() == [
        f"{len(MESSAGES)} fetched, 0 were already there",
        f"1 fetched, {len(MESSAGES)} were already there",
    ]


def test_deleting(
    fetch: Run, maildrops: MemoryMaildrops, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch() == 0
    maildrops.add("user", b"one more\r\n")
    assert fetch("--delete") == 0
    assert maildrops.contents("user") == []
    assert capsys.readouterr().out.splitlines()[-1] == f"{len(MESSAGES) + 1} deleted"


@pytest.mark.parametrize("arguments", [[], ["--delete"]])
def test_a_folder_is_for_one_maildrop(
    fetch: Run,
    maildrops: MemoryMaildrops,
    tmp_path: Path,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fetch() == 0
    # The unique-ids of the other maildrop are the same, its messages are not.
    others = MemoryMaildrops({"user": [b"another\r\n"] * len(MESSAGES)})
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    options = ServerOptions(allow_plaintext_auth=True)
    users = {"user": SECRET}
    with serve(others, users=users, security=Security.PLAINTEXT, options=options) as server:
        where = [url(server), str(tmp_path / "mail")]
        assert main(["fetch", *where, "--no-tls", "--allow-plaintext-auth", *arguments]) == 1
    assert len(others.contents("user")) == len(MESSAGES)
    assert contents(tmp_path / "mail") == sorted(MESSAGES)
    error = capsys.readouterr().err
    assert "holds the messages of user@127.0.0.1:" in error
    assert "a folder of its own" in error


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("pops://user@pop.example.org", "pop://user@pop.example.org", True),
        ("pops://user@pop.example.org:995", "pops://user;AUTH=PLAIN@POP.example.org", True),
        ("pops://user@pop.example.org", "pops://other@pop.example.org", False),
        ("pops://user@pop.example.org", "pops://user@mail.example.org", False),
        ("pops://user@pop.example.org", "pops://user@pop.example.org:1995", False),
        ("pops://user@pop.example.org:1995", "pops://user@pop.example.org:2995", False),
        ("pops://a%40b@pop.example.org", "pops://a@pop.example.org", False),
    ],
)
def test_what_one_maildrop_is(tmp_path: Path, first: str, second: str, same: bool) -> None:
    name = claim(tmp_path, maildrop_name(PopUrl.parse(first)))
    if same:
        assert claim(tmp_path, maildrop_name(PopUrl.parse(second))) == name
    else:
        with pytest.raises(LocalProtocolError, match="holds the messages of"):
            claim(tmp_path, maildrop_name(PopUrl.parse(second)))


@pytest.mark.parametrize("mechanism", ["*", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_the_mechanism_of_the_url(fetch: Run, mechanism: str) -> None:
    assert fetch(login=f"user;AUTH={mechanism}") == 0


def test_a_mechanism_without_a_secret(fetch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    assert fetch(login="user;AUTH=ANONYMOUS") == 0


def test_a_password_in_a_file(fetch: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "another")
    (tmp_path / "password").write_text(f"{SECRET}\nnot this\n")
    assert fetch("--password-file", str(tmp_path / "password")) == 0


def test_a_password_that_is_asked_for(fetch: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    @contextmanager
    def progress(self: Output, what: str) -> Iterator[None]:
        # Drawn while somebody types, it would garble the question.
        asked.append(what)
        yield None

    monkeypatch.delenv(PASSWORD_VARIABLE)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", answer)
    monkeypatch.setattr(Output, "progress", progress)
    assert fetch() == 0
    assert asked == ["Password of user at 127.0.0.1: ", "Fetching"]


def test_no_password_at_all(
    fetch: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert fetch() == 1
    assert "there is no password" in capsys.readouterr().err


def test_a_wrong_password(
    fetch: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "wr0ng one")
    assert fetch() == 1
    error = capsys.readouterr().err
    assert error.startswith("CredentialsError: ")
    assert "wr0ng" not in error


def test_a_certificate_of_the_users(maildrops: MemoryMaildrops, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    issued = authority.issue_cert("user@example.org")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "user.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with serve(
        maildrops,
        users={},
        security=Security.TLS,
        tls_context=context,
        mechanisms=[ServerExternal("user")],
    ) as server:
        where = [url(server, "user;AUTH=EXTERNAL"), str(tmp_path / "mail")]
        trust = ["--ca", str(tmp_path / "ca.pem")]
        assert main(["fetch", *where, *trust, "--cert", str(tmp_path / "user.pem")]) == 0
        assert main(["fetch", *where, *trust]) == 1
    assert contents(tmp_path / "mail") == sorted(MESSAGES)


def test_a_certificate_that_is_not_trusted(
    server: LoopbackServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", url(server), str(tmp_path / "mail")]) == 1
    assert capsys.readouterr().err.startswith("TlsError: ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("pop.example.org", "begins with"),
        ("pop://pop.example.org", "names no user"),
        ("pop://user:hunter2@pop.example.org", "password has no place"),
        ("pop://user%0d%0aDELE 1@pop.example.org", "characters to percent-encode"),
        ("pop://user%0D%0ADELE@pop.example.org", "control character"),
    ],
)
def test_urls_that_are_none(
    text: str, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", text, str(tmp_path / "mail")]) == 1
    error = capsys.readouterr().err
    assert what in error
    assert "hunter2" not in error


def test_without_tls_only_if_told_twice(
    maildrops: MemoryMaildrops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    options = ServerOptions(allow_plaintext_auth=True)
    users = {"user": SECRET}
    with serve(maildrops, users=users, security=Security.PLAINTEXT, options=options) as server:
        command = ["fetch", url(server), str(tmp_path / "mail")]
        assert main(command) == 1
        assert main([*command, "--no-tls"]) == 1
        assert main([*command, "--no-tls", "--allow-plaintext-auth"]) == 0
    assert contents(tmp_path / "mail") == sorted(MESSAGES)


GREETING = [
    (b"CAPA", b"+OK\r\nUSER\r\n.\r\n"),
    (b"USER user", b"+OK\r\n"),
    (b"PASS <redacted>", b"+OK\r\n"),
    (b"CAPA", b"+OK\r\n.\r\n"),
]


def told(script: list[Turn | Entry], folder: Path, *arguments: str) -> int:
    """Fetch from a server that keeps to a script, in the clear."""
    with serve_script([*GREETING, *script]) as server:
        plain = ["--no-tls", "--allow-plaintext-auth", "--no-pipelining"]
        return main(["fetch", url(server), str(folder), *plain, *arguments])


# The status line after a message shows that the message was whole.
NOOP = (b"NOOP", b"+OK\r\n")
LISTED: list[Turn | Entry] = [
    (b"STAT", b"+OK 3 30\r\n"),
    (b"LIST", b"+OK\r\n1 10\r\n2 10\r\n3 2000000\r\n.\r\n"),
]


def test_messages_without_unique_ids_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    # The second one is another message, in spite of its unique-id.
    script: list[Turn | Entry] = [
        *LISTED,
        (b"UIDL", b"+OK\r\n1 same\r\n2 same\r\n.\r\n"),
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        (b"RETR 2", b"+OK\r\ntwo\r\n.\r\n"),
        NOOP,
        (b"RETR 3", b"+OK\r\nthree\r\n.\r\n"),
        NOOP,
        (b"QUIT", b"+OK\r\n"),
    ]
    assert told(script, tmp_path) == 0
    assert contents(tmp_path) == [b"one\r\n", b"three\r\n", b"two\r\n"]
    assert {path.name[:7] for path in messages_in(tmp_path)} == {"sha256-"}


AUTH: dict[str, list[Turn | Entry]] = {
    "XOAUTH2": [(b"AUTH XOAUTH2", b"+ \r\n"), (re.compile(b".+"), b"+OK\r\n")],
    "OAUTHBEARER": [(re.compile(b"AUTH OAUTHBEARER .+"), b"+OK\r\n")],
}


@pytest.mark.parametrize("mechanism", AUTH)
def test_an_access_token(mechanism: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "token")
    script: list[Turn | Entry] = [
        (b"CAPA", b"-ERR no\r\n"),
        *AUTH[mechanism],
        (b"STAT", b"+OK 0 0\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ]
    with serve_script(script) as server:
        where = [url(server, f"user;AUTH={mechanism}"), str(tmp_path)]
        assert main(["fetch", *where, "--no-tls", "--allow-plaintext-auth"]) == 0


@pytest.mark.parametrize("refused", [1, 3])
def test_a_message_that_is_refused_stays(
    refused: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    answers = {number: b"+OK\r\nmessage%d\r\n.\r\n" % number for number in (1, 2)}
    answers[3] = b"+OK\r\n" + b"message\r\n" * 200_000 + b".\r\n"
    answers[refused] = b"-ERR broken\r\n"
    script: list[Turn | Entry] = [
        *LISTED,
        (b"UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n"),
        *((b"RETR %d" % number, answers[number]) for number in (1, 2)),
        NOOP,
        (b"RETR 3", answers[3]),
        NOOP,
        *((b"DELE %d" % number, b"+OK\r\n") for number in answers if number != refused),
        (b"QUIT", b"+OK\r\n"),
    ]
    assert told(script, tmp_path, "--delete") == 1
    assert len(contents(tmp_path)) == 2
    printed = capsys.readouterr().out
    assert f"message {refused}: " in printed
    assert "broken" in printed
    assert "2 deleted" in printed


def test_deletions_that_are_not_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    script: list[Turn | Entry] = [
        (b"STAT", b"+OK 1 5\r\n"),
        (b"LIST", b"+OK\r\n1 5\r\n.\r\n"),
        (b"UIDL", b"+OK\r\n1 a\r\n.\r\n"),
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        NOOP,
        (b"DELE 1", b"+OK\r\n"),
        (b"QUIT", b"-ERR not removed\r\n"),
    ]
    assert told(script, tmp_path, "--delete") == 75
    assert "1 perhaps NOT deleted" in capsys.readouterr().out


def test_nothing_is_left_of_half_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    script: list[Turn | Entry] = [
        (b"STAT", b"+OK 1 2000000\r\n"),
        (b"LIST", b"+OK\r\n1 2000000\r\n.\r\n"),
        (b"UIDL", b"+OK\r\n1 a\r\n.\r\n"),
        (b"RETR 1", b"+OK\r\nhalf of\r\n"),
        EndOfStream("server"),
    ]
    assert told(script, tmp_path, "--delete") == 75
    assert messages_in(tmp_path) == []
    assert "ConnectionLostError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("unique_id", "name"),
    [
        (b"0000012a5f0d", "uid-0000012a5f0d.eml"),
        (b"../../etc/passwd", "uid-%2e%2e%2f%2e%2e%2fetc%2fpasswd.eml"),
        (b"Aa", "uid-%41a.eml"),
        (b"\xff\0 ", "uid-%ff%00%20.eml"),
        (b"nul", "uid-nul.eml"),
    ],
)
def test_file_names(unique_id: bytes, name: str) -> None:
    assert file_name(unique_id) == name


def test_file_names_have_an_end() -> None:
    names = {file_name(b"x" * length) for length in range(99, 120)}
    assert len(names) == 21
    assert max(map(len, names)) < 120
