"""Cases about response codes."""

from __future__ import annotations

import re

from ..case import CaseFailedError, NotTestedError, Severity, demand
from ..wire import Status
from .framing import walk
from .run import CASES, ServerRun

# RFC 2449 section 8: levels of characters, without brackets and slashes in them.
_CODE = re.compile(rb"\[[^\]\[/\x00-\x20\x7f-\xff]+(?:/[^\]\[/\x00-\x20\x7f-\xff]+)*\](?: .*)?")


@CASES.case(
    "S651",
    "RFC 2449 section 6.4",
    "With RESP-CODES, a text that begins with a bracket is a response code.",
)
def _(run: ServerRun) -> None:
    run.need("RESP-CODES", before_login=True)
    for line in walk(run):
        text = Status(line).text
        demand(
            not text.startswith(b"[") or _CODE.fullmatch(text),
            f"this is no response code: {Status(line)}",
        )


@CASES.case(
    "S652", "RFC 3206 section 6", "With AUTH-RESP-CODE, a wrong password has the code AUTH."
)
def _(run: ServerRun) -> None:
    run.need("AUTH-RESP-CODE", before_login=True)
    answer = run.log_in(run.secured(), b"not-the-password")
    demand(not answer.ok, f"a wrong password is answered with {answer}")
    demand(answer.code == b"AUTH", f"a wrong password is answered with {answer}")


@CASES.case(
    "S653",
    "RFC 2449 section 8.1.2",
    "With RESP-CODES, a login that is refused because of another session has the code IN-USE.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    run.need("RESP-CODES", before_login=True)
    first = run.logged_in("the first session")
    try:
        answer = run.log_in(run.secured("the second session"))
    except CaseFailedError as error:
        raise NotTestedError(f"a second session: {error}") from error
    if answer.ok:
        raise NotTestedError("the server allows two sessions at a time")
    demand(answer.code == b"IN-USE", f"a second login is answered with {answer}")
    run.bye(first)
