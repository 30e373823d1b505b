"""The class decorator that makes commands, replies, events and options immutable values.

It does what ``dataclasses`` do, but compiles no code when a module is loaded, and imports nothing
for that purpose: with ``dataclasses``, loading the package would take longer than a session.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from types import FunctionType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, dataclass_transform, overload

if TYPE_CHECKING:
    from inspect import Signature

T = TypeVar("T")

_MISSING: Any = object()


class Field:
    """A field of a value: how it is set, shown and compared."""

    __slots__ = ("compare", "default", "init", "kw_only", "name", "repr", "set")

    def __init__(self, default: object, init: bool, repr: bool, compare: bool) -> None:
        self.name: str = ""
        self.default: object = default
        self.init: bool = init
        self.repr: bool = repr
        self.compare: bool = compare
        self.kw_only: bool = False
        self.set: Callable[[object, object], None]


@overload
def field(*, default: T, repr: bool = ..., compare: bool = ...) -> T: ...
@overload
def field(*, init: bool = ..., repr: bool = ..., compare: bool = ...) -> Any: ...
def field(
    *, default: Any = _MISSING, init: bool = True, repr: bool = True, compare: bool = True
) -> Any:
    """Return a field with a default, or one that the repr does not show or ``==`` ignores.

    With ``init=False``, the field is only a slot for something that the class computes in its
    ``__init__()``.
    """
    return Field(default, init, repr, compare)


@overload
def value(cls: type[T], /) -> type[T]: ...
@overload
def value(*, kw_only: bool = ...) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[Any] | None = None, /, *, kw_only: bool = False) -> Any:
    """Return the class as one of immutable values, with a slot for each annotated name.

    Values are compared and hashed by class and content, matched by position, pickled, copied with
    changes by ``copy.replace()``, and shown as a call that makes them. A method that the class
    defines itself is kept; ``__post_init__()`` runs after its fields are set. With ``kw_only``, the
    fields of this class can be passed by name only.
    """

    def make(cls: type[Any]) -> type[Any]:
        return _made(cls, kw_only)

    return make if cls is None else make(cls)


def slot_setter(cls: type, name: str) -> Callable[[object, object], None]:
    """Return a function that sets the field ``name`` of a new object of ``cls``.

    It is for the ``__init__()`` of a class whose objects are made by the thousand: there it takes a
    third of the time that the general constructor takes. Raises ``KeyError`` for a field that
    ``cls`` does not declare itself.
    """
    set_slot: Callable[[object, object], None] = cls.__dict__[name].__set__
    return set_slot


def field_names(of: object) -> tuple[str, ...]:
    """Return the names of the fields of a value, or of its class, in the order of its arguments."""
    return tuple(field.name for field in cast(Any, of).__fields__)


def replace(of: T, /, **changes: Any) -> T:
    """Return a copy with changes, as ``copy.replace()`` of Python 3.13 does."""
    return cast(T, cast(Any, of).__replace__(**changes))


def _made(old: type[Any], kw_only: bool) -> type[Any]:
    """Return the class made again with slots, which an existing class cannot get."""
    namespace: dict[str, Any] = {**old.__dict__, "__qualname__": old.__qualname__}
    own = [_own_field(namespace, name, kw_only) for name in _annotated(old)]
    # An inherited field has its slot already.
    namespace["__slots__"] = tuple(
        f.name for f in own if not isinstance(getattr(old, f.name, None), MemberDescriptorType)
    )
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    if not hasattr(old, "__compared__"):
        namespace = _METHODS | namespace
    every = {field.name: field for field in (*getattr(old, "__fields__", ()), *own)}
    fields = sorted((f for f in every.values() if f.init), key=lambda field: field.kw_only)
    setters: list[Callable[[object, object], None]] = []
    if "__init__" in old.__dict__:
        namespace["__signature__"] = None
    elif own or (hasattr(old, "__post_init__") and old.__init__ is object.__init__):
        namespace["__init__"] = _constructor(fields, setters, getattr(old, "__post_init__", None))
        namespace["__signature__"] = _SignatureOnDemand()
    namespace["__fields__"] = tuple(fields)
    namespace.setdefault("__match_args__", tuple(f.name for f in fields if not f.kw_only))
    compared = [field.name for field in fields if field.compare]
    # One call in C, with one name or several.
    namespace["__compared__"] = staticmethod(attrgetter(*compared) if compared else lambda _: ())
    metaclass: Any = type(old)
    new: type[Any] = metaclass(old.__name__, old.__bases__, namespace)
    for each in own:
        each.set = getattr(new, each.name).__set__
    setters.extend(field.set for field in fields)
    _move_class_cell(old, new)
    return new


def _annotated(cls: type[Any]) -> list[str]:
    """Return the names that the class itself annotates as something that its objects have."""
    return [
        name
        for name, annotation in cls.__annotations__.items()
        if not str(annotation).removeprefix("typing.").startswith("ClassVar")
    ]


def _own_field(namespace: dict[str, Any], name: str, kw_only: bool) -> Field:
    # The name of a slot cannot be that of a class attribute too, so the default has to go.
    given = namespace.pop(name, _MISSING)
    result = given if isinstance(given, Field) else Field(given, True, True, True)
    result.name, result.kw_only = name, kw_only
    return result


def _move_class_cell(old: type[Any], new: type[Any]) -> None:
    """Make ``super()`` and ``__class__`` in the methods refer to ``new``, which replaces
    ``old``."""
    for member in old.__dict__.values():
        function = member.fget if isinstance(member, property) else member
        function = getattr(function, "__func__", function)
        for cell in getattr(function, "__closure__", None) or ():
            if cell.cell_contents is old:
                cell.cell_contents = new
                # All methods share it.
                return


def _constructor(
    fields: list[Field],
    setters: list[Callable[[object, object], None]],
    post_init: Callable[[Any], None] | None,
) -> Callable[..., None]:
    """Return an ``__init__()`` for these fields, which is quick for correct calls."""
    required = sum(field.default is _MISSING for field in fields)
    defaults = tuple(field.default for field in fields[required:])
    # Whether no required field comes after one with a default or is passed by name only.
    plain = _MISSING not in defaults and not any(field.kw_only for field in fields[:required])
    most = sum(not field.kw_only for field in fields) if plain else -1

    def __init__(self: Any, /, *given: object, **named: object) -> None:
        if named or not required <= len(given) <= most:
            given = _arranged(self, fields, given, named)
        else:
            given += defaults[len(given) - required :]
        for set_field, content in zip(setters, given, strict=True):
            set_field(self, content)
        if post_init is not None:
            post_init(self)

    return __init__


def _arranged(
    self: object, fields: list[Field], given: tuple[object, ...], named: dict[str, object]
) -> tuple[object, ...]:
    """Return the contents of all fields; raise ``TypeError`` as a call of a function does."""
    cls = type(self).__name__
    positional = [field.name for field in fields if not field.kw_only]
    if len(given) > len(positional):
        raise TypeError(
            f"{cls}() takes {len(positional)} positional arguments but {len(given)} were given"
        )
    contents = dict(zip(positional, given, strict=False))
    for name in named:
        if name in contents:
            raise TypeError(f"{cls}() got multiple values for argument {name!r}")
    contents.update(named)
    arranged = tuple(contents.pop(field.name, field.default) for field in fields)
    for name in contents:
        raise TypeError(f"{cls}() got an unexpected keyword argument {name!r}")
    for field, content in zip(fields, arranged, strict=True):
        if content is _MISSING:
            raise TypeError(f"{cls}() missing a required argument: {field.name!r}")
    return arranged


class _SignatureOnDemand:
    """The signature of a class, made when ``inspect.signature()`` or ``help()`` asks for it."""

    def __get__(self, obj: object, cls: type[Any]) -> Signature:
        from inspect import Parameter, Signature

        fields: tuple[Field, ...] = cls.__fields__
        hints: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            hints |= vars(base).get("__annotations__", {})
        kinds = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
        return Signature(
            [
                Parameter(
                    each.name,
                    kinds[each.kw_only],
                    default=Parameter.empty if each.default is _MISSING else each.default,
                    annotation=hints[each.name],
                )
                for each in fields
            ]
        )


class _Methods:
    """The methods that every value gets, unless its class has its own."""

    __fields__: ClassVar[tuple[Field, ...]]
    __compared__: ClassVar[Any]

    def __repr__(self) -> str:
        # A debugger can ask for the repr before all fields are set.
        shown = (f"{f.name}={getattr(self, f.name, ...)!r}" for f in self.__fields__ if f.repr)
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
