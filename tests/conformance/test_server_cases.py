"""Each case passes for a server that is right, and fails for one that is wrong in one thing."""

from __future__ import annotations

import re
import ssl
import warnings
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest

from pop3proto.conformance import Verdict, server_cases
from pop3proto.conformance.running import run_case
from pop3proto.conformance.server import certificates, endurance
from pop3proto.server import ServerOptions
from pop3proto.transports import Security
from tests.conformance.faulty import (
    GREETING,
    PASSWORD,
    Fault,
    Moment,
    certified,
    old_context,
    on,
    subject,
)

HERE = ("localhost", "127.0.0.1")
# "c=" in base64: the last message of SCRAM.
PROOF = "Yz.*"
OK, ERR = b"+OK\r\n", b"-ERR no\r\n"
GUARDED = ServerOptions(failed_login_delay=0.0)
ALL_CASES = {each.number: each for each in server_cases().all}


def lf(moment: Moment) -> bytes:
    return moment.octets.replace(b"\r\n", b"\n")


def accepted(moment: Moment) -> bytes:
    return OK if moment.refused else moment.octets


def changed_behind_noop(moment: Moment) -> bytes:
    return moment.octets.replace(b"first", b"1st") if b"NOOP" in moment.earlier else moment.octets


def without_a_row(moment: Moment) -> bytes:
    return re.sub(rb"\r\n2 [^\r]*", b"", moment.octets)


def twice(moment: Moment) -> bytes:
    return moment.octets * 2


def again(answer: bytes) -> Callable[[Moment], bytes]:
    """Answer so from the second time on."""
    return lambda moment: answer if moment.line in moment.earlier else moment.octets


def later(pattern: bytes, answer: bytes) -> Callable[[Moment], bytes]:
    """Answer so in the sessions after one that has sent a line."""
    return lambda moment: answer if pattern in moment.before else moment.octets


def highest_read(moment: Moment) -> bytes:
    """LAST as RFC 1460 has it."""
    earlier = b" ".join(moment.earlier).rpartition(b"RSET")[2]
    return b"+OK 1\r\n" if b"RETR 1" in earlier else b"+OK 0\r\n"


def forged(moment: Moment) -> bytes:
    """The last message of SCRAM, with a proof that is wrong."""
    return b"+ " + b64encode(b"v=" + b64encode(bytes(32))) + b"\r\n"


def few_iterations(moment: Moment) -> bytes:
    """The first message of SCRAM with so few that a login is quickly tried; see ``PROOF``."""
    challenge = b64decode(moment.octets[2:])
    return b"+ " + b64encode(re.sub(rb"i=\d+", b"i=100", challenge)) + b"\r\n"


def too_old() -> ssl.SSLContext:
    """A server's context that speaks TLS 1.1 and nothing newer."""
    context = old_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def replacing(old: bytes, new: bytes) -> Callable[[Moment], bytes]:
    return lambda moment: moment.octets.replace(old, new)


FAULTS: dict[str, Fault] = {
    "S101": on(GREETING, b"OK ready\r\n"),
    "S102": on("CAPA", lf),
    "S103": on("NOOP", b"+ok\r\n"),
    "S104": on("NOOP", b"+OK " + b"x" * 600 + b"\r\n"),
    "S105": on("LIST", replacing(b"\r\n.\r\n", b"\r\n.\r\n.\r\n")),
    "S106": on("NoOp", ERR),
    "S107": on("XPOP3PROTO", OK),
    "S108": on("", OK),
    "S109": on("X{253}", None),
    "S110": on("X{20000}", twice),
    "S111": Fault(arrives=lambda data: data if data.endswith(b"\r\n") else None),
    "S112": Fault(arrives=lambda data: None if data.endswith(b"\r") else data),
    "S113": on("NOOP\0x", OK),
    "S115": on("USER .*", twice),
    "S114": on("STAT", replacing(b" ", b"  ")),
    "S201": on("RETR", OK),
    "S202": on("RETR 1x", OK),
    "S203": on("RETR 0", OK),
    "S204": on("RETR 5", OK),
    "S205": on("LIST 4294967297", b"+OK 1 100\r\n"),
    "S206": on("LIST -1", b"+OK -1 100\r\n"),
    "S207": on("UIDL 0", b"+OK 0 x\r\n"),
    "S208": on("TOP 1 -1", OK),
    "S209": on("LIST 1 1", b"+OK 1 100\r\n"),
    "S210": on("NOOP 1", OK),
    "S211": on("LIST 0001", b"+OK 2 100\r\n"),
    "S212": on("PASS", OK),
    "S213": on("APOP user", OK),
    "S214": on("LIST\t1", b"+OK 1 100\r\n"),
    "S215": on("DELE 0", OK),
    "S301": on("NOOP", OK),
    "S302": on("LAST", b"+OK 0\r\n"),
    "S303": on("APOP .*", OK),
    "S304": on("AUTH PLAIN", b"+ \r\n"),
    "S305": on("STLS", OK),
    "S306": on("PASS .*", accepted),
    "S307": on("QUIT", ERR),
    "S308": on("QUIT", b""),
    "S309": on("PASS .*", accepted),
    "S310": on(GREETING, b"+OK <1.2@example.org>\r\n"),
    "S311": on("APOP .*", OK),
    "S401": on("STAT", b"+OK many\r\n"),
    "S402": on("LIST", without_a_row),
    "S403": on("STAT", b"+OK 4 1\r\n"),
    "S404": on("LIST 4", b"+OK 4 1\r\n"),
    "S405": on("RSET", ERR),
    "S406": on("RETR .*", replacing(b"first\r\n", b"first\n")),
    "S407": on("RETR .*", replacing(b"first\r\n", b"first\r\nmore\r\n")),
    "S408": on("RETR 4", again(b"+OK\r\nSubject: other\r\n\r\n.\r\n")),
    "S409": on("TOP . 0", replacing(b"\r\n\r\n.\r\n", b"\r\n\r\nfirst\r\n.\r\n")),
    "S410": on("TOP . 1", replacing(b"first\r\n", b"")),
    "S411": on("TOP . 100000000", replacing(b"second\r\n", b"")),
    "S412": on("LAST", b"+OK 0\r\n"),
    "S414": on("LAST", lambda m: b"+OK 1\r\n" if b"RETR 1" in m.earlier else b"+OK 0\r\n"),
    "S413": on("LIST 1", replacing(b"\r\n", b" octets\r\n")),
    "S421": on("RETR .*", replacing(b"\r\n..", b"\r\n.")),
    "S422": on("RETR .*", replacing(b"\r\n..", b"\r\n.")),
    "S423": on("TOP . 1000", replacing(b"\r\n..x", b"\r\n.x")),
    "S424": on("RETR .*", replacing(b"the end\r\n", b"the end \r\n")),
    "S425": on("LIST", replacing(b" ", b" 1")),
    "S426": on("RETR .*", replacing(b"two", b"too")),
    "S501": on("UIDL", without_a_row),
    "S502": on("UIDL", b"+OK\r\n1 a b\r\n2 c\r\n.\r\n"),
    "S503": on("UIDL", b"+OK\r\n1 a\r\n2 a\r\n.\r\n"),
    "S504": on("UIDL", later(b"UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n4 d\r\n.\r\n")),
    "S505": on("UIDL 1", b"+OK 1 other\r\n"),
    "S601": on("CAPA", replacing(b"UTF8 USER", b"UTF8  USER")),
    "S602": on("CAPA", lambda m: ERR if b"STAT" not in m.earlier and m.earlier else m.octets),
    "S603": on(
        "CAPA", lambda m: m.octets.replace(b"PIPELINING\r\n", b"") if m.earlier else m.octets
    ),
    "S604": on("TOP .*", ERR),
    "S605": on("USER .*", ERR),
    "S606": on("CAPA", replacing(b"UIDL\r\n", b"UIDL\r\nUIDL\r\n")),
    "S607": on("CAPA x", OK),
    "S608": on("CAPA", replacing(b"EXPIRE NEVER", b"EXPIRE SOON")),
    "S651": on("STAT", b"-ERR [a b\r\n"),
    "S652": on("PASS .*", replacing(b"[AUTH] ", b"")),
    "S653": on("PASS .*", replacing(b"[IN-USE] ", b"")),
    "S654": on("AUTH PLAIN .*", replacing(b"[AUTH] ", b"")),
    "S655": on("APOP .*", replacing(b"[AUTH] ", b"")),
    "S656": on("NOOP", b"-ERR [SYS] no\r\n"),
    "S657": on("NOOP", b"+OK [SYS/TEMP] busy\r\n"),
    "S701": on("STAT", again(b"+OK 9 9\r\n")),
    "S702": on("NOOP", lambda m: m.octets * (1 if b"NOOP" in m.earlier else 2)),
    "S703": on("STAT", ERR),
    "S704": on("QUIT", ERR),
    "S705": on("RETR 4", changed_behind_noop),
    "S706": on("STAT", later(b"DELE 1", b"+OK 4 100\r\n")),
    "S801": on("STLS", ERR, security=Security.STLS),
    "S802": on("CAPA", replacing(b"STLS\r\n", b""), security=Security.STLS),
    "S803": on("CAPA", replacing(b"UIDL\r\n", b"UIDL\r\nSTLS\r\n"), security=Security.STLS),
    "S804": on("STLS", again(OK), security=Security.STLS),
    "S805": on("STLS now", OK, security=Security.STLS),
    "S806": Fault(
        arrives=lambda data: b"STLS\r\n" if data.startswith(b"STLS") else data,
        under_tls=ERR,
        security=Security.STLS,
    ),
    "S807": on("PASS .*", accepted, security=Security.STLS),
    "S808": Fault(security=Security.STLS),
    "S809": Fault(old_tls=True, security=Security.STLS),
    "S810": Fault(context=too_old, security=Security.TLS),
    "S811": Fault(context=lambda: certified("pop.example.org"), security=Security.TLS),
    "S812": Fault(context=lambda: certified(*HERE, ends=-1), security=Security.STLS),
    "S813": Fault(context=lambda: certified(*HERE, told=False), security=Security.TLS),
    "S814": Fault(greets_in_the_clear=True, security=Security.TLS),
    "S815": Fault(ends_without_a_word=True, security=Security.TLS),
    "S851": on("AUTH XPOP3PROTO", OK),
    "S852": on("AUTH PLAIN", b"+\r\n"),
    "S853": on(r"\*", OK),
    "S854": on("!no base64!", b"+ \r\n"),
    "S855": on("AUTH PLAIN .*", ERR),
    "S856": on("[A-Za-z0-9+/]{9,}=*", ERR),
    "S857": on("AUTH PLAIN =", b"+ \r\n"),
    "S858": on("AUTH PLAIN !!!!", b"+ \r\n"),
    "S859": on("AUTH PLAIN .*", OK),
    "S860": on("AUTH plain", ERR),
    "S861": on(PROOF, forged),
    "S862": on(PROOF, forged),
    "S863": on("AUTH SCRAM-.*", few_iterations),
    "S864": on(PROOF, accepted),
    "S865": on(PROOF, accepted),
    "S866": on("AUTH SCRAM-.*", OK, bound=True),
    "S867": on("AUTH CRAM-MD5", b"+ " + b64encode(b"<1@example.org>") + b"\r\n"),
    "S868": on("[A-Za-z0-9+/]{9,}=*", accepted),
    "S869": on("AUTH CRAM-MD5 .*", b"+ \r\n"),
    "S870": on("AUTH OAUTHBEARER .*", b"-ERR no\r\n"),
    "S871": on("AUTH XOAUTH2 .*", b"+ bm8=\r\n"),
    "S872": on(r".*====.*", OK),
    "S873": on("[A-Za-z0-9+/]{1000,}=*", twice),
    "S874": on("USER .*", lambda m: ERR if m.earlier else m.octets),
    "S875": on(
        "CAPA", replacing(b"SASL ", b"SASL PLAIN "), security=Security.STLS, options=GUARDED
    ),
    "S876": on("AUTH PLAIN", b"+ aGVsbG8=\r\n"),
    "S881": on("UTF8", ERR),
    "S882": on("UTF8", OK),
    "S883": on("LANG", b"+OK\r\n1 English\r\n.\r\n"),
    "S884": on(r"LANG \*", ERR),
    "S885": on("LANG x-pop3proto", OK),
    "S886": on(r"LANG \*", lambda m: ERR if m.earlier else m.octets),
    "S887": on("LANG en", ERR),
    "S888": on("RETR 1", lambda m: ERR if b"UTF8" in m.earlier else m.octets),
    "S889": on("LANG en", b"+OK English\r\n"),
    "S890": on("UTF8 USER", OK),
    "S891": on("CAPA", replacing(b"UTF8 USER", b"UTF8 ALL")),
    "S892": on("PASS .*\xff", OK),
    "S893": on("USER .*", twice),
    "S901": on("LIST 1", b"+OK 1 100\r\n"),
    "S902": on("STAT", b"+OK 4 400\r\n"),
    "S903": on("UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n4 d\r\n.\r\n"),
    "S904": on("RSET", ERR),
    "S905": on("STAT", later(b"DELE 1", b"+OK 3 100\r\n")),
    "S906": on("LIST", later(b"DELE 1", b"+OK\r\n1 1\r\n2 2\r\n.\r\n")),
    "S907": on("UIDL", later(b"DELE 1", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n")),
    "S908": on("PASS .*", accepted, "DELE .*", OK, "RETR .*", ERR),
    "S919": on(
        "LIST",
        lambda m: ERR if m.octets.endswith(b"\r\n.\r\n") and b"DELE 1" in m.before else m.octets,
    ),
    "S909": on("STAT", later(b"RETR 1", b"+OK 3 100\r\n")),
    "S951": Fault(idle=0.1),
    "S952": on("STAT", later(b"DELE 1", b"+OK 3 100\r\n"), idle=0.1),
    "S999": on(GREETING, ERR),
}
# Where the server that is right has to be another one than that of the fault.
RIGHT: dict[str, Fault] = {number: fault.right() for number, fault in FAULTS.items()}
RIGHT["S952"] = Fault(idle=0.1)
RIGHT["S808"] = Fault(security=Security.STLS, options=GUARDED)
RIGHT["S412"] = on("LAST", lambda m: b"+OK 1\r\n" if b"RETR 1" in m.earlier else b"+OK 0\r\n")
RIGHT["S414"] = on("LAST", highest_read)
RIGHT["S813"] = Fault(context=lambda: certified(*HERE), security=Security.TLS)


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endurance, "_IDLE", 0.4)
    monkeypatch.setattr(endurance, "_LONG_IDLE", 2.0)
    monkeypatch.setattr("pop3proto.conformance.server.framing._FEW_SECONDS", 0.2)


def test_each_case_has_a_fault() -> None:
    assert {*FAULTS, "S816"} == {*ALL_CASES}


cases = pytest.mark.parametrize("number", FAULTS)


def test_implicit_tls_beside_stls(monkeypatch: pytest.MonkeyPatch) -> None:
    """S816 is about ports, which the other tests leave to the system."""
    case = ALL_CASES["S816"]
    with subject(Fault(security=Security.STLS)) as stls:
        assert run_case(case, stls.run()).verdict is Verdict.NOT_TESTED
        with subject(Fault(security=Security.TLS)) as tls:
            ports = {Security.STLS: stls.server.port, Security.TLS: tls.server.port}
            monkeypatch.setattr(certificates, "_PORTS", ports)
            assert run_case(case, stls.run()).verdict is Verdict.PASS
        result = run_case(case, stls.run())
    assert (result.verdict, "port 995" in result.reason) == (Verdict.FAIL, True)


@cases
def test_a_server_that_is_right_passes(number: str) -> None:
    with subject(RIGHT[number]) as right:
        result = run_case(ALL_CASES[number], right.run())
    assert (result.verdict, result.reason) == (Verdict.PASS, "")


@cases
def test_a_server_that_is_wrong_in_one_thing_fails(number: str) -> None:
    with subject(FAULTS[number]) as wrong:
        result = run_case(ALL_CASES[number], wrong.run())
    assert result.verdict is Verdict.FAIL
    assert result.reason
    assert result.conversations
    # Silence would be a fault of another kind, and a reason shows no secret.
    assert "no answer" not in result.reason
    assert "took longer" not in result.reason
    assert PASSWORD not in result.reason
    assert not any(PASSWORD in line for each in result.conversations for line in each.lines)
