"""What a debugger, a log or an error tracker would show of an exception."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import FrameType

import pop3proto

_PACKAGE = pop3proto.__name__


def frames_of_the_package(error: BaseException) -> Iterator[FrameType]:
    """The frames in which pop3proto's own code ran when ``error`` was raised."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).split(".")[0] == _PACKAGE:
            yield frame


def shown(error: BaseException) -> str:
    """The text of ``error``, its causes', and the locals of the package's frames."""
    parts = [str(error), repr(error), *map(repr, error.args)]
    for frame in frames_of_the_package(error):
        for name, value in frame.f_locals.items():
            parts += [name, repr(value), str(value)]
    for other in (error.__cause__, error.__context__):
        if other is not None:
            parts.append(shown(other))
    return "\n".join(parts)
