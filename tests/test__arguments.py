"""What the caller is told about a wrong argument."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from pop3proto._arguments import (
    as_bytes,
    listed,
    require,
    require_address,
    require_count,
    require_host,
    require_path,
    require_seconds,
)
from pop3proto.errors import LocalProtocolError


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


def test_a_type() -> None:
    require("x", True, bool, "True or False")
    require("x", 1, int, "an int")
    for given, kind, told in (
        ("no", bool, "x is True or False, not str"),
        (0, bool, "x is True or False, not int"),
        (True, int, "x is an int, not bool"),
        (True, (int, float), "x is a number, not bool"),
    ):
        with pytest.raises(LocalProtocolError, match=f"^{told}$"):
            require("x", given, kind, told.split(",")[0].removeprefix("x is "))


def test_counts() -> None:
    require_count("x", 1)
    require_count("x", 0, least=0)
    for given, least, told in ((0, 1, "at least 1, not 0"), (-1, 0, "at least 0, not -1")):
        with pytest.raises(LocalProtocolError, match=f"^x is {told}$"):
            require_count("x", given, least)
    for other in ("1", 1.0, True, None):
        with pytest.raises(LocalProtocolError, match=r"^x is an int, not "):
            require_count("x", other)


def test_seconds() -> None:
    require_seconds("x", 0, zero=True)
    require_seconds("x", 0.5, zero=False)
    for given, zero, told in (
        (-1, True, "0 or more, not -1"),
        (0, False, "more than 0, not 0"),
        (inf, True, "0 or more, not inf"),
        (nan, True, "0 or more, not nan"),
    ):
        with pytest.raises(LocalProtocolError, match=f"^x is a finite number of seconds, {told}$"):
            require_seconds("x", given, zero=zero)
    for other in ("1", True, None):
        with pytest.raises(LocalProtocolError, match=r"^x is a number of seconds, not "):
            require_seconds("x", other, zero=True)


def test_seconds_are_few_enough_to_wait_for() -> None:
    require_seconds("x", 2_000_000, zero=False)
    require_seconds("x", 10**9, zero=False, most=inf)
    with pytest.raises(LocalProtocolError, match=r"^x is at most 2000000 seconds, not 2000001$"):
        require_seconds("x", 2_000_001, zero=False)


def test_a_number_of_thousands_of_digits_is_not_shown() -> None:
    with pytest.raises(LocalProtocolError, match=r"^x is at most .*, not a larger number$"):
        require_seconds("x", 10**5000, zero=False)
    with pytest.raises(LocalProtocolError, match=r"^x is at least 1, not a larger number$"):
        require_count("x", -(10**5000))


def test_paths() -> None:
    for right in ("x", Path("x"), "\udcff"):
        require_path("x", right)
    for wrong in ("x\0y", Path("x\0y"), "\ud800"):
        with pytest.raises(LocalProtocolError, match=r"^x: no file can have this path$"):
            require_path("x", wrong)
    for other in (5, None, b"x"):
        with pytest.raises(LocalProtocolError, match=r"^x is a path, not "):
            require_path("x", other)


def test_addresses() -> None:
    require_address("x", ("::1", 0))
    for wrong, told in (
        (["::1", 0], "x is a tuple of an address and a port, not list"),
        (("::1",), "x is an address and a port, not 1 items"),
        ((b"::1", 0), "the address of x is a str, not bytes"),
        (("::1", "0"), "the port of x is an int, not str"),
    ):
        with pytest.raises(LocalProtocolError, match=f"^{told}$"):
            require_address("x", wrong)


def test_octets() -> None:
    for given in (b"ab", bytearray(b"ab"), memoryview(b"ab")):
        assert as_bytes("x", given) == b"ab"
        assert type(as_bytes("x", given)) is bytes
    # Of a number, bytes() would make as many zeros.
    for wrong in (5, "ab", [1], None):
        told = f"^x is bytes, a bytearray or a memoryview, not {type(wrong).__name__}$"
        with pytest.raises(LocalProtocolError, match=told) as caught:
            as_bytes("x", wrong)
        assert caught.value.__context__ is None


def test_hosts() -> None:
    for host in (
        "pop.example.org",
        "localhost.",
        "::1",
        "fe80::1%eth0",
        "xn--bcher-kva.example",
        "",
    ):
        require_host("x", host)
    for host in ("a..b", ".b", "y" * 64, "\udce9"):
        with pytest.raises(LocalProtocolError, match=r"^x: this is not the name of a host$"):
            require_host("x", host)
