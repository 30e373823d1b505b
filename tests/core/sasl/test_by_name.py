from typing import Any

import pytest

from pop3proto import LocalProtocolError, MechanismUnavailable
from pop3proto.sasl import (
    PASSWORD_MECHANISMS,
    SHOWS_SECRET,
    ChannelBinding,
    by_name,
    shows_secret,
)
from tests.core.tracebacks import shown

BINDING = ChannelBinding("tls-server-end-point", b"x")
NAMES = sorted({*PASSWORD_MECHANISMS, *SHOWS_SECRET, "EXTERNAL", "ANONYMOUS"})


@pytest.mark.parametrize("name", NAMES)
def test_every_name_leads_to_its_mechanism(name: str) -> None:
    binding = BINDING if name.endswith("-PLUS") else None
    mechanism = by_name(
        name.lower(), "user", "secret", host="pop.example.org", channel_binding=binding
    )
    assert mechanism.name == name
    assert shows_secret(mechanism) is (name in SHOWS_SECRET)
    assert "secret" not in repr(mechanism).replace("<secret>", "")


def test_the_flag_of_who_could_have_bound() -> None:
    first = by_name("SCRAM-SHA-256", "user", "secret", can_bind=True).initial()
    assert first is not None
    assert first.startswith(b"y,,")


@pytest.mark.parametrize(
    ("name", "binding"),
    [("SCRAM-SHA-1-PLUS", None), ("PLAIN", BINDING), ("PLAIN-PLUS", BINDING), ("NO-SUCH", None)],
)
def test_names_that_lead_nowhere(name: str, binding: ChannelBinding | None) -> None:
    with pytest.raises((MechanismUnavailable, LocalProtocolError)) as caught:
        by_name(name, "user", "pa55word", channel_binding=binding)
    assert "pa55word" not in shown(caught.value)


def test_gssapi_needs_tickets() -> None:
    with pytest.raises(LocalProtocolError):
        by_name("GSSAPI", b"user@EXAMPLE.ORG", b"pa55word", host="nowhere.invalid").initial()


@pytest.mark.parametrize(("name", "needs_tls"), [("plain", True), ("X-OWN", False)])
def test_a_mechanism_of_ones_own_is_judged_by_its_name(name: str, needs_tls: bool) -> None:
    class Own:
        complete = True

        def __init__(self) -> None:
            self.name = name

        def initial(self) -> bytes | None:
            return None

        def respond(self, challenge: bytes) -> bytes:
            return challenge

    mechanism: Any = Own()
    assert shows_secret(mechanism) is needs_tls
