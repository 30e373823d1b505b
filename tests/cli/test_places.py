"""Places other than folders: commands and LMTP servers; and what is wrong with a place."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.cli.places import FORMATS, Place
from pop3proto.errors import LocalProtocolError
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from tests.sync.lmtp_server import LmtpServer

CONTENTS = [b"Subject: one\r\n\r\n.\r\n", b"Subject: two\r\n\r\ntwo\r\n"]
PLAIN = ("--no-tls", "--allow-plaintext-auth")
Fetch = Callable[..., int]


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({"user": CONTENTS})


@pytest.fixture
def fetch(maildrops: MemoryMaildrops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def fetched(place: Path | str, *arguments: str) -> int:
        options = ServerOptions(allow_plaintext_auth=True)
        with serve(maildrops, password="secret", security="plaintext", options=options) as server:
            return main(["fetch", server.url, str(place), *PLAIN, *arguments])

    return fetched


def command(folder: Path, script: str) -> str:
    """A command that runs Python."""
    path = folder / "take.py"
    path.write_text(f"import sys\ndata = sys.stdin.buffer.read()\n{script}\n")
    return shlex.join([sys.executable, str(path)])


@pytest.mark.parametrize(("options", "expected"), [([], b"\n"), (["--crlf"], b"\r\n")])
def test_a_command(fetch: Fetch, tmp_path: Path, options: list[str], expected: bytes) -> None:
    taking = command(tmp_path, f"open({str(tmp_path / 'taken')!r}, 'ab').write(data)")
    assert fetch(taking, "--format", "command", "--delete", *options) == 0
    assert (tmp_path / "taken").read_bytes() == b"".join(CONTENTS).replace(b"\r\n", expected)


def test_a_command_that_fails(
    fetch: Fetch,
    maildrops: MemoryMaildrops,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing = command(tmp_path, "sys.exit('no room' if b'one' in data else 0)")
    assert fetch(failing, "--format", "command", "--delete") == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("message 1: not delivered: ")
    assert told[0].endswith("has ended with code 1: no room")
    assert told[1] == "1 fetched, 0 were already there"
    assert maildrops.contents("user") == CONTENTS[:1]


def test_an_lmtp_server(fetch: Fetch, maildrops: MemoryMaildrops) -> None:
    with LmtpServer() as server:
        options = ["--format", "lmtp", "--recipient", "me@example.org", "--delete"]
        assert fetch("{}:{}".format(*server.address), *options) == 0
        assert Counter(server.taken) == Counter(CONTENTS)
        assert maildrops.contents("user") == []
        # The server has moved; the mailbox is the same, and nothing comes twice.
        assert fetch("localhost:1", *options) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_a_recipient_is_for_lmtp(format: str, tmp_path: Path) -> None:
    recipient = None if format == "lmtp" else ["me@example.org"]
    with pytest.raises(LocalProtocolError, match="--recipient"):
        Place(format, str(tmp_path), recipient).check()


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
@pytest.mark.parametrize("format", ["files", "maildir"])
@pytest.mark.parametrize("hint", ["--format mbox", ""])
def test_a_file_in_place_of_a_folder(
    fetch: Fetch, format: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "mail"
    if hint:
        place.touch()
    else:
        place = Path("/dev/null")
    assert fetch(place, "--format", format) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"LocalProtocolError: {place} is not a folder")
    assert hint in error


def test_a_folder_in_place_of_an_mbox(
    fetch: Fetch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(tmp_path, "--format", "mbox") == 1
    assert capsys.readouterr().err.startswith(
        f"LocalProtocolError: {tmp_path} is a folder, and an mbox is a file"
    )


def test_a_command_that_cannot_be_read() -> None:
    with pytest.raises(LocalProtocolError, match="No closing quotation"):
        Place("command", "'x").check()


@pytest.mark.parametrize(
    ("where", "address"),
    [
        ("localhost:24", ("localhost", 24)),
        ("[::1]:24", ("::1", 24)),
        ("/run/lmtp:24", "/run/lmtp:24"),
        ("lmtp.sock", "lmtp.sock"),
    ],
)
def test_the_address_of_an_lmtp_server(where: str, address: tuple[str, int] | str) -> None:
    assert Place("lmtp", where, "me@example.org")._address() == address


@pytest.mark.parametrize("format", FORMATS)
def test_no_place(format: str) -> None:
    recipient = ["me@example.org"] if format == "lmtp" else None
    with pytest.raises(LocalProtocolError, match="is an empty text"):
        Place(format, "", recipient).check()


@pytest.mark.parametrize("format", ["files", "maildir", "mbox", "command", "lmtp"])
def test_an_option_of_another_format(format: str, tmp_path: Path) -> None:
    place = Place(format, "cat:24", "me@example.org" if format == "lmtp" else None)
    for option, changed in (
        ("lmtp", place._replace(sender="me@example.org")),
        ("command", place._replace(line_feeds=False)),
    ):
        if format == option:
            changed.check()
        else:
            with pytest.raises(LocalProtocolError, match=f"is for --format {option} alone"):
                changed.check()


def test_a_name_that_no_host_has() -> None:
    with pytest.raises(LocalProtocolError, match="this is not the name of a host"):
        Place("lmtp", "a..b:24", "me@example.org").check()
