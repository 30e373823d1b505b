"""Other people's clients fetch from ``pop3proto serve``, and delete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pop3proto.transports import Security
from tests.interop.maildrop import fill_folder, fill_maildir, fill_mbox, messages
from tests.interop.packages import REQUIRED
from tests.interop.servers import open_folder
from tests.interop.table import SetCell
from tests.served import Served, served

CONTENT = messages(small=100)
PASSWORD = "pa55word"
SECONDS = 120
# In the certificate's common name, which is all that fetchmail looks at.
HOST = "localhost"


def run(*command: str, cwd: Path, **variables: str) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "HOME": str(cwd), **variables},
        timeout=SECONDS,
        text=True,
        errors="backslashreplace",
    )
    assert done.returncode == 0, done.stdout


class MissedChild(Exception):
    """getmail has waited in vain for the process that stores a message.

    It installs its handler for SIGCHLD behind the fork, and misses a child that is quicker, as
    happens on a busy machine. That is its own affair: it is to begin anew.
    """


def secret_file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)
    return path


def maildir(folder: Path) -> Path:
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    return folder


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def unix(message: bytes) -> bytes:
    return message.replace(b"\r\n", b"\n")


class Curl:
    """Writes what it gets; a file for each URL."""

    modes = tuple(Security)
    stored = staticmethod(bytes)

    def fetch(self, server: Served, mode: Security, folder: Path, *, delete: bool) -> list[bytes]:
        scheme = "pop3s" if mode is Security.TLS else "pop3"
        url = f"{scheme}://{HOST}:{server.port}/[1-{len(CONTENT)}]"
        command = ["curl", "-sS", "--user", f"user:{PASSWORD}", url]
        if server.authority is not None:
            command += ["--ssl-reqd", "--cacert", str(server.authority)]
        (folder / "mail").mkdir()
        run(*command, "-o", str(folder / "mail" / "#1"), cwd=folder)
        if delete:
            run(*command, "--request", "DELE", "--head", cwd=folder)
        return contents(folder / "mail")


class Fetchmail:
    """Takes bare CRs out, and breaks longer lines after 8,191 octets.

    There it adds two octets of its memory, never the same ones, and a line end.
    """

    modes = tuple(Security)
    _break = re.compile(rb"(?s)(?<=[^\n]{8191})..\n")

    @staticmethod
    def stored(message: bytes) -> bytes:
        return unix(message).replace(b"\r", b"")

    def fetch(self, server: Served, mode: Security, folder: Path, *, delete: bool) -> list[bytes]:
        (folder / "mail").mkdir()
        deliver = folder / "deliver"
        deliver.write_text(f"#!/bin/sh\nexec cat >$(mktemp {folder}/mail/XXXXXXXX)\n")
        deliver.chmod(0o700)
        tls = "sslproto ''"
        if server.authority is not None:
            tls = f'sslproto TLS1.2+ sslcertck sslcertfile "{server.authority}"'
        if mode is Security.TLS:
            tls += " ssl"
        control = secret_file(
            folder / "fetchmailrc",
            f"set no bouncemail\nset invisible\npoll {HOST} service {server.port} proto pop3"
            f' timeout 60 user "user" pass "{PASSWORD}" fetchall {"nokeep" if delete else "keep"}'
            f' no rewrite no mimedecode {tls} mda "{deliver}"\n',
        )
        files = ["--pidfile", str(folder / "pid"), "--idfile", str(folder / "ids")]
        run("fetchmail", "--fetchmailrc", str(control), *files, cwd=folder)
        return [self._break.sub(b"", message) for message in contents(folder / "mail")]


class Mpop:
    """Sends commands ahead, and stores messages as they are, with UNIX line ends."""

    modes = tuple(Security)
    stored = staticmethod(unix)

    def fetch(self, server: Served, mode: Security, folder: Path, *, delete: bool) -> list[bytes]:
        lines = [
            "account default",
            f"host {HOST}",
            f"port {server.port}",
            "user user",
            f"password {PASSWORD}",
            f"delivery maildir {maildir(folder / 'mail')}",
            "received_header off",
            f"keep {'off' if delete else 'on'}",
            f"uidls_file {folder / 'uidls'}",
        ]
        if server.authority is not None:
            starttls = "on" if mode is Security.STLS else "off"
            lines += ["tls on", f"tls_starttls {starttls}", f"tls_trust_file {server.authority}"]
        control = secret_file(folder / "mpoprc", "\n".join(lines) + "\n")
        run("mpop", "-C", str(control), cwd=folder)
        return contents(folder / "mail")


class Getmail:
    """Built on poplib. Makes a bare CR a line end, and says where a message came from."""

    # It does not know STLS.
    modes = (Security.PLAINTEXT, Security.TLS)

    @staticmethod
    def stored(message: bytes) -> bytes:
        return b"Return-Path: <unknown>\n" + unix(message).replace(b"\r", b"\n")

    def fetch(self, server: Served, mode: Security, folder: Path, *, delete: bool) -> list[bytes]:
        mail = maildir(folder / "mail")
        # It does not deliver as root.
        for path in (mail, *mail.iterdir()):
            shutil.chown(path, "mail" if os.geteuid() == 0 else os.geteuid())
        kind, trust = "SimplePOP3Retriever", ""
        if mode is Security.TLS:
            kind, trust = "SimplePOP3SSLRetriever", f"ca_certs = {server.authority}\n"
        control = secret_file(
            folder / "getmailrc",
            f"[retriever]\ntype = {kind}\nserver = {HOST}\nport = {server.port}\n"
            # How long it waits for a child, too.
            f"username = user\npassword = {PASSWORD}\n{trust}timeout = 15\n"
            f"[destination]\ntype = Maildir\npath = {mail}/\n"
            + ("user = mail\n" if os.geteuid() == 0 else "")
            + f"[options]\ndelete = {'true' if delete else 'false'}\nread_all = true\n"
            "delivered_to = false\nreceived = false\n",
        )
        try:
            run("getmail", "--getmaildir", str(folder), "--rcfile", str(control), cwd=folder)
        except AssertionError as error:
            if re.search(r"waiting child pid \d+ timed out", str(error)):
                raise MissedChild from error
            raise
        return contents(mail)


CLIENTS: dict[str, Curl | Fetchmail | Mpop | Getmail] = {
    "curl": Curl(),
    "fetchmail": Fetchmail(),
    "mpop": Mpop(),
    "getmail": Getmail(),
}
CELLS = [(name, mode) for name, client in CLIENTS.items() for mode in client.modes]
FILLED: dict[str, Callable[[Path, list[bytes]], None]] = {
    "maildir": fill_maildir,
    "folder": fill_folder,
    "mbox": fill_mbox,
}
TITLE = "clients that fetch from pop3proto serve"


def installed(name: str) -> Curl | Fetchmail | Mpop | Getmail:
    if shutil.which(name) is None:
        problem = f"{name} is not installed"
        pytest.fail(problem) if REQUIRED else pytest.skip(problem)
    return CLIENTS[name]


@pytest.mark.parametrize(("name", "mode"), CELLS, ids=lambda value: getattr(value, "value", value))
def test_it_fetches_everything_and_deletes(name: str, mode: Security, cell: SetCell) -> None:
    cell(TITLE, name, mode.value)
    client = installed(name)
    for _ in range(5):
        with suppress(MissedChild):
            fetch_and_delete(client, mode)
            return
    pytest.fail(f"{name} has missed its children five times")


def fetch_and_delete(client: Curl | Fetchmail | Mpop | Getmail, mode: Security) -> None:
    arguments = ["--user", f"user:{PASSWORD}", "--security", mode.value]
    with open_folder() as folder:
        fill_maildir(folder / "source", CONTENT)
        if mode is Security.PLAINTEXT:
            arguments.append("--allow-plaintext-auth")
        authority = None if mode is Security.PLAINTEXT else folder / "ca.pem"
        with served(folder / "source", "--write", *arguments, authority=authority) as server:
            expected = sorted(map(client.stored, CONTENT))
            for delete in (False, True):
                work = folder / f"work-{delete}"
                work.mkdir(mode=0o755)
                stored = client.fetch(server, mode, work, delete=delete)
                assert sorted(stored) == expected
                left = len(list((folder / "source" / "cur").iterdir()))
                assert left == (0 if delete else len(CONTENT))
        assert server.output[-1] == f"user: {len(CONTENT)} deleted"


@pytest.mark.parametrize("source", FILLED)
def test_whatever_is_served(source: str, cell: SetCell) -> None:
    cell(TITLE, f"curl, from {source}", Security.STLS.value)
    client = installed("curl")
    arguments = ["--user", f"user:{PASSWORD}"]
    with open_folder() as folder:
        FILLED[source](folder / "source", CONTENT)
        paths = [path for path in folder.rglob("*") if path.is_file()]
        before = [path.read_bytes() for path in paths]
        work = folder / "work"
        work.mkdir(mode=0o755)
        with served(folder / "source", *arguments, authority=folder / "ca.pem") as server:
            stored = client.fetch(server, Security.STLS, work, delete=True)
            assert sorted(stored) == sorted(CONTENT)
        assert server.output[-1] == f"user: {len(CONTENT)} deleted"
        # What was deleted was a copy.
        assert [path.read_bytes() for path in paths] == before
