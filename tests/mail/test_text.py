from __future__ import annotations

from encodings.aliases import aliases

import pytest

from pop3proto.mail import text
from pop3proto.mail.text import (
    as_octets,
    decoded,
    fit,
    unfolded,
    with_words_decoded,
    without_base64,
)

BASE64 = "an encoded word has invalid base64"
CHARSET = "an encoded word does not fit its charset, or the charset is not known"


@pytest.mark.parametrize("charset", ["uft-8", "UTF-8", "utf8", "us-ascii", "ascii", " utf_8 "])
def test_utf_8_has_many_names(charset: str) -> None:
    assert decoded("é".encode(), charset) == ("é", True)


@pytest.mark.parametrize(
    ("charset", "octets", "expected"),
    [
        ("iso-8859-1", b"\xe9", "é"),
        ("Windows-1252", b"\x80", "€"),
        ("iso-8859-8-i", b"\xe0", "א"),
        ("ISO-8859-8-E", b"\xe0", "א"),
        ("windows-874", b"\xa1", "ก"),
        ("koi8-u", b"\xa4", "є"),
        ("x-sjis", b"\x82\xa0", "あ"),
        ("gb2312", b"\xc4\xe3", "你"),
        ("iso-2022-jp", b'\x1b$B$"\x1b(B', "あ"),
        ("utf-16", b"\xff\xfea\0", "a"),
    ],
)
def test_charsets_of_real_mail(charset: str, octets: bytes, expected: str) -> None:
    assert decoded(octets, charset) == (expected, True)


@pytest.mark.parametrize(
    "charset",
    [
        *("unknown", "1", "", "x" * 10_000, "é", "..", "base64", "hex", "zlib", "rot13"),
        *("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"),
    ],
)
def test_an_unknown_charset_counts_as_utf_8(charset: str) -> None:
    assert decoded("é".encode(), charset) == ("é", False)
    assert decoded(b"\xe9", charset) == ("\ufffd", False)


def test_no_charset_raises() -> None:
    assert set(text._CODECS.values()) > set(aliases.values()) - text._NO_CHARSETS - {"ascii"}
    for charset in text._CODECS:
        for octets in (bytes(range(256)), b"\xff" * 7, b"+2AA-", b"\x1b$", b"~{"):
            found, _ = decoded(octets, charset)
            found.encode()


def test_what_does_not_fit() -> None:
    assert decoded(b"a\xff", "utf-8") == ("a\ufffd", False)
    assert decoded(b"+2AA-", "utf-7") == ("\ufffd", False)
    with pytest.raises(UnicodeDecodeError):
        decoded(b"\xff", "utf-8", "strict")


@pytest.mark.parametrize(
    ("octets", "expected", "valid"),
    [
        (b"", b"", True),
        (b"YWJj", b"abc", True),
        (b"YW\r\nJj\r\n", b"abc", True),
        (b"YQ==", b"a", True),
        (b"YQ", b"a", False),
        (b"YQ=", b"a", False),
        (b"YWJjY", b"abc", False),
        (b"YW!Jj", b"abc", False),
        (b"YQ==YmM=", b"abc", False),
        (b"=YQ=", b"a", False),
        (b"====", b"", True),
        (b"A", b"", False),
        (b"\x80\xff", b"", False),
    ],
)
def test_base64(octets: bytes, expected: bytes, valid: bool) -> None:
    assert without_base64(octets) == (expected, valid)


def test_octets_come_back() -> None:
    assert as_octets(bytes(range(256)).decode("ascii", "surrogateescape")) == bytes(range(256))
    assert as_octets("é") == "é".encode()


def test_a_field_is_unfolded() -> None:
    assert unfolded("a\r\n b\n\tc") == "a b\tc"
    assert unfolded("caf\udcc3\udca9 \udcff") == "café \ufffd"
    assert unfolded("a\rb\0\x0b\x85") == "a\ufffdb\ufffd\ufffd\ufffd"
    assert fit("a\u2028b\ud800\tc") == "a\ufffdb\ufffd\tc"
    # A terminal takes U+009B for the beginning of a command.
    assert fit("\x1b[2J\x9b2J") == "\ufffd[2J\ufffd2J"


@pytest.mark.parametrize(
    ("line", "expected", "problems"),
    [
        ("text", "text", []),
        ("=?utf-8?q?caf=C3=A9?=", "café", []),
        ("=?UTF-8?B?Y2Fmw6k=?=", "café", []),
        ("=?utf-8*en?q?a_b?= c", "a b c", []),
        ("=?utf-8?q?caf=C3?= \t=?utf-8?q?=A9?=", "café", []),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "aé", []),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c", []),
        ("x=?utf-8?q?a?=y", "xay", []),
        (" =?utf-8?q?a?= ", " a ", []),
        ("=?utf-8?q?two words?=", "two words", []),
        ("=?utf-8?b?YQ?=", "a", [BASE64]),
        ("=?unknown?q?=FF?=", "\ufffd", [CHARSET]),
        ("=?utf-8?q?=FF?=", "\ufffd", [CHARSET]),
        ("=?utf-8?q?a=0D=0ABcc:_b=00?=", "a\ufffd\ufffdBcc: b\ufffd", []),
        ("=?utf-8?x?a?= =?utf-8?q?a", "=?utf-8?x?a?= =?utf-8?q?a", []),
        ("=??q?a?=", "=??q?a?=", []),
        ("=?utf-8?q??=", "", []),
    ],
)
def test_encoded_words(line: str, expected: str, problems: list[str]) -> None:
    assert with_words_decoded(line) == (expected, problems)
