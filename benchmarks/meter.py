"""What a job takes: seconds, CPU and memory."""

from __future__ import annotations

import ctypes
import resource
import time
from pathlib import Path


class Meter:
    """Seconds, CPU and growth of memory between two moments."""

    def __init__(self) -> None:
        self.results: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """Start the clocks."""
        _forget_peak()
        self._resident = _status("VmRSS")
        self._begin = (time.perf_counter(), _cpu())

    def end(self) -> None:
        """Stop the clocks."""
        self.results["seconds"] = time.perf_counter() - self._begin[0]
        self.results["cpu"] = _cpu() - self._begin[1]
        self.results["growth"] = max(0, _status("VmHWM") - self._resident)


def _cpu() -> float:
    """Seconds, with those of the processes that were started and have ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


def _status(name: str) -> int:
    """Octets of memory, as the kernel counts them; beyond Linux, the peak in any case."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def _forget_peak() -> None:
    """Let the peak begin at what is resident now, where the kernel can do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        # Then the peak of importing counts too, which is below that of any large job.
        return


def process_cpu(pid: int) -> float | None:
    """Seconds of CPU that another process has taken, with all its threads; if that can be known."""
    library, clock = ctypes.CDLL(None), ctypes.c_int()
    # POSIX has it; not every system's C library does. The times in /proc are in hundredths.
    get = getattr(library, "clock_getcpuclockid", None)
    if get is None or get(pid, ctypes.byref(clock)):
        return None
    return time.clock_gettime(clock.value)
