"""The class decorators that make commands, replies, events and options immutable values.

They do what ``dataclasses`` do, with which loading the package would take longer than a session.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from operator import attrgetter
from types import FunctionType, MemberDescriptorType, SimpleNamespace
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform

T = TypeVar("T")

_MISSING: Any = object()


class _Field(SimpleNamespace):
    """A field of a value: ``name``, ``annotation``, and how it is set, shown and compared."""


def field(*, default: T = _MISSING, repr: bool = True, compare: bool = True) -> T:
    """Return a field with a default, or one that the repr does not show or ``==`` ignores."""
    return cast(T, _Field(default=default, repr=repr, compare=compare))


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Return the class as one of immutable values, with a slot for each annotated name.

    Values are compared and hashed by class and content, matched by position, pickled, copied with
    changes by ``copy.replace()``, and shown as a call that makes them, without the fields that are
    ``None`` by default and in fact. A method that the class defines itself is kept;
    ``__post_init__()`` runs after its fields are set.
    """
    return _made(cls, kw_only=False)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def options(cls: type[T]) -> type[T]:
    """Return the class as ``value()`` does; the fields of this class are passed by name only."""
    return _made(cls, kw_only=True)


def field_names(of: object) -> tuple[str, ...]:
    """Return the names of the fields of a value, or of its class, in the order of its arguments."""
    return tuple(field.name for field in cast(Any, of).__fields__)


def replace(of: T, /, **changes: Any) -> T:
    """Return a copy with changes, as ``copy.replace()`` of Python 3.13 does."""
    return cast(T, cast(Any, of).__replace__(**changes))


def _made(old: type[Any], kw_only: bool) -> type[Any]:
    """Return the class made again with slots, which an existing class cannot get."""
    namespace: dict[str, Any] = {**old.__dict__, "__qualname__": old.__qualname__}
    own: list[_Field] = []
    for name, annotation in old.__annotations__.items():
        if not str(annotation).removeprefix("typing.").startswith("ClassVar"):
            # The name of a slot cannot be that of a class attribute too, so the default has to go.
            given = namespace.pop(name, _MISSING)
            made: Any = given if isinstance(given, _Field) else field(default=given)
            made.name, made.annotation, made.kw_only = name, annotation, kw_only
            own.append(made)
    # An inherited field has its slot already.
    namespace["__slots__"] = tuple(
        f.name for f in own if not isinstance(getattr(old, f.name, None), MemberDescriptorType)
    )
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    if not hasattr(old, "__compared__"):
        namespace = _METHODS | namespace
    every = {field.name: field for field in (*getattr(old, "__fields__", ()), *own)}
    fields = sorted(every.values(), key=lambda field: field.kw_only)
    namespace["__fields__"] = tuple(fields)
    namespace.setdefault("__match_args__", tuple(f.name for f in fields if not f.kw_only))
    compared = [field.name for field in fields if field.compare]
    # One call in C, with one name or several.
    namespace["__compared__"] = staticmethod(attrgetter(*compared) if compared else lambda _: ())
    new: type[Any] = cast(Any, type(old))(old.__name__, old.__bases__, namespace)
    if own and "__init__" not in namespace:
        new.__init__ = _constructor(new, fields)
    _move_class_cell(old, new)
    return new


def _move_class_cell(old: type[Any], new: type[Any]) -> None:
    """Make ``super()`` in the methods refer to ``new``, which replaces ``old``."""
    for member in old.__dict__.values():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        for cell in getattr(function, "__closure__", None) or ():
            if cell.cell_contents is old:
                cell.cell_contents = new
                return  # All methods share it.


def _constructor(cls: type[Any], fields: list[_Field]) -> Callable[..., None]:
    """Return an ``__init__()`` whose parameters are ``fields``."""
    setters = [getattr(cls, field.name).__set__ for field in fields]
    post_init = getattr(cls, "__post_init__", None)
    if len(fields) > len(_TEMPLATES):
        bind = _with_parameters(_arguments, cls.__name__, fields)
        return wraps(bind)(_set_many(setters, post_init, bind))
    made: Callable[..., None] = _TEMPLATES[len(fields) - 1](*setters, post_init)
    return _with_parameters(made, cls.__name__, fields)


def _with_parameters(template: T, name: str, fields: list[_Field]) -> T:
    """Return a copy of ``template`` whose parameters after ``self`` are ``fields``."""
    # So Python itself arranges the arguments of a call, names those that are wrong, and shows the
    # signature. Compiling a function for each class would take far longer.
    by_name = [field for field in fields if field.kw_only]
    positional = fields[: len(fields) - len(by_name)]
    names = ("self", *(field.name for field in fields))
    function = cast(FunctionType, template)
    code = function.__code__.replace(
        co_argcount=1 + len(positional),
        co_kwonlyargcount=len(by_name),
        co_nlocals=len(names),
        co_varnames=names,
    )
    made = FunctionType(code, globals(), "__init__", closure=function.__closure__)
    made.__qualname__ = name
    made.__defaults__ = tuple(f.default for f in positional if f.default is not _MISSING)
    made.__kwdefaults__ = {f.name: f.default for f in by_name if f.default is not _MISSING}
    made.__annotations__ = {field.name: field.annotation for field in fields}
    return cast(T, made)


# Most values have few fields, and are made by the thousand: without a loop, that takes a third of
# the time.
def _set_one(set_a: Any, post_init: Any) -> Callable[..., None]:
    def __init__(self: Any, a: object) -> None:
        set_a(self, a)
        if post_init is not None:
            post_init(self)

    return __init__


def _set_two(set_a: Any, set_b: Any, post_init: Any) -> Callable[..., None]:
    def __init__(self: Any, a: object, b: object) -> None:
        set_a(self, a)
        set_b(self, b)
        if post_init is not None:
            post_init(self)

    return __init__


def _set_three(set_a: Any, set_b: Any, set_c: Any, post_init: Any) -> Callable[..., None]:
    def __init__(self: Any, a: object, b: object, c: object) -> None:
        set_a(self, a)
        set_b(self, b)
        set_c(self, c)
        if post_init is not None:
            post_init(self)

    return __init__


_TEMPLATES: list[Callable[..., Any]] = [_set_one, _set_two, _set_three]


def _set_many(setters: list[Any], post_init: Any, bind: Any) -> Callable[..., None]:
    by_position = -1 if bind.__code__.co_kwonlyargcount else len(setters)

    def __init__(self: Any, /, *given: object, **named: object) -> None:
        if named or len(given) != by_position:
            given = tuple(bind(self, *given, **named).values())[1:]
        for set_field, content in zip(setters, given, strict=True):
            set_field(self, content)
        if post_init is not None:
            post_init(self)

    return __init__


def _arguments() -> dict[str, Any]:
    return locals()


class _Methods:
    """The methods that every value gets, unless its class has its own."""

    __fields__: ClassVar[tuple[_Field, ...]]
    __compared__: ClassVar[Any]

    def __repr__(self) -> str:
        # A debugger can ask for the repr before all fields are set.
        contents = [(f, getattr(self, f.name, ...)) for f in self.__fields__ if f.repr]
        shown = [f"{f.name}={c!r}" for f, c in contents if c is not None or f.default is not None]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: Any) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        return self.__compared__(self) == self.__compared__(other)

    def __hash__(self) -> int:
        return hash((self.__class__, self.__compared__(self)))

    def __setattr__(self, name: str, content: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle and copy through the constructor, so that the copy has passed its checks.
        contents = {name: getattr(self, name) for name in field_names(self)}
        return partial(type(self), **contents), ()

    def __replace__(self, /, **changes: object) -> Any:
        return self.__reduce__()[0](**changes)


_METHODS = {name: each for name, each in vars(_Methods).items() if isinstance(each, FunctionType)}
