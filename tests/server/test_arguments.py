import re
from pathlib import Path
from typing import Any

import pytest

from pop3proto.errors import LocalProtocolError
from pop3proto.sasl.server import ServerPlain
from pop3proto.server import (
    MaildirMaildrops,
    MemoryMaildrops,
    Passwords,
    ServerSession,
)
from pop3proto.server.arguments import (
    require_maildrops,
    require_mechanisms,
    require_users,
    require_word,
)


def test_words() -> None:
    for right in ("a", "a b", "x" * 255, "<"):
        require_word("x", right)
    wrong = ("", " ", "x" * 256, "a\r\nb", "ü", "\x7f")
    for given in wrong:
        told = "x has 1 to 255 printable ASCII characters; not " + repr(given[:80])
        with pytest.raises(LocalProtocolError, match=f"^{re.escape(told)}$"):
            require_word("x", given)
    with pytest.raises(LocalProtocolError, match=r"characters, without any of ' <'; not 'a<b'$"):
        require_word("x", "a<b", forbidden=" <")
    with pytest.raises(LocalProtocolError, match=r"^x is a str, not bytes$"):
        require_word("x", b"a")


def test_maildrops(tmp_path: Path) -> None:
    require_maildrops(MemoryMaildrops())
    require_maildrops(MaildirMaildrops(tmp_path))
    wrong: list[object] = [tmp_path, str(tmp_path), {"user": []}, None]
    for given in wrong:
        told = f"^maildrops is a provider, such as MemoryMaildrops, not {type(given).__name__}$"
        with pytest.raises(LocalProtocolError, match=told):
            require_maildrops(given)


def test_users() -> None:
    require_users({})
    require_users(Passwords({}))
    for given in (None, "user", 5, ["user"]):
        told = f"^users maps users to passwords, or has check\\(\\), unlike {type(given).__name__}$"
        with pytest.raises(LocalProtocolError, match=told):
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
        with pytest.raises(
            LocalProtocolError, match=r"^mechanisms is a list of mechanisms, not a single "
        ):
            require_mechanisms(wrong)
    for each in ("PLAIN", Named(), Beginning(), ServerPlain):
        told = f"such as ServerPlain, not of {type(each).__name__}$"
        some: Any = [plain, each]
        with pytest.raises(LocalProtocolError, match=told):
            require_mechanisms(some)


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
        ({"mechanisms": "PLAIN"}, "mechanisms is a list of mechanisms, not a single str"),
        ({"mechanisms": ["PLAIN"]}, "mechanisms is a list of mechanisms, such as ServerPlain"),
        ({"hooks": 0}, "hooks is a Hooks, not int"),
    ],
)
def test_an_argument_of_a_session(how: dict[str, Any], told: str) -> None:
    arguments: dict[str, Any] = {"maildrops": MemoryMaildrops(), "users": {}, **how}
    with pytest.raises(LocalProtocolError, match=f"^{told}"):
        ServerSession(**arguments)


@pytest.mark.parametrize("data", [5, "NOOP\r\n", [1], None])
def test_what_arrives_is_octets(data: Any) -> None:
    # Of a number, bytes() would make as many zeros.
    with pytest.raises(
        LocalProtocolError, match=r"^data is bytes, a bytearray or a memoryview, not "
    ):
        ServerSession(MemoryMaildrops(), {}).receive_data(data)
