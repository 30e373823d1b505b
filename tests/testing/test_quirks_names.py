"""Quirks by their names: on a command line, in a marker, in a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pop3proto.errors import LocalProtocolError
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import Quirk, Quirks, memory_stream, serve
from pop3proto.testing.quirks import (
    capabilities,
    framing,
    listings,
    logins,
    messages,
    status,
)
from pop3proto.testing.quirks.row import Row
from pop3proto.transports import Security
from tests.testing.quirky import lines_of, stream_with

TAKERS: dict[str, Callable[[Any], Any]] = {
    "memory_stream": lambda quirks: memory_stream(MemoryMaildrops(), users={}, quirks=quirks),
    "serve": lambda quirks: serve(
        MemoryMaildrops(), users={}, security=Security.PLAINTEXT, quirks=quirks
    ),
    "Quirks": Quirks,
}
takers = pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)


@pytest.mark.parametrize("quirk", Quirk)
def test_a_quirk_has_two_names(quirk: Quirk) -> None:
    assert Quirk.named(quirk.name) is quirk
    assert Quirk.named(quirk.name.lower().replace("_", "-")) is quirk


def test_a_quirk_has_the_name_that_it_is_written_down_with() -> None:
    written = [
        (name, row)
        for module in (capabilities, framing, listings, logins, messages, status)
        for name, row in vars(module).items()
        if isinstance(row, Row)
    ]
    assert sorted(name for name, _ in written) == sorted(quirk.name for quirk in Quirk)
    assert dict(written) == {quirk.name: quirk.row for quirk in Quirk}


@pytest.mark.parametrize("name", ["", "no_capa", "NO-CAPA", "No-Capa", "no-capa ", "named", "name"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"no quirk is called .*bare-lf, no-final-newline"):
        Quirk.named(name)


@pytest.mark.parametrize("quirks", [["NO_CAPA"], {"no-capa"}, (Quirk.NO_CAPA, "NO_CAPA")])
def test_names_do_what_the_quirks_do(quirks: Any) -> None:
    session = stream_with(quirks).session
    assert isinstance(session.hooks, Quirks)
    assert session.hooks.quirks == {Quirk.NO_CAPA}
    with serve(MemoryMaildrops(), users={}, security=Security.PLAINTEXT, quirks=quirks) as server:
        assert server.security is Security.PLAINTEXT
    assert lines_of(Quirk.NO_CAPA, b"CAPA\r\n")[1] == b"-ERR not now"


@takers
def test_unknown_names_are_refused(take: Callable[[Any], Any]) -> None:
    with pytest.raises(LocalProtocolError, match="no quirk is called 'no-such-thing'"):
        take({Quirk.NO_CAPA, "no-such-thing"})


@takers
def test_contradictory_names_are_refused(take: Callable[[Any], Any]) -> None:
    with pytest.raises(LocalProtocolError, match="NO_CAPA, NO_CAPABILITIES"):
        take(["no-capa", "no-capabilities"])


@takers
@pytest.mark.parametrize("name", ["NO_CAPA", "no-capa", ""])
def test_one_name_is_not_a_set_of_letters(take: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(LocalProtocolError, match="a set or a list"):
        take(name)
