"""The programs in examples/, run as their users run them, with a server on loopback."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme

import pop3proto
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import LoopbackServer, Quirk, serve

pytestmark = pytest.mark.slow  # each of them starts some interpreters
ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "user@example.org", "secret"


def mail(subject: str, sender: str = "a@example.org", date: str = "Mon, 2 Nov 2026") -> bytes:
    header = f"From: {sender}\r\nSubject: {subject}\r\nDate: {date} 10:00:00 +0000\r\n"
    return (header + "\r\nText.\r\n..\r\n").encode()


@contextmanager
def running(*messages: bytes, quirks: set[Quirk] | None = None) -> Iterator[LoopbackServer]:
    maildrops = MemoryMaildrops({USER: messages})
    with serve(maildrops, password=PASSWORD, security="tls", quirks=quirks or set()) as server:
        yield server


class Programs:
    """Runs programs in an empty folder, which trust the certificate of a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "POP_PASSWORD": PASSWORD, "PYTHONWARNINGS": "error"}

    def trust(self, server: LoopbackServer) -> None:
        path = self.folder / "authority.pem"
        context = server.client_context()
        (certificate,) = context.get_ca_certs(binary_form=True)
        path.write_text(ssl.DER_cert_to_PEM_cert(certificate))
        self.environment["SSL_CERT_FILE"] = str(path)

    def run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "examples" / program, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def output(self, program: str, *arguments: object) -> str:
        ended = self.run(program, *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_mail_becomes_tickets_once(programs: Programs) -> None:
    database = programs.folder / "tickets.sqlite3"
    with running(mail("broken"), mail("Re: [#1] broken", "b@example.org"), mail("[#99]")) as server:
        programs.trust(server)
        for _ in range(2):
            programs.output("ticket_importer.py", server.url, "--once")
        assert rows(database, "SELECT id, subject FROM tickets") == [(1, "broken"), (2, "[#99]")]
        found = rows(database, "SELECT ticket, sender, body FROM messages ORDER BY ticket, sender")
        assert [(ticket, sender, str(body).split()) for ticket, sender, body in found] == [
            (1, "a@example.org", ["Text.", ".."]),
            (1, "b@example.org", ["Text.", ".."]),
            (2, "a@example.org", ["Text.", ".."]),
        ]
        assert len(server.messages(USER)) == 3
        # Stopped between the commit and the confirmation: the records do not have the messages.
        (programs.folder / "tickets.sqlite3.state").unlink()
        programs.output("ticket_importer.py", server.url, "--once")
        assert len(rows(database, "SELECT * FROM messages")) == 3


def test_a_refused_login_ends_the_importer(programs: Programs) -> None:
    with running() as server:
        programs.trust(server)
        programs.environment["POP_PASSWORD"] = "wrong"
        ended = programs.run("ticket_importer.py", server.url, "--once")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "wrong" not in ended.stderr


def test_the_archive_is_complete_and_goes_on(programs: Programs) -> None:
    messages = [mail("one"), mail("two", date="Fri, 1 Jan 1999"), b"no header at all\r\n"]
    archive = programs.folder / "archive"

    def contents(pattern: str = "**/*.eml") -> list[bytes]:
        return sorted(path.read_bytes() for path in archive.glob(pattern))

    with running(*messages) as server:
        programs.trust(server)
        programs.output("archiver.py", server.url, "archive")
        assert contents() == sorted(messages)
        assert contents("2026/11/*.eml") == [messages[0]]
        assert contents("undated/*.eml") == [messages[2]]
        (lost,) = archive.glob("1999/01/*.eml")
        lost.unlink()
        before = len(server.commands)
        programs.output("archiver.py", server.url, "archive")
        assert contents() == sorted(messages)
        assert [line for line in server.commands[before:] if "RETR" in line] == ["RETR 2"]
        assert len(server.messages(USER)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_new_mail_is_shown_on_the_desktop(programs: Programs) -> None:
    shown = programs.folder / "shown"
    stand_in = programs.folder / "notify-send"
    stand_in.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {shown}\n')
    stand_in.chmod(0o755)
    programs.environment["PATH"] = f"{programs.folder}:{os.environ['PATH']}"
    with running(mail("--help me"), mail("two")) as server:
        programs.trust(server)
        programs.output("notifier.py", server.url, "--once")
        assert shown.read_text().splitlines() == [
            "--app-name=Mail -- a@example.org --help me",
            "--app-name=Mail -- a@example.org two",
        ]
        assert not any("RETR" in line or "DELE" in line for line in server.commands)
    shown.unlink()
    with running(*(mail(str(number)) for number in range(6))) as server:
        programs.trust(server)
        programs.output("notifier.py", server.url, "--once")
    assert shown.read_text() == "--app-name=Mail -- Mail 6 new messages\n"


def test_a_maildrop_has_a_picture(programs: Programs) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib draws it")
    large = mail("large", "b@example.org") + b"x" * 1000 + b"\r\n"
    with running(mail("one"), large, mail("undated", date="no")) as server:
        programs.trust(server)
        output = programs.output("mailbox_statistics.py", server.url)
    assert "b@example.org" in output.splitlines()[0]
    assert (programs.folder / "mailbox.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["ticket_importer", "archiver", "notifier", "mailbox_statistics"])
def test_a_program_without_its_password_says_so(name: str, programs: Programs) -> None:
    del programs.environment["POP_PASSWORD"]
    ended = programs.run(f"{name}.py", "pops://user@pop.example.org", *["mail"] * (name[0] == "a"))
    assert (ended.returncode, "POP_PASSWORD is not set" in ended.stderr) == (2, True)


def test_a_desktop_without_notifications(programs: Programs) -> None:
    programs.environment["PATH"] = str(programs.folder)
    ended = programs.run("notifier.py", "pops://user@pop.example.org", "--once")
    assert (ended.returncode, "there is no notify-send" in ended.stderr) == (2, True)


def test_the_plugin_has_an_exit_code_for_each_state(programs: Programs) -> None:
    with running(mail("one"), mail("two")) as server:
        programs.trust(server)
        well = programs.run("check_pop3.py", server.url, "--days", 0)
        assert well.returncode == 0, well.stdout
        assert well.stdout.startswith("POP3 OK: the certificate is valid for ")
        assert " | certificate_days=" in well.stdout
        assert re.search(r" \| certificate_days=\d+ messages=2 time=[\d.]+s\n\Z", well.stdout)
        many = programs.run("check_pop3.py", server.url, "--days", 0, "--most", 1)
        assert (many.returncode, many.stdout[:13]) == (1, "POP3 WARNING:")
        programs.environment["POP_PASSWORD"] = "wrong"
        refused = programs.run("check_pop3.py", server.url)
        assert (refused.returncode, refused.stdout[:14]) == (2, "POP3 CRITICAL:")
        assert len(refused.stdout.splitlines()) == 1
        del programs.environment["POP_PASSWORD"]
        assert programs.run("check_pop3.py", server.url).returncode == 3
    assert programs.run("check_pop3.py", server.url).returncode == 2
    assert programs.run("check_pop3.py", "http://example.org").returncode == 3
    wrong = programs.run("check_pop3.py")
    assert (wrong.returncode, wrong.stdout[:13]) == (3, "POP3 UNKNOWN:")


def test_mail_comes_out_of_a_database(programs: Programs) -> None:
    authority = trustme.CA()
    certificate = programs.folder / "server.pem"
    issued = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    issued.write_to_path(certificate)
    for number, content in enumerate([mail("one").replace(b"\r\n", b"\n"), mail("two")]):
        path = programs.folder / f"{number}.eml"
        path.write_bytes(content)
        adding = ["--add-user", USER] if not number else []
        programs.output("database_server.py", "mail.sqlite3", *adding, "--deliver", USER, path)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    command = [sys.executable, str(ROOT / "examples" / "database_server.py"), "mail.sqlite3"]
    with subprocess.Popen(
        [*command, "--certificate", str(certificate), "--port", "0"],
        cwd=programs.folder,
        env=programs.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline().split()[1])
            refused = pytest.raises(pop3proto.Pop3Error)
            with pop3proto.connect("127.0.0.1", port, ssl_context=context) as client, refused:
                client.login(USER, "wrong")
            with pop3proto.connect("127.0.0.1", port, ssl_context=context) as client:
                client.login(USER, PASSWORD)
                assert [bytes(m) for m in client.retr_many([1, 2])] == [mail("one"), mail("two")]
                assert client.list(1).octets == len(mail("one"))
                locked = pytest.raises(pop3proto.Pop3Error, match="another session")
                with pop3proto.connect("127.0.0.1", port, ssl_context=context) as second, locked:
                    second.login(USER, PASSWORD)
                client.dele(1)
            with pop3proto.connect("127.0.0.1", port, ssl_context=context) as client:
                client.login(USER, PASSWORD)
                assert [row.unique_id for row in client.uidl()] == [b"2"]
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "ended\n")
