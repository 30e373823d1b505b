"""Hints on the command line name its options, and nothing that only Python has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pop3proto
from pop3proto import errors
from pop3proto.cli.hints import _REPLACED, hint_for_the_command_line
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.client import advice, tls_advice
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import Quirk, Turn, serve, serve_script
from pop3proto.transcript import Entry

PACKAGE = Path(pop3proto.__file__).parent
# Nothing on the command line leads there.
ELSEWHERE = ("compat", "server", "testing", "cli")
PYTHONS = re.compile(
    r"\w+=|\(\)|ClientOptions|SSLContext|Timeouts|server_hostname|security=|initial_response"
)
# Of these, the first is about mechanisms and commands that the caller has written, the others about
# arguments that the command line does not pass.
FOR_PROGRAMS = {
    "; a mechanism that does not show its secret has shows_secret = False",
    "send Auth(mechanism) and answer its challenge",
    "give server_hostname, or a context that does not check it",
}


def texts(node: ast.AST) -> Iterator[str]:
    """The texts in an expression; of those with fields, the fixed parts."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def hints_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="hint", value=given):
                yield from texts(given)
            case ast.Assign(targets=[ast.Name("hint") | ast.Attribute(attr="hint")], value=given):
                yield from texts(given)
            case ast.AnnAssign(target=ast.Name("hint"), value=ast.expr() as given):
                yield from texts(given)
            case ast.AugAssign(target=ast.Name("hint") | ast.Attribute(attr="hint"), value=given):
                yield from texts(given)
            case _:
                pass


def all_hints() -> set[str]:
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in ELSEWHERE:
            tree = ast.parse(path.read_text("utf-8"))
            found.update(hints_in(tree))
            if path.stem.endswith("advice"):
                documented = {
                    ast.get_docstring(n, clean=False)
                    for n in ast.walk(tree)
                    if isinstance(n, ast.Module | ast.FunctionDef)
                }
                found.update(set(texts(tree)) - {text for text in documented if text})
    return found - {""}


HINTS = sorted(all_hints())


def test_the_hints_are_found() -> None:
    assert errors.ConnectError.hint in HINTS
    assert errors.PlaintextAuthError.hint in HINTS
    assert advice.PORTS in HINTS
    assert {*tls_advice._REASONS.values()} & {*HINTS}
    assert len(HINTS) > 40


@pytest.mark.parametrize("hint", [hint for hint in HINTS if hint not in FOR_PROGRAMS])
def test_a_hint_names_nothing_that_only_python_has(hint: str) -> None:
    told = hint_for_the_command_line(hint)
    # A URL may have ";AUTH=", which is the command line's own.
    assert not PYTHONS.search(told.replace(";AUTH=", "")), told


def test_what_is_left_out_leaves_a_sentence() -> None:
    # Some are added to the end of another.
    whole = [hint for hint in HINTS if hint not in FOR_PROGRAMS and not hint.startswith(";")]
    told = {hint_for_the_command_line(hint) for hint in whole}
    assert not [hint for hint in told if re.search(r"[,;:] ?$|^[,;:]|  |, ;(?!AUTH)| ,", hint)]


OPTIONS = sorted({*re.findall(r"--[a-z-]+", str([*_REPLACED.values()]))})


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_a_hint_names_exists(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["fetch", "--help"])
    assert option in capsys.readouterr().out


USERS = {"user": "secret"}
PLAIN = ["--no-tls", "--allow-plaintext-auth"]


def fetched(folder: Path, quirk: Quirk, *arguments: str) -> int:
    maildrops = MemoryMaildrops({"user": [b"%d\r\n" % n * 9 for n in range(5)]})
    options = ServerOptions(allow_plaintext_auth=True)
    with serve(
        maildrops, users=USERS, security="plaintext", options=options, quirks=[quirk]
    ) as server:
        url = f"pop://user@{server.host}:{server.port}"
        return main(["fetch", url, str(folder / "mail"), *PLAIN, *arguments])


@pytest.mark.parametrize(
    ("quirk", "option"),
    [
        (Quirk.CLOSES_ON_PIPELINING, "--no-pipelining"),
        (Quirk.PIPELINED_MIXED, "--no-pipelining"),
        (Quirk.CLOSES_ON_CAPA, "--no-capa"),
    ],
)
def test_the_option_that_is_named_is_the_way_out(
    quirk: Quirk,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    # A mixed answer may have no end.
    assert fetched(tmp_path / "one", quirk, "--timeout", "0.5") == 75
    assert option in capsys.readouterr().err
    assert fetched(tmp_path / "other", quirk, option) == 0
    assert len([*(tmp_path / "other" / "mail").glob("*.eml")]) == 5


def test_a_server_that_says_nothing_may_expect_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    with serve({"user": []}, users=USERS, security="tls") as server:
        url = f"pop://user@{server.host}:{server.port}"
        assert main(["fetch", url, str(tmp_path), "--timeout", "0.2"]) == 75
    error = capsys.readouterr().err
    assert "DeadlineError" in error
    assert "a pops:// URL is usual on port 995" in error


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ([], None),
        (["--initial-response"], [rb"AUTH PLAIN <redacted>"]),
        (["--no-initial-response"], [rb"AUTH PLAIN", rb"<redacted>"]),
    ],
)
def test_one_step_or_two(
    arguments: list[str],
    sent: list[bytes] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    exchange: list[Turn | Entry] = [(b"AUTH PLAIN <redacted>", b"+OK\r\n")]
    if sent is not None and len(sent) == 2:
        exchange = [(b"AUTH PLAIN", b"+ \r\n"), (b"<redacted>", b"+OK\r\n")]
    script: list[Turn | Entry] = [
        *exchange,
        (b"STAT", b"+OK 0 0\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ]
    with serve_script(script) as server:
        url = f"pop://user;AUTH=PLAIN@{server.host}:{server.port}"
        arguments = [*PLAIN, "--no-capa", *arguments]
        assert main(["fetch", url, str(tmp_path), *arguments]) == 0


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "nan"])
def test_a_timeout_is_a_time(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fetch", "pops://user@pop.example.org", "mail", "--timeout", seconds])
    assert caught.value.code == 2
    assert "a number of seconds" in capsys.readouterr().err


def test_a_replayed_session_is_not_connected_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = tmp_path / "session.txt"
    session.write_text("pop3proto transcript 1\nS: hello\\r\\n\n")
    assert main(["replay", str(session)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("RemoteProtocolError: ")
    assert "Hint" not in error
