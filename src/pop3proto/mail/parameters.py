"""The parameters of a field such as Content-Type (RFC 2045 section 5.1, RFC 2231)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from .addresses import unquoted
from .text import as_octets, decoded, fit, with_words_decoded

# Up to the next semicolon that is not between quotation marks. It cannot fail, so that nothing is
# read twice.
_PIECE = re.compile(r'(?:[^";]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+', re.DOTALL)
_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
# RFC 2231 sections 3 and 4: "name*", "name*0", "name*0*".
_EXTENDED = re.compile(r"([^*]+)\*(?:(\d{1,4})(\*)?)?", re.ASCII)
_Sections = dict[int, tuple[str, bool]]


def read_parameters(line: str) -> tuple[str, dict[str, str], list[str]]:
    """Return what stands before the parameters, the parameters, and what was wrong with them.

    Their names are in lower case. The first of those with the same name counts.
    """
    problems: list[str] = []
    plain: dict[str, str] = {}
    extended: dict[str, _Sections] = {}
    head, *pieces = _pieces(line)
    for piece in filter(str.strip, pieces):
        name, equals, text = piece.partition("=")
        name, text = name.strip().lower(), _value(text.strip())
        if not equals or not name:
            problems.append("a parameter without a name or a value")
        elif found := _EXTENDED.fullmatch(name):
            section = (text, found[2] is None or found[3] is not None)
            extended.setdefault(found[1], {}).setdefault(int(found[2] or 0), section)
        elif name in plain:
            problems.append("a parameter occurs twice")
        else:
            plain[name], wrong = with_words_decoded(text)
            problems += wrong
    for name, sections in extended.items():
        plain[name] = _joined(sections, problems)
    return head.strip(), plain, problems


def _pieces(line: str) -> list[str]:
    if '"' not in line:
        return line.split(";")
    pieces: list[str] = []
    position = 0
    while True:
        # It matches everywhere.
        end = _PIECE.match(line, position).end()  # type: ignore[union-attr]
        pieces.append(line[position:end])
        if end == len(line):
            return pieces
        position = end + 1


def _value(text: str) -> str:
    if quoted := _QUOTED.match(text):
        return unquoted(quoted[0])
    # A comment may follow: charset=us-ascii (Plain text).
    before = text.rpartition("(")[0] if text.endswith(")") else ""
    return before.rstrip() if before[-1:].isspace() else text


def _joined(sections: _Sections, problems: list[str]) -> str:
    charset = "utf-8"
    octets: list[bytes] = []
    for number in range(len(sections)):
        if number not in sections:
            problems.append("a section of a parameter is missing")
            break
        text, percent = sections[number]
        if not number and percent and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets.append(unquote_to_bytes(as_octets(text)) if percent else as_octets(text))
    text, fits = decoded(b"".join(octets), charset or "utf-8")
    if not fits:
        problems.append("a parameter does not fit its charset, or the charset is not known")
    return fit(text)
