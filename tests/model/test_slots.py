"""Slots of frozen classes, set past the class's own __setattr__."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from pop3proto.model.slots import slot_setter


@dataclass(frozen=True, slots=True, init=False)
class Sample:
    number: int
    text: str

    def __init__(self, number: int, text: str) -> None:
        set_number(self, number)
        set_text(self, text)


set_number = slot_setter(Sample, "number")
set_text = slot_setter(Sample, "text")


def test_a_slot_is_set_although_the_class_is_frozen() -> None:
    sample = Sample(7, "seven")
    assert (sample.number, sample.text) == (7, "seven")
    assert sample == Sample(number=7, text="seven")
    with pytest.raises(FrozenInstanceError):
        sample.number = 8  # type: ignore[misc]


def test_there_is_no_setter_for_what_is_no_slot_of_the_class_itself() -> None:
    class Heir(Sample):
        __slots__ = ()

    with pytest.raises(KeyError):
        slot_setter(Heir, "number")
    with pytest.raises(KeyError):
        slot_setter(Sample, "nothing")


def test_a_setter_refuses_objects_of_other_classes() -> None:
    with pytest.raises(TypeError):
        set_number(object(), 1)
