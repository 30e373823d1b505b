"""Reports: what counts, and each of their forms."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

from pop3proto.conformance import (
    Baseline,
    Case,
    Conversation,
    Report,
    Result,
    Severity,
    Verdict,
    as_html,
    as_json,
    as_junit,
    text_lines,
)

NASTY = "<script>alert('x')</script> & \"quoted\" ]]>"


def case(number: str, severity: Severity = Severity.ERROR) -> Case[object]:
    title = f"The server does {number}."
    return Case(number, "RFC 1939 section 5", title, run=lambda _: None, severity=severity)


def result(number: str, verdict: Verdict, severity: Severity = Severity.ERROR) -> Result:
    said = (Conversation("a session", ("C: STAT\\r\\n", f"S: {NASTY}")),)
    reason = "" if verdict is Verdict.PASS else f"{number} said {NASTY}"
    return Result(case(number, severity), verdict, reason, severity, 0.25, said)


RESULTS = [
    result("S101", Verdict.PASS),
    result("S102", Verdict.FAIL),
    result("S103", Verdict.FAIL, Severity.WARNING),
    result("S104", Verdict.NOT_OFFERED),
    result("S105", Verdict.NOT_TESTED),
    result("S106", Verdict.FAIL),
    result("S107", Verdict.PASS),
]


def report(known: str = "S106 S107", *, strict: bool = False) -> Report:
    baseline = Baseline(dict.fromkeys(known.split(), "known"))
    return Report(
        "server",
        "pop://user@pop.example.org",
        RESULTS,
        time="2026-01-01T00:00:00Z",
        version="1.0",
        facts=[("greeting", NASTY)],
        baseline=baseline,
        strict=strict,
    )


def test_what_counts() -> None:
    made = report()
    outcomes = ["pass", "fail", "warning", "not offered", "not tested", "known", "pass"]
    assert [made.outcome(each) for each in RESULTS] == outcomes
    assert made.counts == {
        "pass": 2,
        "fail": 1,
        "known": 1,
        "warning": 1,
        "not offered": 1,
        "not tested": 1,
    }
    assert [each.case.number for each in made.new] == ["S102"]
    assert not made.ok
    assert made.mended == ["S107"]


def test_a_run_with_known_failures_alone_is_ok() -> None:
    assert report("S102 S106").ok
    assert not report("S102 S106", strict=True).ok
    assert report("S102 S103 S106", strict=True).ok


def test_the_baseline_of_a_run_knows_all_its_failures() -> None:
    baseline = report().baseline()
    assert [*baseline] == ["S102", "S103", "S106"]
    assert Baseline.load(baseline.dumps().splitlines()) == baseline


def test_json() -> None:
    read = json.loads(as_json(report()))
    assert (read["format"], read["ok"], read["mended"]) == (1, False, ["S107"])
    assert read["results"][1] == {
        "number": "S102",
        "clause": "RFC 1939 section 5",
        "title": "The server does S102.",
        "severity": "error",
        "destructive": False,
        "outcome": "fail",
        "verdict": "fail",
        "reason": f"S102 said {NASTY}",
        "seconds": 0.25,
        "conversations": [{"title": "a session", "lines": ["C: STAT\\r\\n", f"S: {NASTY}"]}],
    }


def test_junit() -> None:
    for strict, failing in ((False, ["S102"]), (True, ["S102", "S103"])):
        made = report(strict=strict)
        (suite,) = ElementTree.fromstring(as_junit(made))
        assert suite.get("tests") == "7"
        assert suite.get("failures") == str(len(failing))
        assert suite.get("skipped") == str(5 - len(failing))
        failed = [each for each in suite if each.find("failure") is not None]
        assert [(each.get("name") or "")[:4] for each in failed] == failing
        text = failed[0].findtext("failure")
        assert text is not None
        assert NASTY in text
        skipped = [each for each in suite if each.find("skipped") is not None]
        assert len(skipped) == 5 - len(failing)


class Page(HTMLParser):
    """What a browser makes of a page: its tags and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.shown = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick"}

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_html_needs_nothing_else_and_shows_what_a_server_says_as_text() -> None:
    page = Page(as_html(report()))
    assert not page.tags & {"script", "img", "link", "iframe", "a"}
    assert f"S102 said {NASTY}" in page.shown
    assert f"S: {NASTY}" in page.shown


def test_text() -> None:
    lines = [*text_lines(report())]
    assert lines[0] == "server pop://user@pop.example.org"
    assert not any("S101" in line for line in lines)
    assert f"S102  fail         The server does S102: S102 said {NASTY}" in lines
    assert "      RFC 1939 section 5" in lines
    assert "      RFC 1939 section 5, a SHOULD" in lines
    assert "      C: STAT\\r\\n" in lines
    assert any("pass now" in line and "S107" in line for line in lines)
    assert any("S101" in line for line in text_lines(report(), verbose=True))


def test_only_the_end_of_a_long_conversation_is_on_the_terminal() -> None:
    said = (Conversation("a session", tuple(f"C: {n}" for n in range(50))),)
    failed = Result(case("S102"), Verdict.FAIL, "x", Severity.ERROR, 0.0, said)
    made = Report("server", "url", [failed], time="now", version="1.0")
    lines = [*text_lines(made)]
    assert "      C: 49" in lines
    assert "      C: 0" not in lines
    assert "      (37 lines before)" in lines
