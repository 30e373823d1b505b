"""``pop3proto fetch --accounts``: many accounts, of which none disturbs another one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pop3proto import sync
from pop3proto.cli import fetch_accounts
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.sync import schedule
from pop3proto.testing import LoopbackServer, serve
from tests.cli.token_server import Reply
from tests.cli.token_server import running as running_token_server

USERS = {name: f"secret-{name}" for name in "abcd"}
SECRETS = [*USERS.values(), "hunter"]


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops(
        {name: [b"%s %d\r\n" % (name.encode(), n) for n in range(3)] for name in USERS}
    )


@pytest.fixture
def server(maildrops: MemoryMaildrops) -> Iterator[LoopbackServer]:
    options = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0)
    with serve(maildrops, users=USERS, security="plaintext", options=options) as running:
        yield running


class File:
    """A file with the accounts of a server, and the runs with it."""

    def __init__(self, server: LoopbackServer, folder: Path) -> None:
        self.path = folder / "accounts.toml"
        self.folder = folder
        self.text = (
            "[defaults]\n"
            f'host = "{server.host}"\nport = {server.port}\nsecurity = "plaintext"\n'
            "allow-plaintext-auth = true\n"
        )

    def add(self, name: str, *lines: str, user: str = "", password: bool = True) -> None:
        user = user or name
        given = [f'user = "{user}"', f'place = "{name}"', *lines]
        if password:
            given.append(f'password = "{USERS[user]}"')
        self.text += f"[accounts.{name}]\n" + "\n".join(given) + "\n"

    def fetch(self, *arguments: str) -> int:
        self.path.write_text(self.text)
        self.path.chmod(0o600)
        return main(["fetch", "--accounts", str(self.path), *arguments])

    def stored(self, name: str) -> list[bytes]:
        folder = self.folder / name
        return sorted(path.read_bytes() for path in folder.glob("*.eml"))


@pytest.fixture
def file(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    return File(server, tmp_path)


def test_all_accounts_are_fetched(file: File, capsys: pytest.CaptureFixture[str]) -> None:
    for name in USERS:
        file.add(name)
    assert file.fetch() == 0
    for name in USERS:
        assert file.stored(name) == [b"%s %d\r\n" % (name.encode(), n) for n in range(3)]
    *lines, last = capsys.readouterr().out.splitlines()
    assert sorted(lines) == [f"{name}: 3 fetched, 0 were already there" for name in USERS]
    assert last == "4 accounts: 12 fetched, 0 failed"
    assert file.fetch() == 0
    assert capsys.readouterr().out.endswith("4 accounts: 0 fetched, 0 failed\n")


def test_those_that_are_named(file: File, server: LoopbackServer) -> None:
    for name in USERS:
        file.add(name)
    assert file.fetch("c", "a", "c", "--concurrency", "1") == 0
    assert [session.user for session in server.sessions] == ["c", "a"]
    # A name can follow another option.
    assert file.fetch("--concurrency", "1", "b", "d") == 0
    assert [session.user for session in server.sessions] == ["c", "a", "b", "d"]
    assert file.fetch("nobody") == 1


def test_one_account_s_failure_is_never_another_s(
    file: File, capsys: pytest.CaptureFixture[str]
) -> None:
    file.add("a")
    file.add("wrong", 'password = "hunter"', user="b", password=False)
    file.add("nothing", user="b", password=False)
    file.add("gone", 'password-file = "gone.txt"', user="b", password=False)
    file.add("tls", 'security = "tls"', 'ca = "gone.pem"', user="b")
    file.add("nobody", 'url = "pop://127.0.0.1:9"', user="b")
    file.text = file.text.replace('[accounts.nobody]\nuser = "b"\n', "[accounts.nobody]\n")
    file.add("folder", user="c")
    (file.folder / "folder").write_text("not a folder")
    file.add("d", "delete = true")
    assert file.fetch() == 1
    assert len(file.stored("a")) == len(file.stored("d")) == 3
    out = capsys.readouterr().out
    for told in (
        "a: 3 fetched, 0 were already there\n",
        "d: 3 fetched, 0 were already there\nd: 3 deleted\n",
        "wrong: CredentialsError: ",
        "nothing: LocalProtocolError: there is no password: see --password-file\n",
        f"gone: LocalProtocolError: --password-file {file.folder}/gone.txt: No such file",
        f"tls: LocalProtocolError: --ca {file.folder}/gone.pem: No such file",
        "nobody: LocalProtocolError: the URL names no user",
        "folder: LocalProtocolError: ",
    ):
        assert told in out
    assert out.endswith("8 accounts: 6 fetched, 6 failed\n")
    assert not any(secret in out for secret in SECRETS)


def test_json(file: File, capsys: pytest.CaptureFixture[str]) -> None:
    file.add("a", "delete = true")
    file.add("wrong", 'password = "hunter"', user="b", password=False)
    assert file.fetch("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["ok"]
    accounts = {account.pop("name"): account for account in report["accounts"]}
    port = file.text.partition("port = ")[2].split()[0]
    assert accounts["a"] == {
        "url": f"pop://a@127.0.0.1:{port}",
        "ok": True,
        "fetched": 3,
        "already_there": 0,
        "deleted": 3,
        "perhaps_deleted": 0,
        "attempts": 1,
        "problems": [],
    }
    (problem,) = accounts["wrong"]["problems"]
    assert not accounts["wrong"]["ok"]
    assert problem["error"] == "CredentialsError"
    assert problem["hint"]
    assert not any(secret in json.dumps(report) for secret in SECRETS)


def test_messages_that_make_trouble_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maildrops = MemoryMaildrops({name: [b"x\r\n" * 9] for name in USERS})
    options = ServerOptions(allow_plaintext_auth=True)
    with serve(maildrops, users=USERS, security="plaintext", options=options) as server:
        file = File(server, tmp_path)
        file.add("a", 'format = "command"', "delete = true")
        file.text = file.text.replace('place = "a"', 'place = "false"')
        assert file.fetch("--json") == 1
    (account,) = json.loads(capsys.readouterr().out)["accounts"]
    assert account["fetched"] == 0
    assert not account["ok"]
    assert account["problems"][0]["at"] == "message 1"
    assert account["problems"][0]["text"].startswith("not delivered: ")
    assert account["deleted"] == 0


def test_what_fails_for_now_is_tried_again(
    file: File, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without the pauses.
    monkeypatch.setattr(schedule, "heappush", pushed_at_once)
    file.add("a")
    file.text = file.text.replace('host = "127.0.0.1"', 'host = "pop.invalid"')
    assert file.fetch("--json") == 75
    (account,) = json.loads(capsys.readouterr().out)["accounts"]
    assert account["attempts"] == 3
    assert account["problems"][0]["error"] == "ConnectError"


def pushed_at_once(heap: list[tuple[float, ...]], item: tuple[float, ...]) -> None:
    heap.append((0.0, *item[1:]))


def test_the_user_is_asked_for_one_after_the_other(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def ask(prompt: str) -> str:
        asked.append((prompt, threading.current_thread().name))
        return USERS[prompt.split()[2]]

    monkeypatch.setattr("getpass.getpass", ask)
    monkeypatch.setattr("sys.stdin", Namespace(isatty=lambda: True))
    # That of the process would go to every server.
    monkeypatch.setenv(PASSWORD_VARIABLE, "hunter")
    monkeypatch.setenv("OF_D", USERS["d"])
    for name in "bca":
        file.add(name, password=False)
    file.add("d", 'password-variable = "OF_D"', password=False)
    assert file.fetch() == 0
    host = "127.0.0.1"
    assert asked == [(f"Password of {name} at {host}: ", "MainThread") for name in "bca"]


@pytest.mark.skipif(os.name != "posix", reason="descriptors are not inherited like this")
def test_a_descriptor_has_a_line_for_each(file: File) -> None:
    read, write = os.pipe()
    os.write(write, b"".join(f"{USERS[name]}\n".encode() for name in "bca"))
    os.close(write)
    for name in "bca":
        file.add(name, f"password-fd = {read}", password=False)
    try:
        assert file.fetch() == 0
    finally:
        os.close(read)


def test_a_limit_for_each_host(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    real: Any = sync.fetch_many

    def fetch_many(work: Any, fetch: Any, **options: Any) -> Any:
        seen.append(options)
        return real(work, fetch, **options)

    monkeypatch.setattr(fetch_accounts, "fetch_many", fetch_many)
    file.add("a")
    assert file.fetch("--concurrency", "5", "--per-host", "3") == 0
    assert (seen[0]["concurrency"], seen[0]["per_host"]) == (5, 3)


def test_each_session_is_recorded(file: File, capsys: pytest.CaptureFixture[str]) -> None:
    for name in USERS:
        file.add(name)
    assert file.fetch("--record", str(file.folder / "session.txt")) == 0
    assert len([*file.folder.glob("session*.txt")]) == len(USERS)
    capsys.readouterr()
    assert file.fetch("--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("number", ["0", "-1", "x", "10000000000"])
def test_what_is_no_limit(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fetch", "--accounts", "x", f"--concurrency={number}"])
    assert "expected a number from 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [["--delete"], ["--timeout", "5"], ["--password-command", "x"], ["--state", "x"]],
)
def test_options_of_one_account_belong_into_the_file(
    option: list[str], file: File, capsys: pytest.CaptureFixture[str]
) -> None:
    file.add("a")
    assert file.fetch(*option) == 2
    assert f"{option[0]} and --accounts exclude each other" in capsys.readouterr().err
    assert not (file.folder / "a").exists()


def test_a_url_is_still_needed_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fetch", "pops://user@pop.example.org"])
    assert caught.value.code == 2
    assert "required: PLACE" in capsys.readouterr().err


def test_a_package_is_missing_for_one_of_them(
    file: File, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    file.add("a")
    file.add("b", 'keyring = "mail"', password=False)
    assert file.fetch() == 1
    out = capsys.readouterr().out
    assert "a: 3 fetched" in out
    assert 'b: ModuleNotFoundError: This needs the package keyring: pip install "pop3' in out


def test_tokens_for_each_account(file: File) -> None:
    pytest.importorskip("oauthlib")
    with running_token_server() as tokens:
        tokens.replies = [Reply({"error": "invalid_client"}, 401)]
        file.add("a")
        file.add(
            "b",
            'oauth = "other"',
            'oauth-client-id = "x"',
            'oauth-refresh-token = "hunter"',
            f'oauth-token-url = "{tokens.url()}"',
            password=False,
        )
        assert file.fetch() == 1
    assert tokens.grants == ["refresh_token"]
    assert len(file.stored("a")) == 3


ANSWERS = {
    "STAT": b"+OK 2 18\r\n",
    "LIST": b"+OK\r\n1 9\r\n2 9\r\n.\r\n",
    "UIDL": b"+OK\r\n1 a\r\n2 b\r\n.\r\n",
    "RETR 1": b"+OK\r\n9 octets\r\n.\r\n",
    "USER": b"+OK\r\n",
    "PASS": b"+OK\r\n",
    "NOOP": b"+OK\r\n",
}


class Silent:
    """A server with two messages that says nothing more from some command on, and never hangs up.

    Without a command, it does not even say hello.
    """

    def __init__(self, last: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._last = last
        self._clients: list[socket.socket] = []
        # One for each client that waits in vain.
        self.waiting = threading.Semaphore(0)

    def __enter__(self) -> Silent:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            # accept() would not notice that it is closed.
            self._listener.shutdown(socket.SHUT_RDWR)
        for sock in (self._listener, *self._clients):
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._converse, args=(client,), daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as commands:
            if self._last:
                client.sendall(b"+OK\r\n")
                while not (command := commands.readline().decode()).startswith(self._last):
                    known = (text for verb, text in ANSWERS.items() if command.startswith(verb))
                    client.sendall(next(known, b"-ERR\r\n"))
            self.waiting.release()

    def kill(self, how: signal.Signals, clients: int) -> None:
        """Send a signal to this process when so many clients wait; or after a minute."""

        def kill() -> None:
            for _ in range(clients):
                self.waiting.acquire(timeout=60)
            os.kill(os.getpid(), how)

        threading.Thread(target=kill, daemon=True).start()


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("last", ["", "CAPA", "PASS", "STAT", "RETR"])
def test_a_signal_ends_all_of_them(
    how: signal.Signals,
    last: str,
    file: File,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The servers are silent, and what waits for them ends, too: nothing is left of it."""
    # Or a test that fails would not show it.
    monkeypatch.setattr(fetch_accounts, "_LAST_WORDS", 60.0)
    for name in "abcd":
        file.add(name, "no-pipelining = true", "timeout = 300")
    with Silent(last) as server:
        file.text = re.sub("port = .*", f"port = {server.port}", file.text)
        server.kill(how, 2)
        if how is signal.SIGINT:
            assert file.fetch() == 130
        else:
            with pytest.raises(SystemExit) as caught:
                file.fetch()
            assert caught.value.code == 143
        assert not [each for each in threading.enumerate() if _waits(each)]
    out, err = capsys.readouterr()
    assert out.endswith("4 accounts: 0 fetched, 0 failed, 4 not ended\n")
    assert err == "Interrupted: 0 fetched\n"


def _waits(thread: threading.Thread) -> bool:
    if not thread.name.startswith("pop3proto"):
        return False
    # It has told its result, and only has to end.
    thread.join(60)
    return thread.is_alive()


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("json_wanted", [False, True])
def test_what_is_kept_after_a_signal(
    json_wanted: bool, file: File, capsys: pytest.CaptureFixture[str]
) -> None:
    """One account has ended, and another one waits for its second message."""
    file.add("a")
    with Silent("RETR 2") as server:
        file.add("b", f"port = {server.port}", "no-pipelining = true")
        server.kill(signal.SIGINT, 1)
        assert file.fetch(*["--json"] * json_wanted, "--concurrency", "1") == 130
    out, err = capsys.readouterr()
    if json_wanted:
        report = json.loads(out)
        a, b = report["accounts"]
        assert (a["name"], a["ok"], a["fetched"]) == ("a", True, 3)
        assert (b["name"], b["ok"]) == ("b", False)
        assert b["problems"][0]["error"] == "Interrupted"
        assert report["problems"][-1]["text"] == f"Interrupted: {3 + b['fetched']} fetched"
    else:
        assert "a: 3 fetched, 0 were already there\n" in out
        assert re.search(r"b: \d fetched, 0 were already there, not ended\n", out)
        assert re.search(r"2 accounts: \d fetched, 0 failed, 1 not ended\n", out)
        assert re.fullmatch(r"Interrupted: \d fetched\n", err)
