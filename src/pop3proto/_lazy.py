"""Packages that load a module when one of its names is used (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping


def loads_when_asked(
    package: str, homes: Mapping[str, Iterable[str]], *, folder: str | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of ``package``.

    ``homes`` maps modules to the public names in them. The modules are in the package, or in
    ``folder`` if that is given. A name is looked up once, and is an attribute of the package from
    then on. Type checkers see the imports under ``TYPE_CHECKING`` in the same package.
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    namespace = vars(sys.modules[package])

    def getattribute(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Not importlib.import_module(), because not every program loads importlib.
        module = f"{folder or package}.{home_of[name]}"
        __import__(module)
        found: object = getattr(sys.modules[module], name)
        namespace[name] = found
        return found

    def names() -> list[str]:
        return sorted({*namespace, *home_of})

    return getattribute, names
