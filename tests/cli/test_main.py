"""``pop3proto`` itself: options, exit codes, and what it loads."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pytest

import pop3proto
from pop3proto.cli.main import main


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("--port", "65536", "a port from 0 to 65,535"),
        ("--port", "x", "a port from 0 to 65,535"),
        ("--latency", "x", "a number of seconds from 0"),
        ("--latency", "-1", "a number of seconds from 0"),
        ("--latency", "nan", "a number of seconds from 0"),
        ("--quirk", "no-such", "no-such"),
    ],
)
def test_values_of_serve(
    option: str, value: str, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "mail", option, value])
    assert caught.value.code == 2
    assert wanted in capsys.readouterr().err


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "usage: pop3proto" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "shown"), [("--version", "pop3proto "), ("--help", "replay")])
def test_options(option: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([option])
    assert not caught.value.code
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(("what", "extra"), [("rich", "cli"), ("trustme", "demo")])
def test_without_a_package(
    what: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [*sys.modules]:
        if name.partition(".")[0] == what:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, what, None)
    if what == "trustme":
        monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(ModuleNotFoundError(name=what)))
    assert main(["replay", "session.txt"] if what == "rich" else ["demo"]) == 2
    assert f'pip install "pop3proto[{extra}]"' in capsys.readouterr().err


def test_without_any_package_the_demonstration_needs_more_than_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [*sys.modules]:
        if name.partition(".")[0] == "rich" or name.startswith("pop3proto.cli."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    for command, extra in (["demo"], "demo"), (["serve", "demo"], "cli"):
        assert main(command) == 2
        assert f'pip install "pop3proto[{extra}]"' in capsys.readouterr().err


def demo(result: BaseException | int) -> ModuleType:
    module = ModuleType("pop3proto.cli.demo")

    def run(console: object, arguments: Namespace) -> int:
        if isinstance(result, BaseException):
            raise result
        assert arguments.folder == Path("folder")
        return result

    vars(module)["run"] = run
    return module


def test_the_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(1))
    assert main(["demo", "--folder", "folder"]) == 1


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(KeyboardInterrupt()))
    assert main(["demo"]) == 130


def test_a_package_of_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(ModuleNotFoundError(name="other")))
    with pytest.raises(ModuleNotFoundError):
        main(["demo"])


def test_as_a_module() -> None:
    # In a process: no module runs as a program below pytest's import hook for plugins.
    command = [sys.executable, "-m", "pop3proto", "--version"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode("ascii").split() == ["pop3proto", pop3proto.__version__]
    assert done.stderr == b""


FETCH = ("access", "common", "fetch", "values")
SERVE = ("common", "serve", "values")
LOADED = """
import sys
import pop3proto
before = set(sys.modules)
from pop3proto.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    print("|", *sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["fetch", "--help"], {"options", *(f"options.{x}" for x in FETCH)}),
        (
            ["serve", "--port", "x"],
            {"options", *(f"options.{x}" for x in SERVE)},
        ),
    ],
)
def test_what_is_not_used_is_not_loaded(arguments: list[str], own: set[str]) -> None:
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    loaded = set(done.stdout.decode().rpartition("|")[2].split())
    ours = {name for name in loaded if name.startswith("pop3proto.")}
    assert ours == {"pop3proto.cli"} | {f"pop3proto.cli.{name}" for name in {"main"} | own}
    assert loaded & {"rich", "trio", "anyio", "asyncio", "ssl", "socket", "email", "json"} == set()
