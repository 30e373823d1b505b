"""``pop3proto serve``: sources, users, security, and what becomes of deletions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pop3proto import AuthenticationError
from pop3proto.cli import serve as _serve
from pop3proto.cli.main import main
from pop3proto.cli.output import Output
from pop3proto.server import MaildropProvider
from pop3proto.testing import LoopbackServer, Quirk, serve
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client, connect
from tests.interop.maildrop import fill_folder, fill_maildir, fill_mbox, messages
from tests.served import Served, served

CONTENT = messages(small=20)


def logged_in(server: Served, security: Security = Security.STLS, which: int = 0) -> Client:
    client = connect(
        server.host, server.port, security=security, ssl_context=server.client_context()
    )
    try:
        client.login(server.urls[which].user or "", server.passwords[which])
    except BaseException:
        client.abort()
        raise
    return client


def contents(client: Client) -> list[bytes]:
    numbers = range(1, client.stat().count + 1)
    return [message.content for message in client.retr_many(numbers)]


def maildir(tmp_path: Path) -> Path:
    fill_maildir(tmp_path / "maildir", CONTENT)
    return tmp_path / "maildir"


def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    fill_folder(path, CONTENT)
    (path / ".hidden").write_bytes(b"not this")
    (path / "a folder").mkdir()
    return path


def mbox(tmp_path: Path) -> Path:
    fill_mbox(tmp_path / "mbox", CONTENT)
    return tmp_path / "mbox"


SOURCES = {"maildir": maildir, "folder": folder, "mbox": mbox}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_sources(make: Callable[[Path], Path], tmp_path: Path) -> None:
    source = make(tmp_path)
    before = {path: path.read_bytes() for path in source.parent.rglob("*") if path.is_file()}
    unique_ids: list[list[bytes | None]] = []
    for _ in range(2):
        with served(source, authority=tmp_path / "ca.pem") as server, logged_in(server) as client:
            assert contents(client) == CONTENT
            unique_ids.append([row.unique_id for row in client.uidl()])
            client.dele(1)
            assert client.quit().confirmed
        assert server.output[-1] == "user: 1 deleted"
    # The next run has the same messages under the same names, and the source is as it was.
    assert unique_ids[0] == unique_ids[1]
    after = {path: path.read_bytes() for path in before}
    assert after == before


def test_a_maildir_that_is_written(tmp_path: Path) -> None:
    source = maildir(tmp_path)
    with served(source, "--write", authority=tmp_path / "ca.pem") as server:
        with logged_in(server) as client:
            client.dele(1)
            assert client.quit().confirmed
        with logged_in(server) as client:
            assert contents(client) == CONTENT[1:]
    assert len(list((source / "cur").iterdir())) == len(CONTENT) - 1


def test_users(tmp_path: Path) -> None:
    users = ["--user", "user:one", "--user", "user@example.org:two", "--user", "other"]
    with served(folder(tmp_path), *users, authority=tmp_path / "ca.pem") as server:
        assert server.passwords[:2] == ["one", "two"]
        assert [url.user for url in server.urls] == ["user", "user@example.org", "other"]
        for which in range(3):
            with logged_in(server, which=which) as client:
                # To each a maildrop of one's own.
                assert contents(client) == CONTENT
                client.dele(1)
        server.passwords[0] = "two"
        with pytest.raises(AuthenticationError):
            logged_in(server)


def test_implicit_tls(tmp_path: Path) -> None:
    arguments = ["--security", "tls"]
    with served(folder(tmp_path), *arguments, authority=tmp_path / "ca.pem") as server:
        assert server.urls[0].scheme == "pops"
        with logged_in(server, Security.TLS) as client:
            assert contents(client) == CONTENT


def test_without_tls(tmp_path: Path) -> None:
    arguments = ["--security", "plaintext", "--allow-plaintext-auth"]
    plain = Security.PLAINTEXT
    options = ClientOptions(allow_plaintext_auth=True)
    with served(folder(tmp_path), *arguments) as server:
        where = server.host, server.port
        with connect(*where, security=plain, options=options) as client:
            client.login("user", server.passwords[0], mechanisms=["USER"])
            assert contents(client) == CONTENT


def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with served(folder(tmp_path), "--cert", str(tmp_path / "server.pem")) as server:
        server.authority = tmp_path / "ca.pem"
        with logged_in(server) as client:
            assert contents(client) == CONTENT


def test_quirks(tmp_path: Path) -> None:
    arguments = ["--quirk", "no-capa", "--quirk", "reversed-listings"]
    with (
        served(folder(tmp_path), *arguments, authority=tmp_path / "ca.pem") as server,
        logged_in(server) as client,
    ):
        assert client.capabilities is None
        assert list(client.list()) == sorted(client.list(), reverse=True)
        assert contents(client) == CONTENT


def test_what_has_to_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert main(["serve", str(folder(tmp_path))]) == 2
    assert 'pip install "pop3proto[demo]"' in capsys.readouterr().err


@pytest.fixture
def _ending_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pop3proto.cli.serve.wait_until_told", lambda announce, look: announce())


@pytest.mark.usefixtures("_ending_at_once")
@pytest.mark.parametrize(
    ("source", "arguments"),
    [("maildir", []), ("folder", []), ("mbox", []), ("maildir", ["--write"])],
)
def test_it_tells_how_many_messages_there_are(
    source: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(SOURCES[source](tmp_path)), *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [f"{len(CONTENT)} messages for each user", "Press Ctrl+C to stop."]


@pytest.mark.usefixtures("_ending_at_once")
def test_an_empty_file_is_an_empty_mbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    assert main(["serve", str(tmp_path / "empty")]) == 0
    assert "\n0 messages for each user\n" in capsys.readouterr().out


@pytest.mark.usefixtures("_ending_at_once")
def test_what_the_server_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []

    def telling(maildrops: MaildropProvider, **how: Any) -> Any:
        told.append(how)
        return serve(maildrops, **how)

    monkeypatch.setattr("pop3proto.cli.serve.serve", telling)
    arguments = ["--latency", "0.25", "--allow-plaintext-auth", "--quirk", "bare-lf"]
    assert main(["serve", str(folder(tmp_path)), *arguments]) == 0
    assert main(["serve", str(tmp_path / "folder")]) == 0
    first, second = told
    assert (first["options"].latency, second["options"].latency) == (0.25, 0.0)
    assert first["options"].allow_plaintext_auth
    assert not second["options"].allow_plaintext_auth
    assert (first["quirks"], second["quirks"]) == ({Quirk.BARE_LF}, frozenset())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--write", "{folder}"], "needs a Maildir"),
        (["--write", "{maildir}", "--user", "a", "--user", "b"], "is for one user"),
        (["{missing}"], "no such file or folder"),
        (["{message}"], "not an mbox"),
        (["{folder}", "--user", ":secret"], "has a name"),
        (["{folder}", "--user", "a:b", "--user", "c", "--user", "a:d"], "--user a is given twice"),
        (["{folder}", "--write-ca", "{missing}", "--security", "plaintext"], "--write-ca needs"),
        (["{folder}", "--write-ca", "{missing}", "--cert", "{message}"], "--write-ca needs"),
        (["{folder}", "--cert", "{message}", "--security", "plaintext"], "--cert is for TLS"),
        (["{folder}", "--cert", "{missing}"], "No such file"),
        (["{folder}", "--host", "192.0.2.1"], "assign"),
        (["{folder}", "--quirk", "no-stat", "--quirk", "wrong-count"], "NO_STAT, WRONG_COUNT"),
    ],
)
def test_what_cannot_be_served(
    arguments: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {
        "folder": folder(tmp_path),
        "maildir": maildir(tmp_path),
        "missing": tmp_path / "missing",
        "message": tmp_path / "folder" / "00000.eml",
    }
    contradiction = what.startswith(("--", "needs a", "is for"))
    code = main(["serve", *(argument.format(**places) for argument in arguments)])
    assert code == (2 if contradiction else 1)
    told = capsys.readouterr()
    assert what in " ".join(told.err.split())
    assert told.out == ""
    assert not places["missing"].exists()


def test_an_unknown_quirk_tells_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", ".", "--quirk", "no-such-thing"])
    assert caught.value.code == 2
    told = "".join(capsys.readouterr().err.split())
    for quirk in Quirk:
        assert quirk.name.lower().replace("_", "-") in told


@pytest.mark.parametrize(
    "arguments",
    [["--port", "65536"], ["--port", "-1"], ["--latency", "-1"], ["--latency", "nan"], []],
)
def test_command_lines_that_make_no_sense(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", *arguments, *(["."] if arguments else [])])
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["-v"], ["--json", "-v"], ["-q"]])
def test_what_is_told_while_it_runs(
    more: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = ""

    def wait(told: Callable[[], None], look: Callable[[], None]) -> None:
        nonlocal seen
        told()
        seen = capsys.readouterr().out
        (server,) = running
        with server.connect() as client:
            client.login("ann", "secret")
            client.dele(1)
        look()

    running: list[LoopbackServer] = []
    serving = _serve._announce

    def announce(output: Output, server: LoopbackServer, *what: Any) -> None:
        running.append(server)
        serving(output, server, *what)

    monkeypatch.setattr("pop3proto.cli.serve._announce", announce)
    monkeypatch.setattr("pop3proto.cli.serve.wait_until_told", wait)
    arguments = ["--user", "ann:secret", "--security", "plaintext", "--allow-plaintext-auth"]
    assert main(["serve", str(folder(tmp_path)), *arguments, *more]) == 0
    later = capsys.readouterr().out.splitlines()
    if "--json" in more:
        listening = json.loads(seen)
        assert [*listening] == ["event", "host", "port", "security", "accounts", "messages"]
        assert listening["accounts"][0]["password"] == "secret"
        *commands, session, end = map(json.loads, later)
        assert {"event": "command", "text": "DELE 1"} in commands
        assert session == {"event": "session", "user": "ann", "deleted": 1}
        assert [*end] == ["event", "command", "version", "ok", "problems"]
    elif "-v" in more:
        assert "C: DELE 1" in later
        assert later[-1] == "ann: 1 deleted"
    else:
        assert (seen, later) == ("", [])
