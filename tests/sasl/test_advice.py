"""Parts of hints, for a program and for the command line."""

from __future__ import annotations

import pytest

from pop3proto.cli.hints import hint_for_the_command_line
from pop3proto.sasl.advice import STLS, TWO_STEPS, instead_of_proof, joined, unbound


def test_what_is_more_is_joined() -> None:
    assert joined("a", "b") == "a; b"
    assert joined("a", "") == "a"


@pytest.mark.parametrize(
    ("offered", "named", "program", "command_line"),
    [
        (["PLAIN", "LOGIN"], None, 'mechanisms=["PLAIN"]', ";AUTH=PLAIN after the user"),
        (["LOGIN"], None, 'mechanisms=["LOGIN"]', ";AUTH=LOGIN after the user"),
        ([], None, 'mechanisms=["USER"]', ";AUTH=+USER after the user"),
        (["PLAIN"], ["CRAM-MD5"], "also offers PLAIN", "also offers PLAIN"),
        (["PLAIN"], ["CRAM-MD5", "PLAIN"], "", ""),
        ([], ["CRAM-MD5"], "", ""),
    ],
)
def test_a_login_without_a_proof(
    offered: list[str], named: list[str] | None, program: str, command_line: str
) -> None:
    hint = instead_of_proof("CRAM-MD5", offered, named)
    assert program in hint
    assert command_line in hint_for_the_command_line(hint)
    assert ("CRAM-MD5" in hint) is (named is None)


def test_the_other_ways_out() -> None:
    hint = unbound("SCRAM-SHA-256")
    assert 'mechanisms=["SCRAM-SHA-256"]' in hint
    assert ";AUTH=SCRAM-SHA-256 after the user" in hint_for_the_command_line(hint)
    assert "security=STLS" in STLS
    assert "--no-initial-response" in hint_for_the_command_line(TWO_STEPS)
