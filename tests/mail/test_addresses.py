from __future__ import annotations

from email.headerregistry import Address, Group, HeaderRegistry
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto.mail.addresses import AddressReader, unquoted
from tests.property.effort import effort


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ""),
        ("a@example.org", "a@example.org"),
        ("a@example.org,b@example.org", "a@example.org, b@example.org"),
        (" , a@example.org, ,", "a@example.org"),
        ("A B <a@example.org>", "A B <a@example.org>"),
        ("<a@example.org>", "a@example.org"),
        ('"B, A" <a@example.org>', '"B, A" <a@example.org>'),
        (r'"a \"b\" c" <a@example.org>', r'"a \"b\" c" <a@example.org>'),
        ("=?utf-8?q?J=C3=BCrgen?= <a@example.org>", "Jürgen <a@example.org>"),
        ('"=?utf-8?q?J=C3=BCrgen?=" <a@example.org>', "Jürgen <a@example.org>"),
        ("=?utf-8?q?boss=40example.org=2C?= <a@b>", '"boss@example.org," <a@b>'),
        ("=?utf-8?q?Re:_x?= <a@b>", '"Re: x" <a@b>'),
        (
            "a (a comment (in it \\) another)) @example.org",
            '"a comment (in it ) another)" <a@example.org>',
        ),
        ("A (a comment) <a@example.org>", "A <a@example.org>"),
        ("root@example.org (=?utf-8?q?Cron_D=C3=A6mon?=)", "Cron Dæmon <root@example.org>"),
        ("(b) (c) a@example.org, d@example.org", "c <a@example.org>, d@example.org"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ('"a b"@example.org', '"a b"@example.org'),
        (r'<"a\"b,>"@example.org>', r'"a\"b,>"@example.org'),
        ("<@x.example,@y.example:a@example.org>", "a@example.org"),
        ("Team: a@b.example, C <c@d.example>;", "Team: a@b.example, C <c@d.example>;"),
        ("Team (a comment): a@example.org;", "Team: a@example.org;"),
        ("undisclosed-recipients:;", "undisclosed-recipients:;"),
        ("A: a@b; , c@d", "A: a@b;, c@d"),
        ("jürgen@exämple.org", "jürgen@exämple.org"),
    ],
)
def test_what_is_right(line: str, expected: str) -> None:
    found = AddressReader(line)
    assert found.problems == []
    assert ", ".join(map(str, found.groups)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        *((line, "") for line in ("(c):", '"', "<", "a@", "a@[", "@", "<>", "<a", "a", ":", ";")),
        *((line, "") for line in ("a b@c", "a@b@c", "a@b c", "(" * 3000, "[", "\\", '"a"', "()a")),
        *((line, "") for line in ("x <a>:", ">", ")", 'a@"b"', '""@', "<a@b c>")),
        ("a@b, (c):", "a@b"),
        ("=:", "=:;"),
        ("a@b; c@d", "a@b, c@d"),
        ("A: a@b", "A: a@b;"),
        ("A: B: a@b;", "A: a@b;"),
        ("<a@b> <c@d>", "a@b"),
        ("a@b)", "a@b"),
        ("<a@b>:", "a@b"),
        ("=?utf-8?b?YQ?= <a@b>", "a <a@b>"),
        ("x <a@b", "x <a@b>"),
    ],
)
def test_what_is_wrong(line: str, expected: str) -> None:
    found = AddressReader(line)
    assert found.problems
    assert ", ".join(map(str, found.groups)) == expected


def test_quotation_marks() -> None:
    assert unquoted(r'"a\"b"') == 'a"b'
    assert unquoted('"a') == "a"
    assert unquoted('"') == ""
    assert unquoted("a") == "a"


atoms = st.from_regex(r"[a-z0-9!#$%&'*+/=^_`{|}~-]{1,8}", fullmatch=True)
dotted = st.lists(atoms, min_size=1, max_size=3).map(".".join)
locals_ = dotted | st.text('ab <>,:;@"\\()[]', min_size=1, max_size=8)
names = st.text('abü ,:;<>@"\\()[]éà中', max_size=12).map(lambda name: " ".join(name.split()))
addresses = st.builds(Address, names, locals_, dotted)
groups = st.builds(Group, dotted, st.lists(addresses, max_size=3))
fields = st.lists(addresses.map(lambda a: Group(None, [a])) | groups, min_size=1, max_size=4)


@effort(200)
@given(fields)
def test_what_the_standard_library_writes_is_read(field: list[Group]) -> None:
    found = AddressReader(", ".join(map(str, field)))
    assert found.problems == []
    assert tuple(found.groups) == tuple(field)


@effort(200)
@given(st.lists(st.builds(Address, dotted, dotted, dotted), min_size=1, max_size=4))
def test_it_reads_as_the_standard_library_does(field: list[Address]) -> None:
    line = ", ".join(map(str, field))
    expected: Any = HeaderRegistry()("To", line)
    assert tuple(AddressReader(line).groups) == expected.groups
