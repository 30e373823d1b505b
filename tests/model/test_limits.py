from typing import Any

import pytest

from pop3proto import Limits, LocalProtocolError
from pop3proto._value import field_names, replace

NAMES = field_names(Limits)


def test_defaults() -> None:
    assert Limits() == Limits()
    assert (
        Limits(
            status_line=8192,
            listing_line=8192,
            listing_lines=1_000_000,
            listing_octets=134_217_728,
            challenge=65_536,
            commands_in_flight=100_000,
            command_line=512,
            auth_line=8192,
            upload=67_108_864,
        )
        == Limits()
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1", None, float("inf")])
def test_a_limit_is_a_positive_int(name: str, value: object) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(LocalProtocolError, match=rf"^limit {name} is (an int|at least 1), not "):
        Limits(**wrong)


@pytest.mark.parametrize("name", NAMES)
def test_one_limit_can_be_changed_and_the_others_stay(name: str) -> None:
    changed = replace(Limits(), **{name: 1})
    assert changed != Limits()
    assert getattr(changed, name) == 1
    assert changed == replace(Limits(), **{name: 1})


def test_limits_are_immutable_and_given_by_name() -> None:
    with pytest.raises(AttributeError):
        Limits().status_line = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        Limits(512)  # type: ignore[call-arg]
