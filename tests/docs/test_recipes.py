"""What docs/recipes.md promises of its programs, wherever they stop."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import ENOSPC
from math import inf
from pathlib import Path
from typing import Any

import pytest

from pop3proto import CommandError, ConnectionLostError
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import ChaosStream, Quirk, memory_stream
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.docs.test_code_blocks import ROOT, running_program

CONTENTS = [b"Subject: %d\r\n\r\nText.\r\n" % number for number in range(3)]


class PowerCut(BaseException):
    """Nothing gets to the disk behind it."""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("recipes")
        with running_program(ROOT / "docs" / "recipes.md", folder, monkeypatch) as program:
            yield vars(program)


class Program:
    """A program that fetches what is new, and deletes it, in one folder, time after time."""

    def __init__(self, recipes: dict[str, Any], folder: Path) -> None:
        self.recipes = recipes
        self.maildrops = MemoryMaildrops({"user": CONTENTS})
        self.folder, self.state = folder / "mail", folder / "stored.json"
        self.folder.mkdir(parents=True)
        self.octets = 0

    def run(self, *quirks: Quirk, reset_after: int | None = None) -> None:
        server = ServerOptions(allow_plaintext_auth=True)
        stream = memory_stream(
            self.maildrops, users={"user": "secret"}, options=server, quirks=quirks
        )
        # In small chunks, so that the connection breaks at every place of the conversation.
        chaos = ChaosStream(stream, chunks=8, reset_after=reset_after)
        options = ClientOptions(allow_plaintext_auth=True)
        try:
            with Client.start(chaos, security=Security.PLAINTEXT, options=options) as client:
                client.login("user", "secret")
                self.recipes["fetch_new"](client, self.folder, self.state)
                self.recipes["delete_stored"](client, self.state)
        finally:
            self.octets = chaos.octets
            # The server notices, too, or the maildrop would stay locked.
            stream.session.close()

    @property
    def files(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in self.folder.glob("*.eml"))

    def check(self) -> None:
        """Each message is in a file, whole, or still on the server; what is known is in a file."""
        assert set(self.files) <= set(CONTENTS)
        assert {*self.files, *self.maildrops.contents("user")} == set(CONTENTS)
        if self.state.exists():
            for unique_id in json.loads(self.state.read_text("ascii")):
                name = self.recipes["file_name"](unique_id)
                assert (self.folder / name).read_bytes() in CONTENTS

    def finish(self) -> None:
        """Run once more, with nothing in its way."""
        self.run()
        assert self.files == CONTENTS
        assert self.maildrops.contents("user") == []


def test_a_connection_may_break_behind_every_octet(recipes: dict[str, Any], tmp_path: Path) -> None:
    whole = Program(recipes, tmp_path / "whole")
    whole.finish()
    for octets in range(0, whole.octets, 8):
        program = Program(recipes, tmp_path / str(octets))
        # Behind the answer to DELE it is quit() that notices, and raises nothing.
        with suppress(ConnectionLostError):
            program.run(reset_after=octets)
        program.check()
        program.finish()


@pytest.mark.parametrize("late", [False, True])
def test_the_power_may_go_at_every_step(
    recipes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    steps, limit = 0, inf

    def mortal(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps < limit:
                return function(*arguments)
            if steps == limit and late:
                function(*arguments)
            raise PowerCut

        return step

    monkeypatch.setattr(os, "fsync", mortal(os.fsync))
    monkeypatch.setattr(Path, "replace", mortal(Path.replace))
    Program(recipes, tmp_path / "whole").finish()
    # A file, its name, and where that is possible its folder, for each message and for the state.
    whole = steps
    assert whole == (3 if os.name == "posix" else 2) * (len(CONTENTS) + 1)
    for cut in range(1, whole + 1):
        program = Program(recipes, tmp_path / str(cut))
        steps, limit = 0, cut
        with pytest.raises(PowerCut):
            program.run()
        program.check()
        assert program.maildrops.contents("user") == CONTENTS
        limit = inf
        program.finish()


@pytest.mark.parametrize("writing", range(1, len(CONTENTS) + 2))
def test_the_disk_may_be_full_for_a_moment(
    recipes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writing: int
) -> None:
    sync, calls = os.fsync, 0

    def fsync(file: int) -> None:
        nonlocal calls
        calls += 1
        # Afterwards there is room again: the state is written, and could be wrong.
        if calls == writing:
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        sync(file)

    monkeypatch.setattr(os, "fsync", fsync)
    program = Program(recipes, tmp_path / "program")
    with pytest.raises(OSError, match=os.strerror(ENOSPC)):
        program.run()
    program.check()
    program.finish()


@pytest.mark.parametrize("quirk", [Quirk.DUPLICATE_UNIQUE_IDS, Quirk.MISSING_UNIQUE_IDS])
def test_what_cannot_be_told_apart_is_not_deleted(
    recipes: dict[str, Any], tmp_path: Path, quirk: Quirk
) -> None:
    program = Program(recipes, tmp_path / "program")
    program.run(quirk)
    assert program.maildrops.contents("user") == CONTENTS
    program.finish()


def test_a_refused_listing_is_not_taken_for_an_empty_maildrop(
    recipes: dict[str, Any], tmp_path: Path
) -> None:
    program = Program(recipes, tmp_path / "program")
    program.state.write_text('{"message-1": "2026-01-01"}')
    with pytest.raises(CommandError):
        program.run(Quirk.NO_UIDL)
    assert program.state.read_text() == '{"message-1": "2026-01-01"}'


def test_a_refused_message_is_fetched_the_next_time(
    recipes: dict[str, Any], tmp_path: Path
) -> None:
    program = Program(recipes, tmp_path / "program")
    program.run(Quirk.REFUSED_MESSAGE)
    assert program.maildrops.contents("user") == CONTENTS[:1]
    program.finish()
