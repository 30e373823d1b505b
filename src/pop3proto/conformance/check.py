"""Testing a server with all cases, or with some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import gmtime, strftime

from .._arguments import listed, require
from .._version import __version__
from .baseline import Baseline
from .report import Report, Result
from .running import run_cases
from .server import server_cases
from .server.facts import look
from .server.mail import Mail
from .server.run import ServerRun
from .server.target import ServerTarget

__all__ = ["check_server"]


def check_server(
    target: ServerTarget,
    url: str,
    *,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    baseline: Baseline | None = None,
    strict: bool = False,
    tell: Callable[[Result], None] = lambda result: None,
) -> Report:
    """Run the cases for servers one after another, and return the report.

    ``url`` is how the report names the server. ``only`` and ``skip`` are beginnings of numbers of
    cases, such as ``S4`` or ``S401``. ``tell`` is called with each result.

    Raises ``LocalProtocolError`` for a wrong argument, such as a number that no case has, and
    ``ConnectionError`` if the server cannot be reached, or refuses the login.
    """
    require("target", target, ServerTarget, "a ServerTarget")
    require("strict", strict, bool, "True or False")
    wanted = listed("only is a list of numbers", only, str)
    cases = server_cases().chosen(wanted, listed("skip is a list of numbers", skip, str))
    began = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
    facts = look(target)
    mail = Mail(target.deliver)
    results: list[Result] = []
    for result in run_cases(cases, lambda: ServerRun(target, facts, mail)):
        results.append(result)
        tell(result)
    said = facts.after or facts.before or {}
    shown = [
        ("greeting", facts.greeting),
        ("security", f"{target.security.value} {facts.tls}".strip()),
        ("login", facts.login or "none"),
        ("capabilities", " ".join(said) or "none"),
        ("implementation", " ".join(said.get("IMPLEMENTATION", [])) or "not told"),
    ]
    return Report(
        "server",
        url,
        results,
        time=began,
        version=__version__,
        facts=shown,
        baseline=baseline,
        strict=strict,
    )
