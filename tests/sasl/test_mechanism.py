"""What a mechanism is, and what a channel binding is not."""

from typing import Any

import pytest

from pop3proto import LocalProtocolError
from pop3proto.sasl import ChannelBinding, Plain, ReportsDetails, ShowsSecret, XOAuth2
from pop3proto.sasl.mechanism import require_mechanism


class Own:
    name = "X-OWN"
    complete = True

    def initial(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes:
        return challenge


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [(Own, "the class Own"), (Plain, "the class Plain"), (5, "int"), ("secret", "str")],
)
def test_what_is_no_mechanism_is_not_shown(wrong: Any, kind: str) -> None:
    require_mechanism(Own())
    with pytest.raises(LocalProtocolError, match=rf"^mechanism is an object .*, not {kind}$"):
        require_mechanism(wrong)


def test_what_a_mechanism_may_say_of_itself() -> None:
    own: Any = Own()
    assert not isinstance(own, ShowsSecret | ReportsDetails)
    own.shows_secret, own.details = False, {}
    assert isinstance(own, ShowsSecret)
    assert isinstance(own, ReportsDetails)
    assert isinstance(Plain("user", "secret"), ShowsSecret)
    assert not isinstance(Plain("user", "secret"), ReportsDetails)
    assert isinstance(XOAuth2("user", "token"), ReportsDetails)


def test_a_binding_is_frozen_and_small() -> None:
    binding = ChannelBinding("tls-unique", b"x")
    with pytest.raises(AttributeError):
        binding.data = b"y"  # type: ignore[misc]
    assert not hasattr(binding, "__dict__")
    assert binding == ChannelBinding("tls-unique", b"x") != ChannelBinding("tls-unique", b"y")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("", b"x"),
        ("\xe9", b"x"),
        ("a,b", b"x"),
        ("a=b", b"x"),
        ("tls-unique\n", b"x"),
        (b"tls-unique", b"x"),
        (None, b"x"),
        ("tls-unique", b""),
        ("tls-unique", "x"),
        ("tls-unique", None),
    ],
)
def test_what_is_no_binding(kind: Any, data: Any) -> None:
    with pytest.raises(LocalProtocolError, match="channel binding"):
        ChannelBinding(kind, data)
    assert ChannelBinding("vnd.example-1", b"\0").data == b"\0"
