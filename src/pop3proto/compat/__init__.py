"""Stand-ins for other POP3 libraries, on this package's engine.

``from pop3proto.compat import poplib`` in place of ``import poplib`` is all that a program has to
change. ``install()`` does this for a whole process, third-party code included.
"""

from __future__ import annotations

import sys
from types import ModuleType, TracebackType
from typing import Self

__all__ = ["Installation", "install"]

_NAME = "poplib"


class Installation:
    """The result of ``install()``; undo it as a context manager, or with ``uninstall()``."""

    def __init__(self, replaced: ModuleType | None) -> None:
        # None if another installation has already done the work; its owner has to undo it.
        self._replaced = replaced

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.uninstall()

    def uninstall(self) -> None:
        """Give the name ``poplib`` back to the standard library's module.

        Only the installation that took the name gives it back, and only once. Every other call does
        nothing. If another module has taken the name since then, nothing happens either.
        """
        from . import poplib

        replaced, self._replaced = self._replaced, None
        if replaced is not None and sys.modules.get(_NAME) is poplib:
            sys.modules[_NAME] = replaced


def install() -> Installation:
    """Make ``import poplib`` mean ``pop3proto.compat.poplib``, in the whole process.

    Call it before the modules that are to use it are imported: a module that has run its ``import
    poplib`` keeps the standard library's. ``except poplib.error_proto`` works in both, because
    there is only one ``error_proto``. A second call changes nothing, and neither does undoing it.

    >>> with install():
    ...     import poplib
    ...     poplib.POP3.retr_iter.__name__
    'retr_iter'
    """
    from . import poplib
    from .errors import standard

    current = sys.modules.get(_NAME, standard)
    if current is poplib:
        return Installation(None)
    sys.modules[_NAME] = poplib
    return Installation(current)
