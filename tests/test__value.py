"""The class decorator that makes immutable values."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

import pop3proto
from pop3proto._value import field, field_names, options, replace, value

T = TypeVar("T")


@value
class Nothing:
    """A value without fields."""


@value
class NothingElse:
    pass


@value
class Point:
    """A place."""

    x: int
    """To the right."""
    y: int = 0
    count: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("to the left")

    @property
    def sum(self) -> int:
        return self.x + self.y


@value
class Place(Point):
    name: str = field(default="", compare=False)
    note: str = field(default="-", repr=False)


@value
class Renamed(Place):
    """Adds no field."""


@options
class Options:
    wide: bool = False
    width: int = 80


@value
class Mixed(Options):
    title: str
    height: int = 1


@value
class Hot:
    number: int
    text: str = ""

    def __init__(self, number: int, text: str = "") -> None:
        object.__setattr__(self, "number", int(number))
        object.__setattr__(self, "text", text)


@value
class Hotter(Hot):
    """Adds no field, so it keeps the constructor of its base."""


@value
class HotAndMore(Hot):
    more: int = 5


@value
class Box(Generic[T]):
    content: T


@value
class Letters(Mapping[str, int]):
    letters: str

    def __getitem__(self, letter: str) -> int:
        if letter not in self.letters:
            raise KeyError(letter)
        return self.letters.index(letter)

    def __iter__(self) -> Iterator[str]:
        return iter(self.letters)

    def __len__(self) -> int:
        return len(self.letters)


class Base:
    __slots__ = ()

    def describe(self) -> str:
        return "base"

    @property
    def kind(self) -> str:
        return "base"

    @classmethod
    def make(cls) -> Base:
        return cls()


@value
class Above(Base):
    a: int = 1

    def describe(self) -> str:
        return f"above {super().describe()}"


def made_in_a_function(word: str) -> type[Base]:
    @value
    class Inner(Base):
        a: int = 1

        def describe(self) -> str:
            # Two cells to look into: this word's comes before the class's, or after it.
            return f"{word} {super().describe()} {word}"

        def aside(self) -> str:
            return word

    return Inner


@value
class AboveByProperty(Base):
    a: int = 1
    # No function, and no cell to look into.
    table: ClassVar[dict[str, int]] = {"x": 1}

    @property
    def kind(self) -> str:
        return f"above {super().kind}"


@value
class AboveByClassMethod(Base):
    a: int = 1

    @classmethod
    def make(cls) -> Base:
        return super().make()


@value
class Own:
    a: int
    b: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and self.a == other.a

    def __hash__(self) -> int:
        return self.a

    def __repr__(self) -> str:
        return "own"


@value
class Unhashable:  # noqa: PLW1641
    a: int

    def __eq__(self, other: object) -> bool:
        return True


VALUES: list[Any] = [
    Nothing(),
    Point(1, 2),
    Place(1, 2, "name", "note"),
    Renamed(1, 2, "name", "note"),
    Options(wide=True),
    Mixed("title", wide=True),
    Hot(1, "one"),
    Hotter(1, "one"),
    Box([1]),
    Letters("abc"),
    Above(),
    Own(1, 2),
]


def test_fields_come_by_position_by_name_or_by_default() -> None:
    assert (Point(3).x, Point(3).y) == (3, 0)
    assert Point(3, 4) == Point(y=4, x=3) == Point(3, y=4)
    place = Place(1, name="here")
    assert (place.x, place.y, place.name, place.note) == (1, 0, "here", "-")
    mixed = Mixed("title", width=7)
    assert (mixed.title, mixed.height, mixed.wide, mixed.width) == ("title", 1, False, 7)
    assert HotAndMore(1, "x", 2).more == 2
    assert HotAndMore(1).more == 5


@pytest.mark.parametrize(
    ("cls", "given", "named", "message"),
    [
        (Point, (), {}, r"Point\(\) missing 1 required positional argument: 'x'"),
        (
            Point,
            (1, 2, 3),
            {},
            r"Point\(\) takes from 2 to 3 positional arguments but 4",
        ),
        (Point, (1,), {"x": 2}, r"Point\(\) got multiple values for argument 'x'"),
        (Point, (1,), {"z": 2}, r"Point\(\) got an unexpected keyword argument 'z'"),
        (Options, (True,), {}, r"Options\(\) takes 1 positional argument but 2 were given"),
        (Options, (True, 1), {}, r"Options\(\) takes 1 positional argument but 3 were given"),
        (Mixed, (), {"wide": True}, r"Mixed\(\) missing 1 required positional argument: 'title'"),
        (
            Mixed,
            ("t", 1, True, 2),
            {},
            r"Mixed\(\) takes from 2 to 3 positional arguments but",
        ),
        (Nothing, (1,), {}, r"Nothing\(\) takes no arguments"),
        (Hotter, (), {}, "missing 1 required positional argument: 'number'"),
    ],
)
def test_wrong_arguments_are_refused_by_name(
    cls: type, given: tuple[Any, ...], named: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        cls(*given, **named)


def test_post_init_runs_after_the_fields_are_set() -> None:
    for cls in (Point, Place, Renamed):
        with pytest.raises(ValueError, match="to the left"):
            cls(-1)


@pytest.mark.parametrize("each", VALUES)
def test_values_are_immutable_and_have_no_dictionary(each: Any) -> None:
    before = repr(each)
    for name in (*field_names(each), "unknown"):
        with pytest.raises(AttributeError, match=f"{type(each).__name__} is immutable.*{name}"):
            setattr(each, name, 1)
        with pytest.raises(AttributeError, match=f"{type(each).__name__} is immutable.*{name}"):
            delattr(each, name)
    assert repr(each) == before
    # The abstract classes of the standard library have slots too, Generic as well.
    assert not hasattr(each, "__dict__")
    assert not hasattr(each, "__weakref__")


@pytest.mark.parametrize("each", VALUES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_values_are_pickled_and_copied(each: Any, protocol: int) -> None:
    for same in (
        pickle.loads(pickle.dumps(each, protocol)),
        copy.copy(each),
        copy.deepcopy(each),
        replace(each),
    ):
        assert same == each
        assert same is not each
        assert type(same) is type(each)
        assert [getattr(same, name) for name in field_names(each)] == [
            getattr(each, name) for name in field_names(each)
        ]


def test_comparison_is_by_class_and_content() -> None:
    assert Point(1, 2) == Point(1, 2) != Point(1, 3)
    assert Point(1) != Place(1)
    assert Place(1) != Renamed(1)
    assert Nothing() == Nothing() != NothingElse()
    assert Point(1) != 1
    assert Point.__eq__(Point(1), (1, 0)) is NotImplemented
    assert len({Point(1), Point(1), Point(2), Place(1), Nothing(), Nothing(), NothingElse()}) == 5


def test_a_field_may_not_count_in_comparisons() -> None:
    assert Place(1, name="a") == Place(1, name="b")
    assert hash(Place(1, name="a")) == hash(Place(1, name="b"))
    assert Place(1, note="a") != Place(1, note="b")


def test_the_repr_is_a_call_without_the_fields_that_do_not_show() -> None:
    assert repr(Point(1)) == "Point(x=1, y=0)"
    assert repr(Place(1, 2, "n", "secret")) == "Place(x=1, y=2, name='n')"
    assert repr(Nothing()) == "Nothing()"
    assert repr(Mixed("t")) == "Mixed(title='t', height=1, wide=False, width=80)"

    @value
    class Local:
        pass

    assert repr(Local()).endswith("<locals>.Local()")


def test_what_a_class_defines_itself_is_kept() -> None:
    assert Own(1, 2) == Own(1, 3)
    assert hash(Own(7)) == 7
    assert repr(Own(7)) == "own"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Unhashable(1))
    assert Hot(number=1) == Hot(1, "")
    assert Hotter.__init__ is Hot.__init__

    @value
    class Matched:
        __match_args__ = ("b",)
        a: int
        b: int

    match Matched(1, 2):
        case Matched(2):
            pass
        case other:
            pytest.fail(f"matched otherwise: {other}")


def test_matching_by_position() -> None:
    assert Place.__match_args__ == ("x", "y", "name", "note")
    assert Mixed.__match_args__ == ("title", "height")
    assert Options.__match_args__ == ()
    match Place(1, 2, "here"):
        case Place(1, y, name):
            assert (y, name) == (2, "here")
        case other:
            pytest.fail(f"matched otherwise: {other}")


def test_class_attributes_are_no_fields() -> None:
    assert Point.count == Point(1).count == 2
    assert field_names(Point) == field_names(Point(1)) == ("x", "y")

    @value
    class Plain:
        a: int

    # Where a module's annotations are not text.
    annotations = {"a": int, "b": ClassVar[int]}
    Live: type[Any] = value(type("Live", (), {"__annotations__": annotations, "b": 1}))
    assert field_names(Live) == ("a",)
    assert repr(Plain(1)).endswith("Plain(a=1)")


def test_a_field_may_be_declared_again() -> None:
    @value
    class Farther(Point):
        y: int = 9

    assert repr(Farther(1)).endswith("Farther(x=1, y=9)")
    assert Point(1).y == 0


def test_generic_classes() -> None:
    box = Box[int](3)
    assert box == Box(3)
    assert Box[int].__origin__ is Box  # type: ignore[attr-defined]
    assert Box.__parameters__ == (T,)  # type: ignore[attr-defined]


def test_abstract_bases() -> None:
    assert dict(Letters("ab")) == {"a": 0, "b": 1}
    assert Letters("ab") == Letters("ab")
    # It is a value first: a mapping would be equal to another mapping.
    assert Letters("ab") != {"a": 0, "b": 1}
    assert hash(Letters("ab")) == hash(Letters("ab"))
    assert isinstance(Letters("ab"), Mapping)


def test_super_and_class_mean_the_class_that_there_is() -> None:
    assert Above().describe() == "above base"
    assert made_in_a_function("well,")().describe() == "well, base well,"
    assert AboveByProperty().kind == "above base"
    assert AboveByClassMethod.make() == AboveByClassMethod()


def test_methods_may_have_other_variables_of_their_surroundings() -> None:
    greeting = "hello"

    @value
    class Inner(Base):
        def greet(self) -> str:
            return greeting

        def describe(self) -> str:
            return f"{greeting} {super().describe()}"

    assert Inner().describe() == "hello base"
    assert Inner().greet() == "hello"


def test_names_and_documentation_are_the_classs_own() -> None:
    assert (Point.__name__, Point.__qualname__, Point.__module__) == ("Point", "Point", __name__)
    assert Point.__doc__ == "A place."
    assert Point(1, 2).sum == 3


def test_replace_goes_through_the_checks() -> None:
    assert replace(Place(1, 2, "n"), y=5) == Place(1, 5, "n")
    with pytest.raises(ValueError, match="to the left"):
        replace(Point(1), x=-1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        replace(Point(1), z=1)
    if sys.version_info >= (3, 13):
        assert copy.replace(Point(1), y=5) == Point(1, 5)


def test_signatures_for_help_and_completion() -> None:
    assert str(inspect.signature(Point)) == "(x: 'int', y: 'int' = 0)"
    assert list(inspect.signature(Mixed).parameters) == ["title", "height", "wide", "width"]
    assert str(inspect.signature(Options)) == "(*, wide: 'bool' = False, width: 'int' = 80)"
    assert str(inspect.signature(Hotter)) == "(number: 'int', text: 'str' = '') -> 'None'"


@pytest.mark.parametrize("count", range(1, 6))
@pytest.mark.parametrize("decorator", [value, options])
def test_a_constructor_of_any_number_of_fields(count: int, decorator: Any) -> None:
    names = "abcde"[:count]
    checked: list[Any] = []
    namespace = {"__annotations__": dict.fromkeys(names, int), "__post_init__": checked.append}
    made: Any = decorator(type("Made", (), {**namespace, names[-1]: 9}))
    by_name = made(**dict(zip(names, range(count), strict=True)))
    assert [getattr(by_name, name) for name in names] == [*range(count)]
    others = dict(zip(names[:-1], range(count), strict=False))
    assert getattr(made(**others), names[-1]) == 9
    if decorator is value:
        assert made(*range(count)) == by_name
        assert made(*range(count - 1)) == made(**others)
    assert checked[0] is by_name
    with pytest.raises(TypeError, match=r"Made\(\) got an unexpected keyword argument 'other'"):
        made(other=1)


def test_nothing_costly_is_imported() -> None:
    code = (
        "import sys; before = set(sys.modules); import pop3proto._value; "
        "print(*set(sys.modules) - before)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(pop3proto.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert {"dataclasses", "inspect"}.isdisjoint(done.stdout.split())
