from math import nan
from typing import Any

import pytest

from pop3proto import Leniency, Limits, LocalProtocolError
from pop3proto.server import ServerOptions
from pop3proto.server.options import check_settings


def test_defaults_that_keep_a_server_safe() -> None:
    assert not ServerOptions().allow_plaintext_auth
    assert ServerOptions().failed_login_delay > 0
    assert ServerOptions().max_failed_logins == 3
    assert ServerOptions().max_bad_commands == 20
    assert ServerOptions().max_auth_rounds == 20


def test_capabilities_with_nothing_that_needs_tls() -> None:
    capabilities = ServerOptions().capabilities(
        stls=True, user=False, mechanisms=(), logged_in=False
    )
    assert capabilities.lines == (
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "STLS",
        "UTF8 USER",
        "LANG",
        "EXPIRE NEVER",
    )


def test_capabilities_with_everything_else() -> None:
    options = ServerOptions(utf8=False, implementation="example-1.0")
    capabilities = options.capabilities(
        stls=False, user=True, mechanisms=("PLAIN", "X-TEST"), logged_in=True
    )
    assert capabilities.user
    assert not capabilities.stls
    assert not capabilities.utf8
    assert capabilities.sasl == ("PLAIN", "X-TEST")
    assert capabilities.implementation == "example-1.0"


@pytest.mark.parametrize(
    ("option", "given"),
    [
        *((name, "no") for name in ("allow_plaintext_auth", "apop", "utf8")),
        *((name, "1") for name in ("failed_login_delay", "latency")),
        *((name, "1") for name in ("max_failed_logins", "max_bad_commands", "max_auth_rounds")),
        ("host_name", b"example.org"),
        ("implementation", None),
    ],
)
def test_an_option_of_another_type(option: str, given: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{option} is .*, not {type(given).__name__}$"):
        ServerOptions(**{option: given})


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("failed_login_delay", -1),
        ("latency", nan),
        ("max_failed_logins", 0),
        ("max_bad_commands", -1),
        ("max_auth_rounds", 0),
        ("host_name", ""),
        ("host_name", "mail example"),
        ("host_name", "<1@example.org>"),
        ("implementation", "x\r\nSTLS"),
    ],
)
def test_an_option_out_of_range(option: str, given: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{option} "):
        ServerOptions(**{option: given})


def test_the_settings_of_a_session() -> None:
    settings = ServerOptions(), Limits(), Leniency()
    check_settings(*settings)
    for position, name in enumerate(("options", "limits", "leniency")):
        wrong: list[object] = [*settings]
        wrong[position] = 5
        with pytest.raises(LocalProtocolError, match=f"^{name} is a .*, not int$"):
            check_settings(*wrong)
