"""What an argument of another type is told."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto.errors import LocalProtocolError
from pop3proto.sasl.arguments import listed, require


def test_what_is_right_is_taken() -> None:
    require("port", 5, int, "an int")
    require("seconds", 0.5, (int, float), "a number")
    require("bodies", True, bool, "True or False")
    assert listed("names are a list", iter(["a", "b"]), str) == ["a", "b"]


@pytest.mark.parametrize("wrong", ["5", 5.0, None, True])
def test_what_is_wrong_is_named_and_not_shown(wrong: object) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        require("port", wrong, int, "an int")
    assert str(caught.value) == f"port is an int, not {type(wrong).__name__}"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("ab", "names are a list, not a single str"),
        (b"ab", "names are a list, not a single bytes"),
        (5, "names are a list, not a single int"),
        (["a", 5], "names are a list, and int is not one"),
    ],
)
def test_what_is_no_list_of_them(wrong: Any, told: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        listed("names are a list", wrong, str)
    assert str(caught.value) == told
