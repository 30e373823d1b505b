"""The fuzz kit: what it finds, what it takes, and how it is run."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthResponse,
    ClientConnection,
    LocalProtocolError,
    MessageData,
    Retr,
    ServerConnection,
    State,
    Stls,
    Uidl,
)
from pop3proto.testing.fuzz import DifferenceError, check_input, fuzz
from pop3proto.testing.fuzz.__main__ import main
from pop3proto.testing.fuzz.inputs import COMMANDS, ClientInput, ServerInput
from pop3proto.testing.fuzz.seeds import seed_of, seeds
from pop3proto.testing.fuzz.talking import FURTHER, REFUSE
from pop3proto.transcript import Recorder, TlsEstablished, Transcript


class ByChunks(ClientConnection):
    """Loses a full stop that is alone in its chunk."""

    def receive_data(self, data: Any) -> None:
        super().receive_data(data if data != b"." else b",")


class Everywhere(ClientConnection):
    """Hands out a text with a change, however it is cut: only a reference can tell."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, MessageData):
            return MessageData(event.data.replace(b"..", b". "))
        return event


class Crashing(ServerConnection):
    def next_event(self) -> Any:
        if isinstance(event := super().next_event(), Stls):
            raise ZeroDivisionError
        return event


class Deaf(ServerConnection):
    """Takes one command for another one."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, Uidl):
            self._awaiting = event = Uidl(event.message and 7)
        return event


@pytest.mark.parametrize("engine", [ByChunks, Everywhere])
def test_a_planted_fault_of_a_client(engine: Any) -> None:
    finding = fuzz("client", engine=engine, runs=2000).finding
    assert finding is not None
    assert isinstance(finding.error, DifferenceError)
    with pytest.raises(DifferenceError):
        check_input("client", finding.data, engine)
    check_input("client", finding.data)
    # It is as short as can be: a command, an answer, a text.
    assert len(finding.data) < 40


@pytest.mark.parametrize(("engine", "error"), [(Crashing, ZeroDivisionError), (Deaf, Exception)])
def test_a_planted_fault_of_a_server(engine: Any, error: type[Exception]) -> None:
    finding = fuzz("server", engine=engine, runs=2000).finding
    assert finding is not None
    assert isinstance(finding.error, error)
    with pytest.raises(error):
        check_input("server", finding.data, engine)
    check_input("server", finding.data)
    assert len(finding.data) < 40


@pytest.mark.parametrize("role", ["client", "server"])
def test_nothing_is_found_in_the_engines(role: Any) -> None:
    runs = len(seeds(role)) + 300
    result = fuzz(role, runs=runs)
    assert (result.runs, result.finding) == (runs, None)
    assert fuzz(role, seconds=0.001).runs < runs


def test_a_seed_makes_the_same_inputs() -> None:
    def made(seed: int) -> list[bytes]:
        heard: list[bytes] = []

        class Listening(ServerConnection):
            def receive_data(self, data: Any) -> None:
                heard.append(bytes(data))
                super().receive_data(data)

        fuzz("server", runs=len(seeds("server")) + 20, seed=seed, engine=Listening)
        return heard

    assert made(1) == made(1)
    assert made(1) != made(2)


def recorded() -> Transcript:
    recorder = Recorder()
    for sent, received in [
        (b"", b"+OK ready\r\n"),
        (b"STLS\r\n", b"+OK\r\n"),
        (b"AUTH X-OWN\r\n", b"+ PDE+\r\n"),
        (b"eA==\r\n", b"+OK\r\n"),
        (b"RETR 17\r\n", b"+OK\r\n" + b"from \xfe the server\r\n" * 500 + b".\r\n"),
        (b"DELE 17\r\n", b"-ERR no\r\n"),
        (b"X Y\r\nQUIT\r\n", b"-ERR\r\n+OK\r\n"),
    ]:
        if sent:
            recorder.sent(sent)
        recorder.received(received)
        if sent == b"STLS\r\n":
            recorder.tls_established()
    recorder.closed()
    return recorder.transcript


def test_a_transcript_of_the_users_for_a_client() -> None:
    given = ClientInput.from_bytes(seed_of(recorded(), "client"))
    assert given.state is State.GREETING
    commands = [step for step in given.steps if not isinstance(step, bytes)]
    assert [type(step).__name__ for step in commands] == [
        *("Stls", "TlsEstablished", "Auth", "AuthResponse"),
        *("Retr", "Dele", "Extension", "Quit"),
    ]
    assert commands[4] == Retr(17)
    said = [step for step in given.steps if isinstance(step, bytes)]
    assert said[0] == b"+OK ready\r\n"
    # Shortened, and no octet of it begins a command.
    assert 1000 < len(said[4]) < 3000
    assert said[4].startswith(b"+OK\r\nfrom \xff the server\r\n")
    assert said[4].endswith(b"server\r\n.\r\n")


def test_a_transcript_of_the_users_for_a_server() -> None:
    given = ServerInput.from_bytes(seed_of(recorded(), "server"))
    assert given.steps[0] == b"STLS\r\n"
    assert given.steps[1] == TlsEstablished()
    assert isinstance(given.steps[2], bytes)
    assert given.steps[2].startswith(b"AUTH X-OWN\r\n")
    assert given.steps[2].endswith(b"QUIT\r\n")
    assert given.choices[:6] == [FURTHER, FURTHER, 0, 0, REFUSE, REFUSE]


@pytest.mark.parametrize("role", ["client", "server"])
def test_transcripts_are_fuzzed_before_the_seeds(role: Any) -> None:
    under_tls = Transcript([TlsEstablished(), *recorded()])
    assert fuzz(role, [recorded(), under_tls, Transcript()], runs=200).finding is None


def test_a_fault_that_only_a_transcript_of_the_users_shows() -> None:
    class Wrong(ClientConnection):
        def send(self, command: Any) -> bytes:
            assert command != Retr(17)
            return super().send(command)

    assert fuzz("client", engine=Wrong, runs=200).finding is None
    finding = fuzz("client", [recorded()], engine=Wrong, runs=1).finding
    assert finding is not None
    assert b"RETR 17" in finding.data
    assert len(finding.data) < 60


@pytest.mark.parametrize("kind", [ClientInput, ServerInput])
def test_any_octets_are_an_input(kind: Any) -> None:
    for data in (b"", b"\xfe", b"\xff" * 20, bytes(range(256)) * 2):
        kind.from_bytes(data).engine()
    for data in (*seeds("client"), *seeds("server")):
        given = kind.from_bytes(data)
        assert kind.from_bytes(given.to_bytes()).to_bytes() == given.to_bytes()


def test_every_command_is_written_and_read() -> None:
    own = [Retr(3), Auth("X", b"y"), AuthResponse(b"mine"), AuthResponse(b"")]
    given = ClientInput(steps=[*COMMANDS, *own])
    assert list(ClientInput.from_bytes(given.to_bytes()).steps) == [*COMMANDS, *own]


WRONG: dict[str, dict[str, Any]] = {
    "role": {"role": "peer"},
    "transcripts": {"transcripts": [b""]},
    "runs": {"runs": 0},
    "seconds": {"seconds": -1.0},
    "seed": {"seed": "1"},
    "engine": {"engine": 1},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=name):
        fuzz(**{"role": "client", **WRONG[name]})


def test_a_wrong_input() -> None:
    with pytest.raises(LocalProtocolError, match="data"):
        check_input("client", "text")  # type: ignore[arg-type]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "session.txt"
    file.write_text(recorded().dumps(), "utf-8")
    assert main(["server", str(file), "--runs", "50", "--seed", "3"]) == 0
    assert capsys.readouterr().out == "50 inputs tried, nothing found\n"


def test_the_command_finds_saves_and_repeats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text(
        "from pop3proto import ServerConnection, Stls\n\n\n"
        "class Crashing(ServerConnection):\n"
        "    def next_event(self):\n"
        "        if isinstance(event := super().next_event(), Stls):\n"
        "            raise ZeroDivisionError\n"
        "        return event\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    engine = ["--engine", "planted:Crashing"]
    assert main(["server", *engine, "--runs", "500", "--save", "found"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    again = said.rpartition("python -m pop3proto.testing.fuzz ")[2].split()
    assert again == ["server", *engine, "--input", "found"]
    with pytest.raises(ZeroDivisionError):
        main(again)
    assert main(["server", "--input", "found"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["client", "--engine", "nowhere"], "MODULE:NAME"),
        (["client", "--engine", "pop3proto:Nothing"], "Nothing"),
        (["client", "--engine", "no_such_module:X"], "no_such_module"),
        (["client", "--atheris", "--runs", "3"], "cannot be combined"),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(arguments)


def test_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("no transcript", "utf-8")
    assert main(["client", str(tmp_path / "x")]) == 2
    assert main(["client", str(tmp_path / "none")]) == 2
    assert main(["client", "--runs", "0"]) == 2
    assert capsys.readouterr().err.count("error: ") == 3


def test_without_atheris_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pop3proto.testing.fuzz.__main__.find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="pip install atheris"):
        main(["client", "--atheris"])


# Only where the tools of developers are installed, as for the slow tests of CI.
@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="Atheris is not installed")
def test_with_atheris(tmp_path: Path) -> None:
    file = tmp_path / "session.txt"
    file.write_text(recorded().dumps(), "utf-8")
    command = [sys.executable, "-m", "pop3proto.testing.fuzz", "client", str(file), "--atheris"]
    found = tmp_path / "found"
    done = subprocess.run(
        [*command, "--seconds", "5", "--corpus", str(found)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert any(found.iterdir())
