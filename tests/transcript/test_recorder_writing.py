"""A transcript that is written while the session goes on."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto.errors import LocalProtocolError
from pop3proto.transcript import (
    EndOfStream,
    Entry,
    Line,
    Recorder,
    Role,
    TlsEstablished,
    Transcript,
    TranscriptWriter,
)

ROLES: tuple[Role, Role] = ("client", "server")
ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Line, st.sampled_from(ROLES), st.binary() | st.just(b"a line\r\n")),
    st.just(TlsEstablished()),
    st.builds(EndOfStream, st.sampled_from(ROLES)),
)


@given(st.lists(ENTRIES))
def test_it_is_the_transcript_of_the_entries(entries: list[Entry]) -> None:
    file = io.StringIO()
    writer = TranscriptWriter(file)
    for entry in entries:
        writer.write(entry)
        # At each moment, the file is a transcript.
        Transcript.loads(file.getvalue())
    writer.close()
    writer.close()
    assert file.getvalue() == Transcript(entries).dumps()


def test_a_line_is_written_when_it_is_complete() -> None:
    file = io.StringIO()
    recorder = Recorder(sink=TranscriptWriter(file).write)
    recorder.received(b"+OK re")
    assert file.getvalue().count("\n") == 1
    recorder.received(b"ady\r\n")
    recorder.sent(b"USER user\r\nPASS secret\r\n")
    assert file.getvalue().splitlines()[1:] == [
        r"S: +OK ready\r\n",
        r"C: USER user\r\n",
        r"C: PASS <redacted>\r\n",
    ]
    assert len(recorder.transcript) == 0


def test_a_long_line_takes_no_memory() -> None:
    file = io.StringIO()
    writer = TranscriptWriter(file)
    for _ in range(100):
        writer.write(Line("server", b"x" * 10_000))
    # Little is held back, and what was written in pieces is one line when it is read.
    assert len(file.getvalue()) > 900_000
    writer.close()
    assert list(Transcript.loads(file.getvalue())) == [Line("server", b"x" * 1_000_000)]


def test_arguments_of_another_type() -> None:
    wrong: Any = "file.txt"
    with pytest.raises(LocalProtocolError, match="file is open for text, unlike str"):
        TranscriptWriter(wrong)
    with pytest.raises(LocalProtocolError, match="sink is a function, not str"):
        Recorder(sink=wrong)
