"""A fuzzing loop that needs nothing but Python: it changes the seeds at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from random import Random
from time import monotonic
from typing import Any

from ..._arguments import listed, require, require_count, require_seconds
from ..._value import value
from ...errors import LocalProtocolError
from ...transcript.recorded import Role
from ...transcript.recorder import Transcript, check_role
from .inputs import MARK
from .seeds import seed_of, seeds
from .targets import fuzz_client, fuzz_server

__all__ = ["Finding", "FuzzResult", "check_input", "fuzz"]

Target = Callable[[bytes], None]
MOST_OCTETS = 20_000
"""More than the default limits of a status line and of a line within AUTH."""
_PIECES = (
    *(b"\r\n", b"\n", b"\r", b".", b"..", b"\r\n.\r\n", b"\n.\n", b" ", b"\0", b"\xff", b"\t"),
    *(b"+OK\r\n", b"-ERR\r\n", b"+ \r\n", b"+OK 1 2\r\n", b"1 1\r\n", b"1 a\r\n", b"2147483648"),
    *(b"STLS\r\n", b"AUTH PLAIN\r\n", b"*\r\n", b"QUIT\r\n", b"XTND XMIT\r\n", b"RETR 1\r\n"),
    *(MARK + bytes([number]) for number in (0, 2, 9, 14, 17, 26, 31, 33, 0xFF)),
)
_MOST_CHANGES = 4


@value
class Finding:
    """An input with which an engine did something wrong."""

    data: bytes
    """The input, shortened as far as the same error remains."""
    error: Exception
    """The error that it ends in."""


@value
class FuzzResult:
    """The outcome of ``fuzz()``."""

    runs: int
    """How many inputs were tried, the seeds among them."""
    finding: Finding | None = None
    """The first input that failed, after which the loop ended."""


def fuzz(
    role: Role,
    transcripts: Iterable[Transcript] = (),
    *,
    runs: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    engine: Callable[..., Any] | None = None,
) -> FuzzResult:
    """Try inputs with the engine of ``role`` until one fails, and return it.

    The inputs are made from ``transcripts`` and from the seeds of this package: all of these first,
    and then changes of them. The loop ends after ``runs`` inputs or ``seconds``, whichever comes
    first, and after 10 seconds without either. The same ``seed`` makes the same inputs.

    ``engine`` makes another engine than this package's, such as a subclass of it: it is called with
    ``limits`` and ``leniency``. Raises ``LocalProtocolError`` for a wrong argument.
    """
    target = target_of(role, engine)
    several = listed("transcripts is an iterable of Transcript", transcripts, Transcript)
    if runs is not None:
        require_count("runs", runs)
    if seconds is not None:
        require_seconds("seconds", seconds, zero=False)
    if type(seed) is not int:
        raise LocalProtocolError(f"seed is an int, not {type(seed).__name__}")
    if runs is seconds is None:
        seconds = 10.0
    end = None if seconds is None else monotonic() + seconds
    pool = [*(seed_of(transcript, role) for transcript in several), *seeds(role)]
    tried = 0
    for data in _inputs(pool, seed):
        if tried == runs or (end is not None and monotonic() >= end):
            break
        tried += 1
        if (error := _error_of(target, data)) is not None:
            return FuzzResult(tried, _shortened(target, data, error))
    return FuzzResult(tried)


def check_input(role: Role, data: bytes, engine: Callable[..., Any] | None = None) -> None:
    """Try one input, such as ``Finding.data``; raise the error that it ends in, if any."""
    require("data", data, bytes, "bytes")
    target_of(role, engine)(data)


def target_of(role: Role, engine: Callable[..., Any] | None) -> Target:
    """Return the function that tries an input."""
    check_role("role", role)
    if engine is not None and not callable(engine):
        raise LocalProtocolError("engine is a function that makes an engine")
    target: Callable[..., None] = fuzz_client if role == "client" else fuzz_server
    return target if engine is None else lambda data: target(data, engine)


def _inputs(pool: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Yield the seeds, and then changes of them without end."""
    yield from pool
    for number in count():
        # A text, because it is seeded in full: the inputs of two seeds have nothing in common.
        random = Random(f"{seed}:{number}")  # noqa: S311 - no secret is made
        data = random.choice(pool)
        for _ in range(random.randint(1, _MOST_CHANGES)):
            data = _changed(data, random, pool)
        yield data[:MOST_OCTETS]


def _changed(data: bytes, random: Random, pool: Sequence[bytes]) -> bytes:
    """Return ``data`` with one change."""
    start = random.randint(0, len(data))
    end = min(len(data), start + random.randint(1, 16))
    kind = random.randrange(6)
    if kind == 0:
        return data[:start] + random.choice(_PIECES) + data[start:]
    if kind == 1:
        return data[:start] + data[end:]
    if kind == 2:
        return data[:end] + data[start:end] + data[end:]
    if kind == 3:
        return data[:start] + random.randbytes(random.randint(1, 4)) + data[end:]
    if kind == 4:
        other = random.choice(pool)
        return data[:start] + other[random.randint(0, len(other)) :]
    # How it is cut, pulled, limited and answered is as rich as the rest.
    place = random.randrange(7)
    return data[:place] + random.randbytes(1) + data[place + 1 :]


def _error_of(target: Target, data: bytes) -> Exception | None:
    try:
        target(data)
    except Exception as error:  # noqa: BLE001 - which error it is, is for the caller to see
        return error
    return None


def _shortened(target: Target, data: bytes, error: Exception) -> Finding:
    """Return a finding with as few octets as the same kind of error needs, found step by step."""
    size = len(data) // 2
    while size:
        start = 0
        while start < len(data):
            shorter = data[:start] + data[start + size :]
            found = _error_of(target, shorter)
            if found is not None and type(found) is type(error):
                data, error = shorter, found
            else:
                start += size
        size //= 2
    return Finding(data, error)
