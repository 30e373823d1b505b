"""Cases for faults of servers that exist: the program need not cope, but has to survive them."""

from __future__ import annotations

from ...testing.quirks.names import Quirk
from ...transports import Security
from ..case import NotTestedError, Severity
from .judge import complete, survived
from .mail import MAIL
from .run import CASES, ClientRun

_FEW = MAIL[:4]
# With these, all messages can be had: a fault of the server, but one that leaves no doubt.
_HARMLESS = (
    ("C401", Quirk.BARE_LF),
    ("C402", Quirk.BLANK_LINES),
    ("C403", Quirk.TRAILING_SPACES),
    ("C404", Quirk.LOWER_CASE_STATUS),
    ("C405", Quirk.MALFORMED_TIMESTAMP),
    ("C406", Quirk.SECOND_TIMESTAMP),
    ("C407", Quirk.CLOSES_ON_CAPA),
    ("C408", Quirk.HIDDEN_UNTIL_LOGIN),
    ("C409", Quirk.REPEATED_CAPABILITIES),
    ("C410", Quirk.ODD_CAPABILITIES),
    ("C411", Quirk.BLANK_CAPABILITY),
    ("C412", Quirk.NON_ASCII_CAPABILITY),
    ("C413", Quirk.LOWER_CASE_CAPABILITIES),
    ("C414", Quirk.NO_CAPABILITIES),
    ("C415", Quirk.LISTING_TEXT),
    ("C416", Quirk.SPACED_LISTINGS),
    ("C417", Quirk.INDENTED_LISTINGS),
    ("C418", Quirk.REVERSED_LISTINGS),
    ("C419", Quirk.SMALL_SIZES),
    ("C420", Quirk.ROUNDED_SIZES),
    ("C421", Quirk.HUGE_SIZES),
    ("C422", Quirk.WORDY_SIZES),
    ("C423", Quirk.NEGATIVE_SIZES),
    ("C424", Quirk.MISSING_UNIQUE_IDS),
    ("C425", Quirk.DUPLICATE_UNIQUE_IDS),
    ("C426", Quirk.MALFORMED_UNIQUE_IDS),
    ("C427", Quirk.LONG_UNIQUE_IDS),
    ("C428", Quirk.NON_ASCII_UNIQUE_IDS),
    ("C429", Quirk.WRONG_COUNT),
    ("C430", Quirk.NO_SPLIT_COMMANDS),
    ("C431", Quirk.SILENT_QUIT),
    ("C432", Quirk.CLOSES_ON_QUIT),
)
_WITHOUT_STLS = {Quirk.CLOSES_ON_CAPA, Quirk.NO_CAPABILITIES}
# With these, nobody can tell what the server means.
_DOUBTFUL = (
    ("C451", Quirk.SECOND_END),
    ("C452", Quirk.IMAP_GREETING),
    ("C453", Quirk.SMTP_GREETING),
    ("C454", Quirk.NUMBERS_FROM_ZERO),
    ("C455", Quirk.HUGE_NUMBERS),
    ("C456", Quirk.CLOSES_ON_PIPELINING),
    ("C457", Quirk.LOGIN_SYS_TEMP),
    ("C458", Quirk.NO_STAT),
    ("C459", Quirk.SKIPPED_NUMBERS),
)


def _add(number: str, quirk: Quirk, *, harmless: bool) -> None:
    name = quirk.name.lower().replace("_", "-")

    def check(run: ClientRun) -> None:
        if quirk in _WITHOUT_STLS and run.target.security is Security.STLS:
            raise NotTestedError("such a server does not announce STLS")
        result = run.fetch(_FEW, quirks=[quirk])
        survived(result)
        if harmless:
            complete(result, _FEW)

    outcome = "all messages are fetched" if harmless else "nothing wrong is stored or deleted"
    title = f"The server {quirk.row.what} ({name}): {outcome}."
    severity = Severity.WARNING if harmless else Severity.ERROR
    CASES.case(number, "seen with real servers", title, severity=severity)(check)


for _number, _quirk in _HARMLESS:
    _add(_number, _quirk, harmless=True)
for _number, _quirk in _DOUBTFUL:
    _add(_number, _quirk, harmless=False)
