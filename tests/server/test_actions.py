from typing import get_args

import pytest

from pop3proto import server
from pop3proto._value import field_names
from pop3proto.server import Action, Close, Delay, NeedData, Send, StartTls

ACTIONS: list[Action] = [Send(b"+OK\r\n"), NeedData(), StartTls(), Delay(0.5), Close()]


def done(action: Action) -> str:
    match action:
        case Send(data):
            return f"send {len(data)} octets"
        case Delay(seconds):
            return f"wait {seconds} s"
        case NeedData():
            return "receive"
        case StartTls():
            return "shake hands"
        case Close():
            return "close"


def test_each_of_them_can_be_matched() -> None:
    assert {type(action) for action in ACTIONS} == set(get_args(Action))
    assert list(map(done, ACTIONS)) == [
        "send 5 octets",
        "receive",
        "shake hands",
        "wait 0.5 s",
        "close",
    ]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_they_are_values(action: Action) -> None:
    values = [getattr(action, name) for name in field_names(action)]
    twin = type(action)(*values)
    assert (twin, hash(twin)) == (action, hash(action))
    assert not hasattr(action, "__dict__")
    for name in field_names(action):
        with pytest.raises(AttributeError):
            setattr(action, name, None)


def test_what_is_sent_does_not_show() -> None:
    # It is somebody's mail.
    assert repr(Send(b"Subject: hello\r\n")) == "Send()"
    assert repr(Delay(2.0)) == "Delay(seconds=2.0)"


def test_they_are_had_from_the_package() -> None:
    for action in ACTIONS:
        name = type(action).__name__
        assert getattr(server, name) is type(action)
        assert name in server.__all__
