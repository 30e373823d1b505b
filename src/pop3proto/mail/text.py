"""Text from the octets of a mail, whatever they are."""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp
from encodings import normalize_encoding
from encodings.aliases import aliases

# Python has these, but lists no alias for them.
_WITHOUT_ALIAS = (
    *("cp1006", "cp720", "cp737", "cp856", "cp874", "koi8_t", "koi8_u", "utf_8_sig"),
    *("mac_arabic", "mac_croatian", "mac_farsi", "mac_romanian", "palmos"),
)
# Names that Python does not know, and what is meant by them.
_OTHER_NAMES = {
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "uft_8": "utf_8",
    "windows_874": "cp874",
    "x_sjis": "shift_jis",
}
# Only the encodings that are listed there are looked for. Python remembers each name that it has
# not found, and it has decoders that take quadratic time (IDNA, Punycode), that raise even when
# they are told to replace, or that do not make text.
_NAMES = {name: name for name in (*aliases.values(), *_WITHOUT_ALIAS)} | aliases | _OTHER_NAMES
_NO_CHARSETS = {
    *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "uu_codec", "zlib_codec"),
    *("mbcs", "rot_13"),
}
# For the octets of ASCII, UTF-8 says the same; for all others, it is often what was meant.
_CODECS = {
    name: "utf_8" if codec == "ascii" else codec
    for name, codec in _NAMES.items()
    if codec not in _NO_CHARSETS
}
_LONGEST_NAME = 40

_LINE_END = re.compile(r"\r?\n")
# Not allowed in the text of a field: controls but the tab, everything that str.splitlines() takes
# for the end of a line, and surrogates.
_UNFIT = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# RFC 2047 section 2, with the language of RFC 2231 section 5. No part can match the question mark
# that ends it, so the search is linear.
_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/\s=]")


def as_octets(text: str) -> bytes:
    """Return the octets that stand in ``text`` as surrogate escapes, and other text as UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def decoded(octets: bytes, charset: str, errors: str = "replace") -> tuple[str, bool]:
    """Return the text of ``octets``, and whether ``charset`` is known and fits them.

    If it is not known, they are read as UTF-8. U+FFFD replaces what cannot be decoded.
    """
    name = normalize_encoding(charset.strip()).lower() if len(charset) <= _LONGEST_NAME else ""
    codec = _CODECS.get(name)
    text = octets.decode(codec or "utf_8", errors)
    # Some decoders, that of UTF-7 for one, let single surrogates pass.
    text = _SURROGATE.sub("\ufffd", text)
    return text, codec is not None and "\ufffd" not in text


def without_base64(octets: bytes) -> tuple[bytes, bool]:
    """Return what base64 stands for, and whether it is valid.

    Foreign characters are skipped, the padding is supplied, and an odd last character is dropped.
    After padding, another piece of base64 may follow.
    """
    foreign = _NOT_BASE64.search(octets) is not None
    digits = b"".join(_NOT_BASE64.sub(b"", octets).split())
    pieces = [piece for piece in digits.split(b"=") if piece]
    valid = not foreign and len(digits) % 4 == 0 and b"=" not in digits.rstrip(b"=")
    return b"".join(map(_from_digits, pieces)), valid


def _from_digits(digits: bytes) -> bytes:
    usable = digits[:-1] if len(digits) % 4 == 1 else digits
    return a2b_base64(usable + b"=" * (-len(usable) % 4))


def unfolded(raw: str) -> str:
    """Return a field as it stands in the message, on one line, with 8-bit octets read as UTF-8."""
    return fit(as_octets(_LINE_END.sub("", raw)).decode("utf-8", "replace"))


def fit(text: str) -> str:
    """Return ``text`` with U+FFFD for what a line of text cannot hold."""
    return _UNFIT.sub("\ufffd", text)


def with_words_decoded(line: str) -> tuple[str, list[str]]:
    """Return a line with its encoded words decoded (RFC 2047), and what was wrong with them.

    Encoded words next to each other may share a character, if they have the same charset.
    """
    pieces: list[str] = []
    problems: list[str] = []
    charset, end = "", 0
    octets: list[bytes] = []
    for word in _ENCODED_WORD.finditer(line):
        between = line[end : word.start()]
        same = word[1].lower() == charset and not between.strip()
        if not same:
            pieces.append(_word(octets, charset, problems))
            # White space between encoded words is not part of the text.
            pieces.append(between if between.strip() or not charset else "")
            octets.clear()
        charset, end = word[1].lower(), word.end()
        octets.append(_octets_of(word, problems))
    pieces.append(_word(octets, charset, problems))
    return "".join([*pieces, line[end:]]), problems


def _octets_of(word: re.Match[str], problems: list[str]) -> bytes:
    octets = as_octets(word[3])
    if word[2] in "Qq":
        return a2b_qp(octets, header=True)
    octets, valid = without_base64(octets)
    if not valid:
        problems.append("an encoded word has invalid base64")
    return octets


def _word(octets: list[bytes], charset: str, problems: list[str]) -> str:
    if not charset:
        return ""
    text, fits = decoded(b"".join(octets), charset)
    if not fits:
        problems.append("an encoded word does not fit its charset, or the charset is not known")
    return fit(text)
