"""Scripts have a line for each step: ``C`` and ``S`` say who sends it."""

import pytest

from pop3proto.transcript.recorded import verbs
from pop3proto.transcript.redact import LineRedactor, Redactor

HIDDEN = "PHJlZGFjdGVkPg=="  # <redacted>
ZEROS = "0" * 32
DIGEST = "c4c9334bac560ecc979e58001b3e22fb"


def lines_kept(*script: str, bodies: bool = True, multiline: tuple[str, ...] = ()) -> list[str]:
    redactor = Redactor(bodies=bodies, multiline=verbs(multiline))
    kept: list[str] = []
    for step in script:
        who, line = step[0], step[2:].encode("latin-1") + b"\r\n"
        shown = redactor.client(line) if who == "C" else redactor.server(line)
        kept += (f"{who} {line.decode('latin-1')}" for line in shown.split(b"\r\n")[:-1])
    return kept


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("PASS secret", "PASS <redacted>"),
        ("pass two words ", "pass <redacted>"),
        ("PASS ", "PASS <redacted>"),
        ("PASS", "PASS"),
        ("PASSsecret", "PASS <redacted>"),
        (" PASS secret", " PASS <redacted>"),
        ("NOOP\rPASS secret", "NOOP\rPASS <redacted>"),
        ("RPOP user", "RPOP <redacted>"),
        ("USER user", "USER user"),
        (f"APOP user {DIGEST}", f"APOP user {ZEROS}"),
        (f"APOP user smith {DIGEST.upper()} ", f"APOP user smith {ZEROS}"),
        (f"APOP user {DIGEST} {DIGEST}", f"APOP <redacted> {ZEROS}"),
        ("APOP user secret", f"APOP <redacted> {ZEROS}"),
        (f"APOP {DIGEST}", f"APOP <redacted> {ZEROS}"),
        ("APOP", "APOP"),
        ("AUTH", "AUTH"),
        ("AUTH ", "AUTH "),
        ("AUTH plain", "AUTH plain"),
        ("AUTH EXTERNAL =", "AUTH EXTERNAL ="),
        ("AUTH PLAIN AHVzZXIAc2VjcmV0", f"AUTH PLAIN {HIDDEN}"),
        ("AUTH PLAIN one two", f"AUTH PLAIN {HIDDEN}"),
        ("AUTH AHVzZXIAc2VjcmV0", "AUTH <redacted>"),
        ("AUTH\tPLAIN AHVzZXIAc2VjcmV0", "AUTH <redacted>"),
        ("AUTHPLAIN", "AUTH <redacted>"),
    ],
)
def test_secret_arguments_are_replaced(line: str, kept: str) -> None:
    assert lines_kept("S +OK", f"C {line}")[1:] == [f"C {kept}"]


def test_lines_within_auth_are_replaced_until_its_final_answer() -> None:
    script = [
        *("S +OK", "C AUTH LOGIN", "S + VXNlcm5hbWU6", "C YWxpY2U="),
        *("S + UGFzc3dvcmQ6", "C c2VjcmV0", "S -ERR no", "C USER user"),
        *("S +OK", "C AUTH CRAM-MD5", "S + PDFAZXhhbXBsZS5vcmc+", "C *", "S -ERR", "C AUTH X"),
        *("S + ", "C ", "S +OK in", "C XTND PASS"),
    ]
    kept = lines_kept(*script)
    hidden = {script.index(line) for line in ("C YWxpY2U=", "C c2VjcmV0")}
    assert kept == [f"C {HIDDEN}" if i in hidden else line for i, line in enumerate(script)]


def test_answers_to_what_was_sent_before_auth_do_not_end_it() -> None:
    sent = ["C CAPA", "C USER user", "C AUTH LOGIN", "C c2VjcmV0", "C c2VjcmV0"]
    replies = ["S +OK", "S SASL LOGIN", "S +OK no end", "S .", "S +OK", "S + ", "C c2VjcmV0"]
    kept = lines_kept("S +OK", *sent, *replies, "S + ", "C c2VjcmV0", "S +OK")
    assert not [line for line in kept if "c2VjcmV0" in line]


def test_lines_sent_ahead_of_a_refusal_are_answered_one_by_one() -> None:
    script = ["C AUTH LOGIN", "C c2VjcmV0", "S -ERR", "C c2VjcmV0", "S -ERR", "S -ERR"]
    kept = lines_kept("S +OK", *script, "C USER user")
    assert kept[2:] == [f"C {HIDDEN}", "S -ERR", f"C {HIDDEN}", "S -ERR", "S -ERR", "C USER user"]


def test_responses_after_a_refusal_are_replaced_until_the_next_command() -> None:
    # A client that does not read the refusal, or does not care, goes on with its responses.
    refused = ["S +OK", "C AUTH LOGIN", "S -ERR"]
    said = ["C dXNlcg==", "S -ERR", "C c2VjcmV0", "S -ERR"]
    kept = lines_kept(*refused, *said, "C *", "S -ERR", "C ", "S -ERR", *said, "C USER user")
    hidden = [f"C {HIDDEN}", "S -ERR"] * 2
    assert kept == [*refused, *hidden, "C *", "S -ERR", "C ", "S -ERR", *hidden, "C USER user"]
    # After that, a word that nobody knows is one.
    for command in ("NOOP", "XFOO bar", "user user"):
        kept = lines_kept(*refused, f"C {command}", "S -ERR", "C XFOO")
        assert kept == [*refused, f"C {command}", "S -ERR", "C XFOO"]
    # So is an extension that somebody has named.
    listing = ["C XLST", "S +OK", "S 1", "S .", "C XFOO"]
    assert lines_kept(*refused, *listing, multiline=("XLST",)) == [*refused, *listing]
    accepted = ["S +OK", "C AUTH PLAIN AHVzZXIAc2VjcmV0", "S -ERR", "C NOOP", "S +OK", "C XFOO"]
    assert lines_kept(*accepted)[3:] == ["C NOOP", "S +OK", "C XFOO"]


def test_a_list_of_mechanisms_is_no_exchange() -> None:
    kept = lines_kept("S +OK", "C AUTH", "S +OK", "S + ", "S .", "C USER user")
    assert kept[-1] == "C USER user"
    assert lines_kept("S +OK", "C AUTH", "S -ERR", "C USER user")[-1] == "C USER user"
    # Nor does a server that takes it for one learn anything that is kept.
    assert lines_kept("S +OK", "C AUTH", "S + ", "C c2VjcmV0")[-1] == f"C {HIDDEN}"


@pytest.mark.parametrize("reply", ["S +OK done", "S +OK Password:", "S +OK"])
def test_ok_may_introduce_a_challenge(reply: str) -> None:
    begun = ["S +OK", "C AUTH NTLM", reply]
    for secret in ("c2VjcmV0", "secret", "my secret", "UTF8"):
        assert lines_kept(*begun, f"C {secret}")[-1] == f"C {HIDDEN}"
    for command in ("STAT", "LIST 1", "LANG de", "XTND XLST", "utf8 "):
        ended = [*begun, f"C {command}", "S +OK 0 0", "C XTND"]
        assert lines_kept(*ended) == ended


def test_a_body_is_no_answer() -> None:
    login = ["S +OK", "C PASS <redacted>", "S +OK", "C RETR 1", "S +OK"]
    body = ["S +OK", "S -ERR", "S ", "S ..", "S \n.\n", "S .", "C XTND", "S +OK"]
    assert lines_kept(*login, *body) == login + body


@pytest.mark.parametrize(
    "wrong",
    [
        ["S * OK IMAP4rev1"],
        ["S + "],
        ["S +OK", "S +OK"],
        ["S +OK", "C USER user", "S + "],
        ["S +OK", "C USER user", "S huh"],
    ],
)
def test_behind_a_nonsensical_answer_only_plain_commands_are_kept(wrong: list[str]) -> None:
    kept = lines_kept(*wrong, "C c2VjcmV0", "C STAT", "S +OK", "C USER user", "C AUTH X")
    assert kept[len(wrong) :] == [f"C {HIDDEN}", "C STAT", "S +OK", f"C {HIDDEN}", f"C {HIDDEN}"]


def test_blank_lines_between_answers_count_for_nothing() -> None:
    script = ["S +OK", "S ", "C USER user", "S ", "S +OK", "C USER user"]
    assert lines_kept(*script) == script


def test_a_status_line_without_end_ends_the_tracking() -> None:
    redactor = Redactor(bodies=True, multiline=())
    for _ in range(3):
        assert redactor.server(b"+OK" + b"x" * 100_000)
    assert redactor.client(b"USER user\r\n") == HIDDEN.encode() + b"\r\n"
    redactor = Redactor(bodies=False, multiline=())
    assert redactor.server(b"+OK" + b"s" * 300_000) == b"x" * 300_003


def test_bodies_can_be_left_out() -> None:
    login = ["S +OK", "C PASS <redacted>", "S +OK", "C RETR 1"]
    listing = ["C LIST", "S +OK", "S 1 20", "S .", "C QUIT", "S +OK"]
    kept = lines_kept(
        *login, "S +OK", "S Subject: hi", "S ", "S ..", "S .a", "S .", *listing, bodies=False
    )
    assert kept == [*login, "S +OK", "S xxxxxxxxxxx", "S ", "S x", "S xx", "S .", *listing]


def test_where_tracking_ends_everything_is_left_out() -> None:
    kept = lines_kept("S +OK", "C XTND XLST", "S +OK", "S 1 secret", "S 2 secret", bodies=False)
    assert kept[-2:] == ["S xxxxxxxx", "S xxxxxxxx"]
    kept = lines_kept("S +OK", "C XTND XLST", "S +OK\r\n1 secret\r\n2 secret", bodies=False)
    assert kept[-2:] == ["S xxxxxxxx", "S xxxxxxxx"]


def test_texts_of_extensions_are_bodies() -> None:
    script = ["S +OK", "C XTND XLST", "S +OK", "S 1 secret", "S .", "C USER user"]
    assert lines_kept(*script, multiline=("XTND XLST",)) == script
    assert lines_kept(*script, bodies=False, multiline=("XTND XLST",))[3] == "S xxxxxxxx"


LOGINS = [
    ["C PASS <redacted>", "S +OK"],
    [f"C APOP user {ZEROS}", "S +OK"],
    ["C RPOP <redacted>", "S -ERR", "C RPOP <redacted>", "S +OK", "C RPOP <redacted>", "S -ERR"],
    [f"C AUTH PLAIN {HIDDEN}", "S +OK"],
    ["C AUTH LOGIN", "S + ", f"C {HIDDEN}", "S +OK"],
]


@pytest.mark.parametrize("login", LOGINS)
def test_uploads_are_messages(login: list[str]) -> None:
    upload = ["C XTND XMIT", "S +OK", "C AUTH is discussed", "C ..", "C .", "S +OK"]
    script = ["S +OK", *login, *upload]
    assert lines_kept(*script, "C USER user") == [*script, "C USER user"]
    kept = lines_kept(*script, "C USER user", bodies=False)
    assert kept[-5:] == [f"C {'x' * 17}", "C x", "C .", "S +OK", "C USER user"]
    refused = ["S +OK", *login, "C XTND XMIT", "S -ERR", "C USER user"]
    assert lines_kept(*refused) == refused


@pytest.mark.parametrize(
    "begun",
    [
        [],
        ["C PASS <redacted>", "S -ERR"],
        [f"C AUTH PLAIN {HIDDEN}", "S -ERR"],
        ["C AUTH LOGIN", "S + ", "C *", "S -ERR"],
        ["C USER user", "S +OK"],
    ],
)
def test_an_upload_before_the_login_is_none(begun: list[str]) -> None:
    script = ["S +OK", *begun, "C XTND XMIT", "S +OK"]
    for bodies in (True, False):
        kept = lines_kept(*script, "C PASS secret", "C a text", "C .", "C USER user", bodies=bodies)
        assert kept[: len(script) - 1] == script[:-1]
        assert kept[len(script) :] == [f"C {HIDDEN}"] * 4


@pytest.mark.parametrize(
    "ahead", [["C NOOP"], ["C AUTH LOGIN"], [f"C AUTH PLAIN {HIDDEN}"], ["C PASS <redacted>"]]
)
def test_an_upload_that_the_client_has_not_waited_for_is_none(ahead: list[str]) -> None:
    login = ["S +OK", "C PASS <redacted>", "S +OK"]
    kept = lines_kept(*login, "C XTND XMIT", *ahead, "S +OK", "C PASS secret", "C c2VjcmV0")
    assert kept[4:] == [*ahead, "S +OK", f"C {HIDDEN}", f"C {HIDDEN}"]


def test_nor_is_one_before_whose_answer_a_line_was_begun() -> None:
    redactor = Redactor(bodies=True, multiline=())
    redactor.server(b"+OK\r\n")
    redactor.client(b"PASS secret\r\n")
    redactor.server(b"+OK\r\n")
    assert redactor.client(b"XTND XMIT\r\nPASS sec") == b"XTND XMIT\r\n"
    redactor.server(b"+OK\r\n")
    assert redactor.client(b"ret\r\n") == HIDDEN.encode() + b"\r\n"


def test_nor_is_one_within_which_the_server_speaks() -> None:
    upload = ["S +OK", "C PASS <redacted>", "S +OK", "C XTND XMIT", "S +OK", "C text", "S -ERR"]
    assert lines_kept(*upload, "C PASS secret") == [*upload, f"C {HIDDEN}"]


def test_a_line_is_held_back_until_it_is_complete() -> None:
    redactor = Redactor(bodies=True, multiline=())
    assert [redactor.client(b"%c" % octet) for octet in b"PASS secret\r"] == [b""] * 12
    assert redactor.client(b"\nST") == b"PASS <redacted>\r\n"
    assert redactor.client(b"AT\n\r\n") == b"STAT\n\r\n"


def test_the_last_line_can_lack_its_end() -> None:
    redactor = Redactor(bodies=True, multiline=())
    redactor.client(b"USER user\r\nPASS sec")
    assert redactor.client_ended() == b"PASS <redacted>"
    assert redactor.client_ended() == b""
    assert redactor.server(b"+O") == b"+O"
    assert redactor.server_ended() == b""


def test_the_server_s_last_line_can_lack_its_end() -> None:
    redactor = Redactor(bodies=False, multiline=())
    assert redactor.server(b"+OK hi") == b""
    assert redactor.server_ended() == b"+OK hi"
    redactor = Redactor(bodies=False, multiline=())
    redactor.client(b"RETR 1\r\n")
    assert redactor.server(b"+OK\r\n+OK\r\nab") == b"+OK\r\n+OK\r\n"
    assert redactor.server(b"c\r\nde") == b"xxx\r\n"
    assert redactor.server_ended() == b"xx"


def test_a_long_body_is_passed_over_in_whatever_pieces() -> None:
    session = b"+OK\r\n+OK\r\n..dot\r\n" + b"x" * 70_000 + b"\r\n+ \r\n.\r\n-ERR no\r\n"
    for size in (1, 7, len(session)):
        redactor = Redactor()
        redactor.client(b"RETR 1\r\nAUTH LOGIN\r\n")
        for start in range(0, len(session), size):
            redactor.server(session[start : start + size])
        assert redactor.client(b"USER user\r\n") == b"USER user\r\n"


def kept(*steps: str, last: str) -> str:
    """What may be shown of ``last`` after ``steps``, told line by line."""
    redactor = LineRedactor()
    for step in steps:
        line = step[2:].encode()
        (redactor.sent if step[0] == "C" else redactor.answered)(line)
    return redactor.shown(last.encode()).decode()


def test_line_by_line() -> None:
    assert kept("S +OK", last="PASS secret") == "PASS <secret>"
    assert kept(last="AUTH c2VjcmV0Cg==") == "AUTH <secret>"
    assert kept("C CAPA", "C AUTH LOGIN", "S +OK", last="USER user") == "<secret>"
    assert kept("C CAPA", "C AUTH LOGIN", "S +OK", "S -ERR", last="USER user") == "USER user"
    assert kept("C AUTH LOGIN", "S +OK", last="PASS secret") == "<secret>"
    assert kept("C AUTHX", "S -ERR", last="UTF8") == "UTF8"
    assert kept("C AUTHLOGIN", "S +OK", last="c2VjcmV0") == "<secret>"
    assert kept("C AUTHLOGIN", "S + ", last="QUIT") == "QUIT"
    assert kept("C AUTH LOGIN", "S + ", last="*") == "*"
    assert kept("S +OK", last=f"APOP user {DIGEST}") == "APOP <secret>"
    assert kept("S +OK", last="AUTH PLAIN c2VjcmV0") == "AUTH PLAIN <secret>"


def test_answers_to_what_somebody_sent_elsewhere() -> None:
    assert kept("S + ", last="c2VjcmV0") == "<secret>"
    assert kept("S + ", last="STAT") == "STAT"
    assert kept("C AUTH LOGIN", "S + ", "S + ", last="c2VjcmV0") == "<secret>"
    assert kept("C STAT", "S +OK 1 2", "S +OK", last="UTF8") == "UTF8"


def test_who_knows_that_auth_is_over_can_say_so() -> None:
    redactor = LineRedactor()
    redactor.sent(b"AUTH PLAIN c2VjcmV0")
    redactor.auth_ended()
    assert redactor.shown(b"UTF8") == b"<secret>"
    redactor.answered(b"+OK")
    assert redactor.shown(b"UTF8") == b"<secret>"
    redactor.auth_ended()
    assert redactor.shown(b"UTF8") == b"UTF8"
