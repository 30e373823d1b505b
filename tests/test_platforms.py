"""What differs on Windows and macOS, by standing in for it here; docs/platforms.md lists it all.

Each test takes something away that a system lacks, or lets it behave as it does there. That is not
the system itself: the hosted workflow runs all tests there.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pop3proto
from pop3proto.cli.main import ending_signals
from pop3proto.cli.oauth_store import FileStore, Tokens
from pop3proto.client.files import wait_for_disk
from pop3proto.errors import ConnectError, LocalProtocolError, MaildropError
from pop3proto.model.secret import Secret
from pop3proto.server import MaildirMaildrops, ServerOptions
from pop3proto.server.maildir import folder_name
from pop3proto.sync import Fetching, FileFolder, Lmtp, Maildir, Mbox, Policy, State, delivery
from pop3proto.sync.folder import file_name
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import Security, blocking
from pop3proto.transports import asyncio as on_asyncio
from tests.runtimes import RUNTIMES
from tests.security.test_unsolicited_replies import ARRIVALS
from tests.security.test_unsolicited_replies import (
    test_it_does_not_confirm_what_was_refused as check_it_does_not_confirm,
)

fcntl = pytest.importorskip("fcntl", reason="stands in for another system")
ROOT = Path(__file__).resolve().parent.parent
MAIL = [b"Subject: %d\r\n\r\nText.\r\n" % number for number in range(5)]
SLOW = pytest.mark.slow
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stands in for another system")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with serve({"user": MAIL}, password="secret", security="tls") as running:
        yield running


# Windows: open files, and names


def descriptors_of(path: object) -> list[int]:
    """The descriptors of this process that lead to the file at ``path``."""
    try:
        wanted = os.stat(os.fsdecode(path), follow_symlinks=False)  # type: ignore[arg-type]
    except FileNotFoundError:
        return []
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.path.samestat(os.fstat(int(name)), wanted):
                found.append(int(name))
        except OSError:
            continue  # that of listdir() itself
    return found


@pytest.fixture
def windows_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No file can be renamed, replaced or removed while it is open; rename() replaces nothing.

    A name has to be one that Windows allows. The list has what was called.
    """
    called: list[str] = []

    def refusing(name: str, call: Callable[..., Any], *, replaces: bool) -> Callable[..., Any]:
        def calling(*arguments: Any, **named: Any) -> Any:
            called.append(name)
            for path in arguments[:2]:
                assert ALLOWED.fullmatch(Path(os.fsdecode(path)).name), path
                if descriptors_of(path):
                    raise PermissionError(13, "it is used by another process", os.fsdecode(path))
            if not replaces and os.path.lexists(arguments[1]):
                raise FileExistsError(17, "it is there", arguments[1])
            return call(*arguments, **named)

        return calling

    for name in ("rename", "replace", "unlink", "link"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, refusing(name, call, replaces=name != "rename"))
    # What the system lacks.
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "uname")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    # Folders cannot be opened. os.name says so, but pathlib asks for it, too: so only here.
    monkeypatch.setattr(delivery, "os", Windows())
    real = os.open

    def opening(path: Any, *arguments: Any, **named: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(13, "a folder", path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", opening)
    return called


class Windows:
    """``os``, on Windows."""

    name = "nt"

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


# No control characters, none of these, no dot or space at the end, and no device.
ALLOWED = re.compile(
    r"(?!(con|prn|aux|nul|com\d|lpt\d)(\.|$))[^\0-\x1f<>:\"/\\|?*]*[^\0-\x1f<>:\"/\\|?*. ]",
    re.IGNORECASE,
)


def fetched(server: LoopbackServer, form: type[Any], place: Path) -> int:
    """Fetch and delete; return how many were new."""
    with (
        State(place.with_name("state.sqlite3")) as state,
        state.account(place.name) as account,
        server.connect() as client,
    ):
        client.login("user", "secret")
        to = form(place, account.tag)
        session = Fetching(client, to, account, Policy(delete_after=1), now=1_000_000_000.0)
        session.run()
        return session.new


@pytest.mark.parametrize("form", [FileFolder, Maildir, Mbox])
def test_fetching_with_files_that_cannot_be_renamed_while_open(
    form: type[Any], server: LoopbackServer, tmp_path: Path, windows_files: list[str]
) -> None:
    assert fetched(server, form, tmp_path / "place") == len(MAIL)
    assert fetched(server, form, tmp_path / "place") == 0
    assert windows_files
    for path in tmp_path.rglob("*"):
        assert ALLOWED.fullmatch(path.name), path


def test_a_file_that_is_replaced(
    server: LoopbackServer, tmp_path: Path, windows_files: list[str]
) -> None:
    with server.connect() as client:
        client.login("user", "secret")
        for _ in range(2):
            assert client.save(1, tmp_path / "one.eml") == len(MAIL[0])
    # While somebody reads it, it stays as it is, and nothing is left beside it.
    with server.connect() as client, (tmp_path / "one.eml").open("rb") as reader:
        client.login("user", "secret")
        with pytest.raises(PermissionError):
            client.save(2, tmp_path / "one.eml")
        assert reader.read() == MAIL[0]
    assert [path.name for path in tmp_path.iterdir()] == ["one.eml"]
    assert "replace" in windows_files


def test_tokens_are_replaced(tmp_path: Path, windows_files: list[str]) -> None:
    store = FileStore(tmp_path / "tokens", "user@pop.example.org")
    for text in ("one", "two"):
        store.save(Tokens(refresh=Secret(text)))
        assert store.load().refresh == Secret(text)
    assert "replace" in windows_files


def test_a_server_deletes_what_nobody_has_open(tmp_path: Path, windows_files: list[str]) -> None:
    new = tmp_path / "user" / "new"
    for folder in (new, new.with_name("cur"), new.with_name("tmp")):
        folder.mkdir(parents=True)
    for number, content in enumerate(MAIL):
        (new / f"{number}.unique.host").write_bytes(content)
    with (
        serve(MaildirMaildrops(tmp_path), users={"user": "secret"}) as server,
        server.connect() as client,
    ):
        client.login("user", "secret")
        assert client.retr(1).content == MAIL[0]
        client.dele(1)
        assert client.quit().confirmed
    assert len(list(new.iterdir())) == len(MAIL) - 1
    assert "unlink" in windows_files


@given(st.text(max_size=40) | st.sampled_from(["con", "nul.txt", "lpt9", "a.", "CON", "comx"]))
def test_names_of_users_are_names_of_folders_on_every_system(user: str) -> None:
    try:
        name = folder_name(user)
    except MaildropError:
        return
    assert ALLOWED.fullmatch(name)


@given(st.binary(min_size=1, max_size=80))
def test_unique_ids_are_names_of_files_on_every_system(unique_id: bytes) -> None:
    assert ALLOWED.fullmatch(file_name(unique_id))


# Windows: sockets


def test_no_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(ConnectError, match="no UNIX sockets"):
        blocking.connect_unix("pop3.sock")
    with pytest.raises(LocalProtocolError, match="address is a path"):
        Lmtp("/run/lmtp", "user@example.org", "spool", "tag")
    Lmtp(("localhost", 24), "user@example.org", "spool", "tag")


def test_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")
    monkeypatch.setattr(blocking, "_wait_for", blocking._select)
    # More than the buffers hold, in both directions, so that writing has to wait, too.
    maildrop = {"user": [b"Subject: x\r\n\r\n" + b"x" * 4000 + b"\r\n"] * 300}
    with serve(maildrop, password="secret") as server, server.connect() as client:
        client.login("user", "secret")
        assert len(list(client.retr_many(client.numbers()))) == 300
        client.stat()


@pytest.mark.parametrize("mode", list(Security))
@pytest.mark.parametrize("how", ARRIVALS)
def test_a_proactor_has_taken_what_has_arrived(
    mode: Security, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the socket would show nothing, so the loop gets the time to hand it over."""

    def never(sock: socket.socket) -> Any:
        raise AssertionError("the socket of a proactor was looked at")

    monkeypatch.setattr(on_asyncio, "_PROACTORS", asyncio.SelectorEventLoop)
    monkeypatch.setattr(on_asyncio, "readability", never)
    check_it_does_not_confirm(RUNTIMES["asyncio"], mode, how)


# Windows: processes and the console


def test_other_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP")
    # Ctrl+Break, and a console that is closed.
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    assert ending_signals() == [signal.SIGTERM, signal.SIGUSR1]


# Every module, and a session, without what Windows lacks. sys.platform says so at the end, when
# the standard library has been loaded.
BARE = """
import asyncio, email.message, os, pathlib, select, signal, socket, sqlite3, ssl, subprocess, sys
import tempfile, trustme, trio, anyio, rich.console, rich.progress, hypothesis.strategies
import shutil, threading, importlib, pkgutil, concurrent.futures, multiprocessing, pytest, spnego
for name in ("fcntl", "termios", "pwd", "grp", "resource", "posix", "pty", "tty"):
    sys.modules[name] = None
for name in ("fork", "uname", "geteuid", "getuid", "mkfifo", "killpg", "pread", "chown", "setsid",
             "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "sched_getaffinity", "getpgid"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGPIPE"):
    delattr(signal, name)
del select.poll, select.epoll, socket.AF_UNIX
def socketpair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]
socket.socketpair = socketpair
sys.platform = "win32"
import pop3proto
for module in pkgutil.walk_packages(pop3proto.__path__, "pop3proto."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from pop3proto.cli.main import main
sys.exit(main(["demo"]))
"""


def test_a_python_without_what_windows_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BARE],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "encoding", ["cp437", *(pytest.param(e, marks=SLOW) for e in ("cp1252", "cp932", "ascii"))]
)
def test_a_console_that_cannot_show_everything(encoding: str, tmp_path: Path) -> None:
    """Nothing fails, and no file is read or written in the encoding of the console."""
    user = "us\u00e9r\u20ac\u4e2d"
    options = ServerOptions(allow_plaintext_auth=True)
    with serve({user: MAIL}, password="secret", security="plaintext", options=options) as running:
        url = str(pop3proto.PopUrl(running.host, running.port, user))
        done = subprocess.run(
            [
                *(sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning"),
                *("-m", "pop3proto", "fetch", url, str(tmp_path / "mail"), "--no-tls"),
                *("--allow-plaintext-auth", "--state", str(tmp_path / "state")),
                *("--record", str(tmp_path / "session.txt")),
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONIOENCODING": encoding, "POP3PROTO_PASSWORD": "secret"},
        )
    assert done.returncode == 0, done.stdout
    assert b"5 fetched" in done.stdout
    assert len(list((tmp_path / "mail").glob("*.eml"))) == len(MAIL)


# macOS


def test_fsync_does_not_wait_for_the_drive(
    tmp_path: Path, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = 51
    asked: list[int] = []

    def control(descriptor: int, what: int, argument: Any = 0) -> Any:
        if what != full:
            return real(descriptor, what, argument)
        asked.append(descriptor)
        return 0

    real = fcntl.fcntl
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", full, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("fsync() does not wait"))
    assert fetched(server, FileFolder, tmp_path / "mail") == len(MAIL)
    # Each message, and the folders with their names.
    assert len(asked) > len(MAIL)


def test_file_systems_that_have_fsync_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def control(descriptor: int, what: int, argument: Any = 0) -> Any:
        raise OSError(45, "Operation not supported")

    waited: list[int] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", waited.append)
    with (tmp_path / "file").open("wb") as file:
        wait_for_disk(file.fileno())
        assert waited == [file.fileno()]


def test_the_database_waits_for_the_drive(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state:
        assert state._database.execute("PRAGMA fullfsync").fetchone() == (1,)


def test_names_that_differ_by_case_alone(tmp_path: Path) -> None:
    assert file_name(b"abc").casefold() != file_name(b"ABC").casefold()
    assert folder_name("user").casefold() != folder_name("USER").casefold()
