"""Testing a client with all cases, or with some of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from time import gmtime, strftime
from types import NoneType

from ..._arguments import listed, require
from ..._version import __version__
from ..baseline import Baseline
from ..report import Report, Result
from ..running import run_cases
from . import client_cases
from .run import ClientRun, authority_for
from .target import ClientTarget

__all__ = ["check_client"]


def check_client(
    target: ClientTarget,
    *,
    name: str = "",
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    slow: bool = False,
    baseline: Baseline | None = None,
    strict: bool = False,
    tell: Callable[[Result], None] = lambda result: None,
) -> Report:
    """Run the cases for clients one after another, and return the report.

    Each case runs the command, once or twice, in an empty home folder, with a server of its own on
    loopback. ``name`` is how the report names the program, by default by its command. ``only`` and
    ``skip`` are beginnings of numbers of cases, such as ``C3`` or ``C301``. ``slow`` runs the case
    that takes a minute and a half, too. ``tell`` is called with each result.

    Raises ``LocalProtocolError`` for a wrong argument, such as a number that no case has,
    ``OSError`` if the program cannot be run, and ``ImportError`` if a certificate is needed and
    trustme is not installed.
    """
    require("target", target, ClientTarget, "a ClientTarget")
    require("name", name, str, "a str")
    require("slow", slow, bool, "True or False")
    require("strict", strict, bool, "True or False")
    require("baseline", baseline, (Baseline, NoneType), "a Baseline")
    wanted = listed("only is a list of numbers", only, str)
    cases = client_cases().chosen(wanted, listed("skip is a list of numbers", skip, str))
    began = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
    authority, context = authority_for(target.security)
    results: list[Result] = []
    chosen = [case for case in cases if slow or not case.slow]
    for result in run_cases(chosen, lambda: ClientRun(target, authority, context)):
        results.append(result)
        tell(result)
    return Report(
        "client",
        name or shlex.join(target.command),
        results,
        time=began,
        version=__version__,
        facts=[
            ("security", target.security.value),
            ("deletes", "yes" if target.deletes else "no"),
            ("time-out", f"{target.timeout:g} seconds"),
        ],
        baseline=baseline,
        strict=strict,
    )
