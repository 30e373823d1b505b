from typing import Any

import pytest

from pop3proto import Deviation, Fault, Leniency, LocalProtocolError
from pop3proto.transports import ServerProfile


def test_profiles_are_kept_as_json() -> None:
    profile = ServerProfile.of([Deviation(Fault.BARE_LF), Deviation(Fault.BARE_LF)])
    assert ServerProfile.from_json(profile.to_json()) == profile
    assert profile.leniency() == Leniency.none().tolerating(Fault.BARE_LF)


def test_a_profile_of_several_sessions() -> None:
    first = ServerProfile.of([Deviation(Fault.BARE_LF)])
    second = ServerProfile.of([Deviation(Fault.BLANK_LINE), Deviation(Fault.BARE_LF)])
    both = first | second | ServerProfile(unknown=frozenset({"A_LATER_FAULT"}))
    assert both.faults == {Fault.BARE_LF, Fault.BLANK_LINE}
    assert both.unknown == {"A_LATER_FAULT"}
    # In order, so that the same profile is the same text.
    assert both.to_json() == '{"faults": ["A_LATER_FAULT", "BARE_LF", "BLANK_LINE"]}'
    assert first | ServerProfile() == first


def test_a_profile_keeps_what_a_later_release_has_written() -> None:
    text = '{"faults": ["BARE_LF", "A_LATER_FAULT"]}'
    profile = ServerProfile.from_json(text)
    assert profile.faults == {Fault.BARE_LF}
    assert profile.unknown == {"A_LATER_FAULT"}
    assert profile.leniency() == Leniency.none().tolerating(Fault.BARE_LF)
    assert ServerProfile.from_json(profile.to_json()) == profile
    assert "A_LATER_FAULT" in (profile | ServerProfile()).to_json()


@pytest.mark.parametrize(
    "text", ["[]", "[" * 100_000, "{}", '{"faults": "BARE_LF"}', '{"faults": [[], 1]}']
)
def test_what_is_no_profile(text: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^text is not the profile of a server$"):
        ServerProfile.from_json(text)


@pytest.mark.parametrize("wrong", [5, [5], [Fault.BARE_LF]])
def test_what_are_no_deviations(wrong: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"^deviations are a list"):
        ServerProfile.of(wrong)


def test_what_is_no_json() -> None:
    with pytest.raises(LocalProtocolError, match=r"^text is not the profile of a server$"):
        ServerProfile.from_json("")
    wrong: Any = b"{}"
    with pytest.raises(LocalProtocolError, match=r"^text is a str, not bytes"):
        ServerProfile.from_json(wrong)
