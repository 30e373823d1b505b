from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto.mail.parameters import read_parameters
from tests.property.effort import effort

NO_VALUE = "a parameter without a name or a value"
TWICE = "a parameter occurs twice"
MISSING = "a section of a parameter is missing"
CHARSET = "a parameter does not fit its charset, or the charset is not known"


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", {}),
        (";", {}),
        ("; ;;", {}),
        ("; a=b", {"a": "b"}),
        (';A = "b c" ;d=e', {"a": "b c", "d": "e"}),
        (r'; a="b;\"c\\"', {"a": r'b;"c\ '.strip()}),
        ("; a=b=c", {"a": "b=c"}),
        ("; a=", {"a": ""}),
        ('; a=""', {"a": ""}),
        ("; a=b (a comment)", {"a": "b"}),
        ("; a=b(1)", {"a": "b(1)"}),
        ("; a=b)", {"a": "b)"}),
        ("; a=two words.txt", {"a": "two words.txt"}),
        ('; a="b" c', {"a": "b"}),
        ('; a="b', {"a": "b"}),
        ("; a*=utf-8'en'%C3%A9", {"a": "é"}),
        ("; a*=iso-8859-1''%E9", {"a": "é"}),
        ("; a*=''%C3%A9", {"a": "é"}),
        ("; a*=%C3%A9", {"a": "é"}),
        ("; a*=utf-8''b'c'd", {"a": "b'c'd"}),
        ("; a*0*=utf-8''%C3; a*1*=%A9; a*2=%41", {"a": "é%41"}),
        ('; a*1="d e"; a*0="b c "', {"a": "b c d e"}),
        ("; a=b; a*=utf-8''c", {"a": "c"}),
        ('; a="=?utf-8?q?=C3=A9?="', {"a": "é"}),
        ("; a*=utf-8''b%0D%0Ac%00", {"a": "b\ufffd\ufffdc\ufffd"}),
        ("; a*99999=b", {"a*99999": "b"}),
        ("; **=b", {"**": "b"}),
    ],
)
def test_what_is_right(rest: str, expected: dict[str, str]) -> None:
    head, parameters, problems = read_parameters(f"text/plain {rest}")
    assert (head, parameters) == ("text/plain", expected)
    assert set(problems) <= {CHARSET}


@pytest.mark.parametrize(
    ("rest", "expected", "problem"),
    [
        ("; name*", {}, NO_VALUE),
        ("; =b", {}, NO_VALUE),
        ("; a=b; a=c", {"a": "b"}, TWICE),
        ("; a*1=b", {"a": ""}, MISSING),
        ("; a*0=b; a*2=c", {"a": "b"}, MISSING),
        ("; a*=unknown''%FF", {"a": "\ufffd"}, CHARSET),
        ("; a*=utf-8''%FF", {"a": "\ufffd"}, CHARSET),
        ('; a="=?utf-8?b?YQ?="', {"a": "a"}, "an encoded word has invalid base64"),
    ],
)
def test_what_is_wrong(rest: str, expected: dict[str, str], problem: str) -> None:
    assert read_parameters(f"text/plain{rest}") == ("text/plain", expected, [problem])


@effort(200)
@given(st.dictionaries(st.text("ab-", min_size=1), st.text("ab ;=\"\\'(),é中"), max_size=4))
def test_quoted_ones_come_back(parameters: dict[str, str]) -> None:
    line = "x"
    for name, value in parameters.items():
        escaped = value.replace("\\", r"\\").replace('"', r"\"")
        line += f'; {name}="{escaped}"'
    assert read_parameters(line) == ("x", parameters, [])
