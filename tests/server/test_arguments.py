import re
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from pop3proto.sasl.server import ServerPlain
from pop3proto.server import (
    MaildirMaildrops,
    MemoryMaildrops,
    Passwords,
    ServerSession,
)
from pop3proto.server.arguments import (
    each_of,
    require,
    require_count,
    require_maildrops,
    require_mechanisms,
    require_seconds,
    require_users,
    require_word,
)


def test_a_type() -> None:
    require("x", True, bool, "True or False")
    require("x", 1, int, "an int")
    for given, kind, told in (
        ("no", bool, "x is True or False, not str"),
        (0, bool, "x is True or False, not int"),
        (True, int, "x is an int, not bool"),
        (True, (int, float), "x is a number, not bool"),
    ):
        with pytest.raises(TypeError, match=f"^{told}$"):
            require("x", given, kind, told.split(",")[0].removeprefix("x is "))


def test_items() -> None:
    assert each_of("x is a list", iter("ab")) == ("a", "b")
    for given in ("ab", b"ab", 5, None):
        wrong: Any = given
        with pytest.raises(TypeError, match=f"^x is a list, not {type(given).__name__}$"):
            each_of("x is a list", wrong)


def test_counts() -> None:
    require_count("x", 1)
    require_count("x", 0, least=0)
    for given, least, told in ((0, 1, "at least 1, not 0"), (-1, 0, "at least 0, not -1")):
        with pytest.raises(ValueError, match=f"^x is {told}$"):
            require_count("x", given, least)
    for other in ("1", 1.0, True, None):
        with pytest.raises(TypeError, match=r"^x is an int, not "):
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
        with pytest.raises(ValueError, match=f"^x is a finite number of seconds, {told}$"):
            require_seconds("x", given, zero=zero)
    for other in ("1", True, None):
        with pytest.raises(TypeError, match=r"^x is a number of seconds, not "):
            require_seconds("x", other, zero=True)


def test_words() -> None:
    for right in ("a", "a b", "x" * 255, "<"):
        require_word("x", right)
    wrong = ("", " ", "x" * 256, "a\r\nb", "ü", "\x7f")
    for given in wrong:
        told = "x has 1 to 255 printable ASCII characters; not " + repr(given[:80])
        with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
            require_word("x", given)
    with pytest.raises(ValueError, match=r"characters, without any of ' <'; not 'a<b'$"):
        require_word("x", "a<b", forbidden=" <")
    with pytest.raises(TypeError, match=r"^x is a str, not bytes$"):
        require_word("x", b"a")


def test_maildrops(tmp_path: Path) -> None:
    require_maildrops(MemoryMaildrops())
    require_maildrops(MaildirMaildrops(tmp_path))
    wrong: list[object] = [tmp_path, str(tmp_path), {"user": []}, None]
    for given in wrong:
        told = f"^maildrops is a provider, such as MemoryMaildrops, not {type(given).__name__}$"
        with pytest.raises(TypeError, match=told):
            require_maildrops(given)


def test_users() -> None:
    require_users({})
    require_users(Passwords({}))
    for given in (None, "user", 5, ["user"]):
        told = f"^users maps users to passwords, or has check\\(\\), unlike {type(given).__name__}$"
        with pytest.raises(TypeError, match=told):
            require_users(given)


class Named:
    name = "X"


class Beginning:
    name = 5

    def begin(self) -> None:
        pass


def test_mechanisms() -> None:
    plain = ServerPlain(Passwords({}))
    assert require_mechanisms(iter([plain])) == (plain,)
    for given in ("PLAIN", None, plain):
        wrong: Any = given
        with pytest.raises(TypeError, match=r"^mechanisms is a list of mechanisms, not "):
            require_mechanisms(wrong)
    for each in ("PLAIN", Named(), Beginning(), ServerPlain):
        told = f"such as ServerPlain, not of {type(each).__name__}$"
        with pytest.raises(TypeError, match=told):
            require_mechanisms([plain, each])


# Each argument of a session


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"maildrops": {"user": []}}, "maildrops is a provider"),
        ({"users": None}, "users maps users to passwords"),
        ({"options": None}, "options is a ServerOptions, not NoneType"),
        ({"limits": 5}, "limits is a Limits, not int"),
        ({"leniency": None}, "leniency is a Leniency, not NoneType"),
        ({"secure": "no"}, "secure is True or False, not str"),
        ({"offer_stls": 1}, "offer_stls is True or False, not int"),
        ({"timestamp": b"<1@example.org>"}, "timestamp is a str, not bytes"),
        ({"mechanisms": "PLAIN"}, "mechanisms is a list of mechanisms, not str"),
        ({"mechanisms": ["PLAIN"]}, "mechanisms is a list of mechanisms, such as ServerPlain"),
        ({"hooks": 0}, "hooks is a Hooks, not int"),
    ],
)
def test_an_argument_of_a_session(how: dict[str, Any], told: str) -> None:
    arguments: dict[str, Any] = {"maildrops": MemoryMaildrops(), "users": {}, **how}
    with pytest.raises(TypeError, match=f"^{told}"):
        ServerSession(**arguments)


@pytest.mark.parametrize("data", [5, "NOOP\r\n", [1], None])
def test_what_arrives_is_octets(data: Any) -> None:
    # Of a number, bytes() would make as many zeros.
    with pytest.raises(TypeError):
        ServerSession(MemoryMaildrops(), {}).receive_data(data)
