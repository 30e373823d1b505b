"""A program at a real pseudo-terminal, for tests."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Mapping, Sequence
from time import monotonic

_SECONDS = 60.0


class Terminal:
    """A running program whose standard input, output and error are a pseudo-terminal.

    With ``output``, its standard output goes there instead.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        output: int | None = None,
        columns: int = 100,
    ) -> None:
        self._mine, theirs = pty.openpty()
        # The size is read from these where the terminal has none.
        environment = {**environment, "COLUMNS": str(columns), "LINES": "40"}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=theirs,
            stdout=theirs if output is None else output,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""
        """All that was shown."""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.read_all() if exception[0] is None else self.process.kill()
        self.process.wait(_SECONDS)
        os.close(self._mine)

    def type(self, text: str) -> None:
        """Type ``text``."""
        os.write(self._mine, text.encode("utf-8"))

    def _read(self) -> bool:
        if not select.select([self._mine], [], [], _SECONDS)[0]:
            raise TimeoutError(f"nothing more than {self.seen!r}")
        try:
            data = os.read(self._mine, 65536)
        except OSError:
            # Linux says so when the program has ended.
            return False
        self.seen += data.decode("utf-8", "replace")
        return data != b""

    def wait_for(self, text: str) -> None:
        """Read until ``text`` was shown; raise ``TimeoutError`` if it is not."""
        end = monotonic() + _SECONDS
        while text not in self.seen:
            if monotonic() > end or not self._read():
                raise TimeoutError(f"{text!r} is not in {self.seen!r}")

    def read_all(self) -> str:
        """Read until the program ends, and return all that was shown."""
        while self._read():
            pass
        return self.seen
