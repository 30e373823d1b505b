"""What failing to connect is called, on every runtime."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ..errors import ConnectFailed, DeadlineExceeded, Pop3Error, printable

__all__ = ["connecting"]


@contextmanager
def connecting(where: str, seconds: float | None) -> Generator[None]:
    """Turn what goes wrong inside into ``ConnectFailed``, or ``DeadlineExceeded``."""
    try:
        yield
    except Pop3Error:
        raise
    except (OSError, EOFError, UnicodeError) as error:
        # The kernel's own ETIMEDOUT is a TimeoutError too, but not a deadline of ours.
        if isinstance(error, TimeoutError) and error.errno is None and seconds is not None:
            raise DeadlineExceeded(
                f"no connection to {printable(where)} within {seconds:g} s",
                phase="connect",
                seconds=seconds,
            ) from error
        message = f"no connection to {printable(where)}: {printable(str(error))}"
        raise ConnectFailed(message) from error
