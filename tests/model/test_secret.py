"""Secrets, which show nowhere."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from pop3proto import LocalProtocolError, Pass, Secret
from tests.tracebacks import shown

TEXT = "pa55word"


@pytest.mark.parametrize("given", [TEXT, TEXT.encode()])
def test_it_comes_out_as_it_was_given(given: str | bytes) -> None:
    secret = Secret(given)
    assert secret.reveal() == given
    assert secret.octets() == TEXT.encode()
    assert Secret(secret) == secret
    assert secret.kind is type(given)


def test_it_shows_nowhere() -> None:
    assert repr(Secret(TEXT)) == str(Secret(TEXT)) == f"{Secret(TEXT)}" == "<secret>"


def test_it_is_compared_by_what_it_holds() -> None:
    assert Secret(TEXT) == Secret(TEXT) != Secret(TEXT.encode())
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT), Secret("")}) == 2
    assert Secret(TEXT)
    assert not Secret("")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_pickled_and_copied(protocol: int) -> None:
    for given in (TEXT, TEXT.encode()):
        secret = Secret(given)
        assert pickle.loads(pickle.dumps(secret, protocol)) == secret
        assert copy.copy(secret) == copy.deepcopy(secret) == secret
    command = Pass(TEXT)
    assert pickle.loads(pickle.dumps(command, protocol)) == command


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (f"{TEXT}\ud800", "lone surrogate"),
        ([TEXT], "str or bytes, not list"),
        (bytearray(TEXT.encode()), "str or bytes, not bytearray"),
        (None, "str or bytes, not NoneType"),
    ],
)
def test_what_it_cannot_give_does_not_show_either(given: Any, problem: str) -> None:
    secret = Secret(given)
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        secret.octets()
    assert TEXT not in shown(caught.value)


def test_hashes_tell_secrets_apart() -> None:
    assert len({hash(Secret(text)) for text in ("one", "two", "three")}) == 3
