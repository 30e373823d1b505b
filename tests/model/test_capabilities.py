import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from pop3proto import Capabilities
from pop3proto.model import Capability, Expire, LoginDelay

# RFC 2449 section 5 has these lines in its example.
EXAMPLE = Capabilities.of(
    "TOP",
    "USER",
    "SASL CRAM-MD5 KERBEROS_V4",
    "RESP-CODES",
    "LOGIN-DELAY 900",
    "PIPELINING",
    "EXPIRE 60",
    "UIDL",
    "IMPLEMENTATION Shlemazle-Plotz-v302",
)
SWITCHES = {
    "pipelining": "PIPELINING",
    "stls": "STLS",
    "top": "TOP",
    "uidl": "UIDL",
    "user": "USER",
    "resp_codes": "RESP-CODES",
    "auth_resp_code": "AUTH-RESP-CODE",
    "utf8": "UTF8",
    "utf8_user": "UTF8 USER",
    "lang": "LANG",
}


def test_the_example_of_the_rfc() -> None:
    assert EXAMPLE.top
    assert EXAMPLE.user
    assert EXAMPLE.resp_codes
    assert EXAMPLE.pipelining
    assert EXAMPLE.uidl
    assert not EXAMPLE.stls
    assert EXAMPLE.sasl == ("CRAM-MD5", "KERBEROS_V4")
    assert EXAMPLE.login_delay == LoginDelay(900)
    assert EXAMPLE.expire == Expire(60)
    assert EXAMPLE.implementation == "Shlemazle-Plotz-v302"


@pytest.mark.parametrize(("name", "line"), SWITCHES.items())
def test_each_switch_belongs_to_one_line(name: str, line: str) -> None:
    for spelling in (line, line.lower(), line.title(), f"{line} and more"):
        assert getattr(Capabilities.of("X-OTHER", spelling), name) is True
    others = [other for other in SWITCHES.values() if other.split()[0] != line.split(maxsplit=1)[0]]
    assert getattr(Capabilities.of(*others, f"X{line}"), name) is False
    assert getattr(Capabilities(), name) is False


@pytest.mark.parametrize(
    ("line", "expire"),
    [
        ("EXPIRE 31 USER", Expire(31, per_user=True)),
        ("expire 31 user", Expire(31, per_user=True)),
        ("EXPIRE 60", Expire(60)),
        ("EXPIRE 0", Expire(0)),
        ("EXPIRE NEVER", Expire(None)),
        ("EXPIRE never", Expire(None)),
        ("EXPIRE NEVER USER", Expire(None, per_user=True)),
        ("EXPIRE 31 SOMETHING", Expire(31)),
        ("EXPIRE 9999999999", Expire(9_999_999_999)),
        ("EXPIRE", None),
        ("EXPIRE ", None),
        ("EXPIRE USER", None),
        ("EXPIRE -1", None),
        ("EXPIRE +1", None),
        ("EXPIRE 1_0", None),
        ("EXPIRE 3.5", None),
        ("EXPIRE ٣", None),
        ("EXPIRE 10000000000", None),
        ("EXPIRE " + "9" * 5_000, None),
        ("EXPIRENEVER", None),
    ],
)
def test_expire(line: str, expire: Expire | None) -> None:
    assert Capabilities.of(line).expire == expire


@pytest.mark.parametrize(
    ("line", "delay"),
    [
        ("LOGIN-DELAY 300 USER", LoginDelay(300, per_user=True)),
        ("login-delay 300 user", LoginDelay(300, per_user=True)),
        ("LOGIN-DELAY 0", LoginDelay(0)),
        ("LOGIN-DELAY 900 SOMETHING", LoginDelay(900)),
        ("LOGIN-DELAY", None),
        ("LOGIN-DELAY NEVER", None),
        ("LOGIN-DELAY -5", None),
        ("LOGIN-DELAY 5s", None),
        ("LOGIN-DELAY \uff15", None),
        ("LOGIN-DELAY " + "1" * 5_000, None),
    ],
)
def test_login_delay(line: str, delay: LoginDelay | None) -> None:
    assert Capabilities.of(line).login_delay == delay


def test_utf8_without_user_is_not_for_names() -> None:
    assert not Capabilities.of("UTF8").utf8_user
    assert not Capabilities.of("UTF8", "USER").utf8_user


def test_what_is_absent_is_none_or_empty() -> None:
    nothing = Capabilities()
    assert nothing.expire is None
    assert nothing.login_delay is None
    assert nothing.implementation is None
    assert nothing.sasl == ()
    assert nothing.arguments("SASL") is None


def test_repeated_sasl_lines_are_merged_in_order() -> None:
    capabilities = Capabilities.of("SASL PLAIN", "UIDL", "sasl login plain", "SASL", "SASL XOAUTH2")
    assert capabilities.sasl == ("PLAIN", "LOGIN", "XOAUTH2")
    assert capabilities.arguments("sasl") == ("PLAIN", "login", "plain", "XOAUTH2")
    assert [line.arguments for line in capabilities["SASL"]] == [
        ("PLAIN",),
        ("login", "plain"),
        (),
        ("XOAUTH2",),
    ]


@pytest.mark.parametrize(
    ("line", "implementation"),
    [
        ("IMPLEMENTATION Example POP3 server v1", "Example POP3 server v1"),
        ("implementation  Ünïcode ", "Ünïcode"),
        ("IMPLEMENTATION", ""),
    ],
)
def test_implementation(line: str, implementation: str) -> None:
    assert Capabilities.of(line).implementation == implementation


def test_unknown_names_are_kept() -> None:
    capabilities = Capabilities.of("XOIP", "PIPELINE", "x-Name One tWo")
    assert capabilities["X-NAME"] == (Capability("x-Name", ("One", "tWo")),)
    assert "xoip" in capabilities
    assert not capabilities.pipelining


def test_lines_are_kept_as_they_came() -> None:
    lines = ("TOP  ", "", "  UIDL", "caf\udce9 \u6f22", " ", "TOP")
    capabilities = Capabilities(lines)
    assert capabilities.lines == lines
    assert capabilities.uidl
    assert capabilities[""] == (Capability(""), Capability(""))
    assert capabilities["CAF\udce9"] == (Capability("caf\udce9", ("\u6f22",)),)
    assert capabilities["TOP"] == (Capability("TOP"), Capability("TOP"))


def test_it_is_a_mapping() -> None:
    capabilities = Capabilities.of("Top", "sasl PLAIN", "UIDL", "SASL LOGIN")
    assert isinstance(capabilities, Mapping)
    assert list(capabilities) == ["TOP", "SASL", "UIDL"]
    assert len(capabilities) == 3
    assert dict(capabilities) == {
        "TOP": (Capability("Top"),),
        "SASL": (Capability("sasl", ("PLAIN",)), Capability("SASL", ("LOGIN",))),
        "UIDL": (Capability("UIDL"),),
    }
    assert "tOp" in capabilities
    assert "STLS" not in capabilities
    assert capabilities.get("STLS") is None
    with pytest.raises(KeyError, match="stls"):
        capabilities["stls"]


@pytest.mark.parametrize("name", [5, None, b"TOP", ("TOP",)])
def test_what_is_no_name_is_not_in_it(name: Any) -> None:
    assert name not in EXAMPLE


def test_equal_lines_make_equal_lists() -> None:
    same = Capabilities(EXAMPLE.lines)
    assert same == EXAMPLE
    assert hash(same) == hash(EXAMPLE)
    assert pickle.loads(pickle.dumps(EXAMPLE)) == EXAMPLE
    assert Capabilities.of("TOP", "UIDL") != Capabilities.of("UIDL", "TOP")
    assert dict(EXAMPLE) != EXAMPLE
    assert not Capabilities()
