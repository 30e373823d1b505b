"""Cases about response codes."""

from __future__ import annotations

import re
from base64 import b64encode

from ..case import CaseFailedError, NotTestedError, Severity, demand
from ..wire import Status
from .auth import plain
from .framing import walk
from .run import CASES, ServerRun
from .states import timestamp

# RFC 2449 section 8: levels of characters, without brackets and slashes in them.
_CODE = re.compile(rb"\[[^\]\[/\x00-\x20\x7f-\xff]+(?:/[^\]\[/\x00-\x20\x7f-\xff]+)*\](?: .*)?")

# RFC 2449 sections 8.1.1 and 8.1.2, and RFC 3206 sections 4 and 5.
_REFUSALS = re.compile(rb"LOGIN-DELAY|IN-USE|AUTH|SYS(?:/.*)?")


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


@CASES.case(
    "S654",
    "RFC 3206 section 6",
    "With AUTH-RESP-CODE, AUTH PLAIN with a wrong password has the code AUTH.",
)
def _(run: ServerRun) -> None:
    run.need("AUTH-RESP-CODE", before_login=True)
    plain(run)
    user, _ = run.credentials()
    wrong = b64encode(b"\0" + user + b"\0not-the-password")
    answer = run.secured().ask(b"AUTH PLAIN " + wrong, timeout=run.patience)
    demand(answer.code == b"AUTH", f"a wrong password is answered with {answer}")


@CASES.case(
    "S655",
    "RFC 3206 section 6",
    "With AUTH-RESP-CODE, APOP with a wrong digest has the code AUTH.",
)
def _(run: ServerRun) -> None:
    run.need("AUTH-RESP-CODE", before_login=True)
    user, _ = run.credentials()
    timestamp(run)
    answer = run.secured().ask(b"APOP " + user + b" " + b"0" * 32, timeout=run.patience)
    demand(answer.code == b"AUTH", f"a wrong digest is answered with {answer}")


@CASES.case("S656", "RFC 3206 section 4", "The code SYS is SYS/TEMP or SYS/PERM.")
def _(run: ServerRun) -> None:
    run.need("RESP-CODES", before_login=True)
    for line in walk(run):
        first, _, second = (Status(line).code or b"").partition(b"/")
        known = second.partition(b"/")[0] in (b"TEMP", b"PERM")
        demand(first != b"SYS" or known, f"this is another code: {Status(line)}")


@CASES.case(
    "S657",
    "RFC 2449 section 8.1 and RFC 3206 sections 4 and 5",
    "LOGIN-DELAY, IN-USE, AUTH and SYS are codes of refusals.",
)
def _(run: ServerRun) -> None:
    run.need("RESP-CODES", before_login=True)
    for line in walk(run):
        status = Status(line)
        refusal = _REFUSALS.fullmatch(status.code or b"")
        demand(not (status.ok and refusal), f"a success has such a code: {status}")
