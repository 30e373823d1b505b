"""Commands and LMTP servers: what was taken is not handed over again, and nothing else is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pop3proto.errors import LocalProtocolError
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.sync import (
    Delivery,
    DeliveryError,
    Fetching,
    Lmtp,
    Mda,
    Policy,
    Record,
    Standing,
    State,
    lmtp_session,
)
from pop3proto.sync.handover import Handover
from pop3proto.testing import memory_stream
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.sync.faults import PowerCutError, counted
from tests.sync.lmtp_server import LmtpServer
from tests.sync.test_delivery import without_waiting

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs /bin/sh")

CONTENTS = [
    b"Subject: one\r\n\r\n.\r\n..\r\n",
    b"Subject: two\r\n\r\ntwo\r\n",
    b"Subject: three\r\n\r\n\xe4 three\r\n",
    b".\r\n",
    b"Subject: five\r\n\r\n" + b"x" * 70_000 + b"\r\n",
]
UNIX = [content.replace(b"\r\n", b"\n") for content in CONTENTS]
DELETE = Policy(delete_after=0)
RECIPIENT = "me@example.org"


class Taker:
    """A command that appends messages to a file, and does what it is told after that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "take"
        self.taken_file = folder / "taken"
        self.then("")

    def then(self, script: str) -> None:
        """Take a message, and run ``script``; ``N`` is the number of the message in this file."""
        self.script.write_text(
            f'#!/bin/sh\ncat > "{self.folder}/$$"\n{script}\nmkdir -p "{self.taken_file}"\n'
            f'mv "{self.folder}/$$" "{self.taken_file}/$$"\n'
        )
        self.script.chmod(0o700)

    @property
    def taken(self) -> Counter[bytes]:
        if not self.taken_file.exists():
            return Counter()
        return Counter(path.read_bytes() for path in self.taken_file.iterdir())


class Place:
    """A maildrop whose messages are handed over."""

    def __init__(self, folder: Path, make: Callable[[str, str], Delivery]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.make = make
        self.maildrops = MemoryMaildrops({"user": CONTENTS})
        self.records: list[Record] = []
        self.fetching: Fetching

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def run(self, policy: Policy = DELETE) -> Fetching:
        stream = memory_stream(
            self.maildrops, password="secret", options=ServerOptions(allow_plaintext_auth=True)
        )
        options = ClientOptions(allow_plaintext_auth=True)
        with (
            State(self.folder / "state") as state,
            without_waiting(state).account("user") as account,
            Client.start(stream, security=Security.PLAINTEXT, options=options) as client,
        ):
            client.login("user", "secret")
            delivery = self.make(str(self.spool), account.tag)
            self.fetching = Fetching(client, delivery, account, policy, now=1000.0)
            try:
                self.fetching.run()
            finally:
                with suppress(Exception):
                    self.records = account.records()
            return self.fetching

    def drafts(self) -> list[str]:
        names = os.listdir(self.spool) if self.spool.exists() else []
        return [name for name in names if not name.startswith(("taken-", "partly-"))]


@pytest.fixture
def taker(tmp_path: Path) -> Taker:
    return Taker(tmp_path)


@pytest.fixture
def place(tmp_path: Path, taker: Taker) -> Place:
    return Place(tmp_path / "a", lambda spool, tag: Mda([str(taker.script)], spool, tag))


def by_lmtp(folder: Path, server: LmtpServer, **options: Any) -> Place:
    options = {"recipient": RECIPIENT, **options}
    return Place(folder, lambda spool, tag: Lmtp(server.address, spool=spool, tag=tag, **options))


class TestCommand:
    def test_it_gets_every_message_once(self, place: Place, taker: Taker) -> None:
        fetching = place.run()
        assert (fetching.new, fetching.deletions, fetching.confirmed) == (5, 5, True)
        assert taker.taken == Counter(UNIX)
        assert place.maildrops.contents("user") == []
        assert place.drafts() == []
        assert {record.standing for record in place.records} == {Standing.DELETED}
        assert place.run().new == 0

    def test_line_ends_as_they_came(self, tmp_path: Path, taker: Taker) -> None:
        def crlf(spool: str, tag: str) -> Mda:
            return Mda([str(taker.script)], spool, tag, line_feeds=False)

        Place(tmp_path / "a", crlf).run()
        assert taker.taken == Counter(CONTENTS)

    @pytest.mark.parametrize(
        ("how", "told", "transient"),
        [
            ("exit 75", "has ended with code 75", True),
            ("exit 73", "has ended with code 73", True),
            ("exit 67", "has ended with code 67", False),
            ("echo no >&2; echo such user; exit 67", "code 67: no such user", False),
            ("kill -9 $$", "was ended by signal 9", True),
        ],
    )
    def test_what_it_does_not_take_stays(
        self, place: Place, taker: Taker, how: str, told: str, transient: bool
    ) -> None:
        taker.then(f'grep -q two "{taker.folder}/$$" && {{ {how}; }}')
        fetching = place.run()
        assert [*fetching.undelivered] == [2]
        assert told in str(fetching.undelivered[2])
        assert fetching.undelivered[2].transient is transient
        assert taker.taken == Counter(UNIX) - Counter(UNIX[1:2])
        assert (fetching.new, fetching.deletions) == (4, 4)
        assert place.maildrops.contents("user") == CONTENTS[1:2]
        assert len(place.records) == 4
        assert place.drafts() == []
        # It is tried again, and nothing else is.
        taker.then("")
        assert place.run().new == 1
        assert taker.taken == Counter(UNIX)

    def test_it_is_stopped_after_a_time(self, tmp_path: Path, taker: Taker) -> None:
        taker.then("sleep 60")
        place = Place(
            tmp_path / "a",
            lambda spool, tag: Mda([str(taker.script)], spool, tag, timeout=0.05),
        )
        place.maildrops = MemoryMaildrops({"user": CONTENTS[:1]})
        fetching = place.run()
        assert "stopped after 0.05 seconds" in str(fetching.undelivered[1])
        assert fetching.undelivered[1].transient
        assert place.maildrops.contents("user") == CONTENTS[:1]

    def test_there_is_no_such_command(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "a", lambda spool, tag: Mda(["/no/such"], spool, tag))
        with pytest.raises(FileNotFoundError, match="no such command"):
            place.run()
        assert place.maildrops.contents("user") == CONTENTS

    def test_what_it_takes_after_this_process_was_killed(self, tmp_path: Path) -> None:
        """The witness notes it, and the next run waits for that."""
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        taker = Taker(tmp_path)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        # It tells that it has begun, and goes on when this process is gone.
        taker.then(f'echo > "{pipe}"; cat "{pipe}" > {os.devnull}')
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        spool = tmp_path / "spool"
        process = subprocess.Popen(
            [sys.executable, str(program), str(taker.script), str(spool)], env=environment
        )
        pipe.read_bytes()
        process.send_signal(signal.SIGKILL)
        process.wait()
        delivery = Mda([str(taker.script)], spool, "tag", timeout=0.2)
        with pytest.raises(DeliveryError, match="still takes a message") as caught:
            delivery.begin({"tag-1"})
        assert caught.value.transient
        pipe.write_bytes(b"\n")
        taker.then("")
        delivery = Mda([str(taker.script)], spool, "tag")
        delivery.begin({"tag-1"})
        assert delivery.store([_record("tag-1")]) == []
        delivery.close()
        assert taker.taken == Counter([b"text\n"])

    def test_a_program_that_is_interrupted_leaves_it_alone(
        self, place: Place, taker: Taker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wait: Any = subprocess.Popen.wait
        ended = []

        def interrupted(process: Any, timeout: Any = None) -> Any:
            ended.append(wait(process))
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(subprocess.Popen, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                place.run()
        assert ended == [0]
        assert taker.taken.total() == 1
        assert place.run().there == 1
        assert taker.taken == Counter(UNIX)

    @pytest.mark.parametrize(
        ("arguments", "options", "told"),
        [
            ("procmail", {}, "arguments are a list of str"),
            ([], {}, "arguments begin with a command"),
            (["a\0b"], {}, "have no NUL"),
            ([5], {}, "int is not one"),
            (["a"], {"timeout": 0}, "timeout is a finite number of seconds"),
            (["a"], {"line_feeds": 1}, "line_feeds is True or False, not int"),
        ],
    )
    def test_wrong_arguments(self, arguments: Any, options: dict[str, Any], told: str) -> None:
        with pytest.raises(LocalProtocolError, match=told):
            Mda(arguments, "spool", "tag", **options)

    def test_drafts_that_have_gone(self, tmp_path: Path, taker: Taker) -> None:
        delivery = Mda([str(taker.script)], tmp_path / "spool", "tag")
        delivery.begin({"tag-1"})
        assert delivery.store([_record("tag-1")]) == [_record("tag-1")]
        delivery.close()

    def test_it_needs_a_shell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pop3proto.sync.mda._SHELL", "/no/such/shell")
        with pytest.raises(LocalProtocolError, match="needs /no/such/shell"):
            Mda(["a"], "spool", "tag")


PROGRAM = """
import sys
from pop3proto.sync import Mda, Record
delivery = Mda([sys.argv[1]], sys.argv[2], "tag")
delivery.begin(set())
draft = delivery.draft()
draft.write(b"text\\r\\n")
draft.finish()
delivery.written(draft)
delivery.settle()
import os
os.rename(os.path.join(sys.argv[2], draft.name), os.path.join(sys.argv[2], "tag-1"))
delivery.store([Record(1, 6, b"", b"a", 6, 0.0, 0.0, draft="tag-1")])
"""


def _record(draft: str) -> Record:
    return Record(1, 6, b"", b"a", 6, 0.0, 0.0, Standing.STORING, draft=draft)


class TestLmtp:
    @pytest.mark.parametrize("extensions", [[], ["PIPELINING"], ["8BITMIME", "SIZE", "x"]])
    @pytest.mark.parametrize("unix", [False, True])
    def test_it_gets_every_message_once(
        self, tmp_path: Path, extensions: list[str], unix: bool
    ) -> None:
        with LmtpServer(tmp_path / "socket" if unix else None, extensions) as server:
            place = by_lmtp(tmp_path / "a", server, sender="you@example.org")
            assert place.run().new == 5
            assert Counter(server.taken) == Counter(CONTENTS)
            assert place.maildrops.contents("user") == []
            assert place.drafts() == []
        extra = b" SIZE=31 BODY=8BITMIME" if "SIZE" in extensions else b""
        assert server.commands[:4] == [
            b"LHLO localhost\r\n",
            b"MAIL FROM:<you@example.org>"
            + extra.replace(b"31", b"%d" % len(CONTENTS[0]))
            + b"\r\n",
            b"RCPT TO:<me@example.org>\r\n",
            b"DATA\r\n",
        ]
        # One connection for each group.
        assert server.commands.count(b"QUIT\r\n") == 3

    @pytest.mark.slow
    @pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
    @pytest.mark.parametrize(
        ("command", "answer", "transient"),
        [
            ("MAIL", "552 too large", False),
            ("RCPT", "450-later\r\n450 on", True),
            ("RCPT", "550 no such user", False),
            ("DATA", "451 not now", True),
            ("after", "452 no room", True),
            ("after", "554 spam", False),
        ],
    )
    def test_what_it_refuses_stays(
        self, tmp_path: Path, extensions: list[str], command: str, answer: str, transient: bool
    ) -> None:
        with LmtpServer(None, extensions) as server:
            place = by_lmtp(tmp_path / "a", server)
            if command == "after":
                server.after = answer
            else:
                server.answers[command] = answer
            fetching = place.run()
            assert [*fetching.undelivered] == [1, 2, 3, 4, 5]
            error = fetching.undelivered[3]
            code = answer[:3]
            assert str(error).startswith(f"the LMTP server has refused the message: {code} ")
            assert error.transient is transient
            assert (fetching.new, fetching.deletions) == (0, 0)
            assert place.records == []
            server.answers.clear()
            server.after = "250 taken"
            assert place.run().new == 5
            assert Counter(server.taken) == Counter(CONTENTS)

    @pytest.mark.slow
    @pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
    @pytest.mark.parametrize("command", ["LHLO", "MAIL", "RCPT", "DATA"])
    def test_a_connection_that_is_lost_ends_the_session(
        self, tmp_path: Path, extensions: list[str], command: str
    ) -> None:
        with LmtpServer(None, extensions) as server:
            place = by_lmtp(tmp_path / "a", server)
            server.hangs_up.add(command)
            with pytest.raises(DeliveryError, match=r"cannot be used: ") as caught:
                place.run()
            assert caught.value.transient
            assert len(place.maildrops.contents("user")) == 5
            server.hangs_up.clear()
            # The message that was fetched then is handed over now.
            assert place.run().there == 1
            assert Counter(server.taken) == Counter(CONTENTS)

    @pytest.mark.parametrize(
        ("greeting", "told"),
        [
            ("554 go away", "554 go away"),
            ("421 too busy", "421 too busy"),
            ("hello", "does not speak LMTP"),
            ("+OK POP3", "does not speak LMTP"),
            ("220-x\r\n" * 100 + "220 x", "its reply does not end"),
            ("220 " + "x" * 3000, "does not speak LMTP"),
        ],
    )
    def test_what_is_no_lmtp_server(self, tmp_path: Path, greeting: str, told: str) -> None:
        with LmtpServer() as server:
            server.greeting = greeting
            with pytest.raises(DeliveryError, match=told):
                by_lmtp(tmp_path / "a", server).run()

    def test_nobody_listens(self, tmp_path: Path) -> None:
        with LmtpServer() as server:
            pass
        with pytest.raises(DeliveryError, match="refused") as caught:
            by_lmtp(tmp_path / "a", server).run()
        assert caught.value.transient

    def test_no_socket_is_there(self, tmp_path: Path) -> None:
        with LmtpServer() as server:
            server.address = str(tmp_path / "none")
            with pytest.raises(DeliveryError, match="No such file"):
                by_lmtp(tmp_path / "a", server).run()

    def test_a_message_of_an_earlier_run_that_is_refused(self, tmp_path: Path) -> None:
        """Its number is not known then, so it is fetched once more, and tried once more."""
        with LmtpServer() as server:
            place = by_lmtp(tmp_path / "a", server)
            server.hangs_up.add("DATA")
            with pytest.raises(DeliveryError):
                place.run()
            assert len(place.records) == 1
            server.hangs_up.clear()
            server.answers["RCPT"] = "550 no"
            assert [*place.run().undelivered] == [1, 2, 3, 4, 5]
            assert place.records == []
            assert place.drafts() == []

    @pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
    @pytest.mark.parametrize("command", ["MAIL", "RCPT"])
    def test_a_server_that_closes_in_the_middle(
        self, tmp_path: Path, command: str, extensions: list[str]
    ) -> None:
        with LmtpServer(None, extensions) as server:
            place = by_lmtp(tmp_path / "a", server)
            server.answers[command] = "421 shutting down"
            fetching = place.run()
            assert {error.transient for error in fetching.undelivered.values()} == {True}
            assert fetching.deletions == 0

    def test_an_answer_that_is_lost_means_once_more(self, tmp_path: Path) -> None:
        """RFC 1047: nobody can tell if it was taken, so it is not lost."""
        with LmtpServer() as server:
            place = by_lmtp(tmp_path / "a", server)
            server.after = None
            with pytest.raises(DeliveryError):
                place.run()
            server.after = "250 taken"
            place.run()
            assert Counter(server.taken) == Counter([*CONTENTS, CONTENTS[0]])

    @pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
    def test_each_of_several_recipients_gets_every_message_once(
        self, tmp_path: Path, extensions: list[str]
    ) -> None:
        with LmtpServer(None, extensions) as server:
            place = by_lmtp(tmp_path / "a", server, recipient=["a", "b", "a"])
            assert place.run().new == 5
            assert server.taken_by == {"a": Counter(CONTENTS), "b": Counter(CONTENTS)}
            assert place.maildrops.contents("user") == []
            assert place.drafts() == []

    @pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
    def test_nobody_gets_what_one_may_not_get(self, tmp_path: Path, extensions: list[str]) -> None:
        with LmtpServer(None, extensions) as server:
            place = by_lmtp(tmp_path / "a", server, recipient=["a", "b"])
            server.refused = {"b": "550 no such user"}
            fetching = place.run()
            assert [*fetching.undelivered] == [1, 2, 3, 4, 5]
            assert str(fetching.undelivered[1]).endswith(": 550 no such user")
            assert not fetching.undelivered[1].transient
            assert server.taken_by == {}
            assert len(place.maildrops.contents("user")) == 5
            server.refused = {}
            assert place.run().new == 5
            assert server.taken_by == {"a": Counter(CONTENTS), "b": Counter(CONTENTS)}

    @pytest.mark.parametrize("answer", ["452 no room", "552 too large", "421 shutting down", None])
    def test_who_has_got_a_message_does_not_get_it_again(
        self, tmp_path: Path, answer: str | None
    ) -> None:
        """Two of the messages are the same, and each of them counts."""
        same = [*CONTENTS, CONTENTS[0]]
        with LmtpServer() as server:
            place = by_lmtp(tmp_path / "a", server, recipient=["a", "b", "c"])
            place.maildrops = MemoryMaildrops({"user": same})
            server.after_for = {"b": answer}
            for _ in range(2):
                if answer is None:
                    with pytest.raises(DeliveryError, match="has closed the connection"):
                        place.run()
                else:
                    fetching = place.run()
                    assert fetching.deletions == 0
                    assert len(fetching.undelivered) == 6
                    transient = {error.transient for error in fetching.undelivered.values()}
                    assert transient == {answer[0] == "4"}
            server.after_for = {}
            place.run()
            taken = {each: Counter(same) for each in "abc"}
            if answer is None:
                # Each time, nobody could know that it had taken that one.
                taken["b"][CONTENTS[0]] += 2
            assert server.taken_by == taken
            assert place.maildrops.contents("user") == []

    def test_one_of_several_answers_decides(self, tmp_path: Path) -> None:
        """It can succeed later only if none of them has refused for good."""
        with LmtpServer() as server:
            place = by_lmtp(tmp_path / "a", server, recipient=["a", "b"])
            server.after_for = {"a": "452 no room", "b": "552 too large"}
            error = place.run().undelivered[1]
            assert str(error).endswith(": 452 no room; 552 too large")
            assert not error.transient

    def test_a_message_has_one_deadline(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However often something comes: here, a second goes by at each look at the clock."""
        clock = count()
        monkeypatch.setattr(lmtp_session, "monotonic", lambda: float(next(clock)))
        with LmtpServer() as server:
            assert by_lmtp(tmp_path / "a", server, timeout=1000.0).run().new == 5
            # To connect, to say hello and the rest takes eight looks at least.
            place = by_lmtp(tmp_path / "b", server, timeout=6.0)
            with pytest.raises(DeliveryError, match=r"cannot be used: it took longer than 6 s"):
                place.run()

    @pytest.mark.parametrize("answers", [{"DATA": "250 yes"}, {"RCPT": "354 go on"}])
    def test_an_answer_that_does_not_fit(self, tmp_path: Path, answers: dict[str, str]) -> None:
        with LmtpServer() as server:
            server.answers = answers
            with pytest.raises(DeliveryError, match="does not speak LMTP"):
                by_lmtp(tmp_path / "a", server).run()
            assert server.taken == []

    def test_other_line_ends(self, tmp_path: Path) -> None:
        """A bare CR or LF could look like the end of a message to a server."""
        texts = {
            b"a\n.\nb\r.\rc\r\n": b"a\r\n.\r\nb\r\n.\r\nc\r\n",
            b"no line end": b"no line end\r\n",
            b"at the end\r": b"at the end\r\n",
            b"": b"",
            b".": b".\r\n",
            b"x" * 65_535 + b"\r\n.y\r\n": b"x" * 65_535 + b"\r\n.y\r\n",
            b"x" * 65_534 + b"\r\n.y\r\n": b"x" * 65_534 + b"\r\n.y\r\n",
            b"x" * 65_536 + b".y\r\n": b"x" * 65_536 + b".y\r\n",
            b"\r" * 65_536 + b"\n.\r\n": b"\r\n" * 65_536 + b".\r\n",
        }
        with LmtpServer() as server:
            delivery = Lmtp(server.address, RECIPIENT, tmp_path / "spool", "tag")
            delivery.begin(set())
            for content in texts:
                draft = delivery.draft()
                draft.write(content)
                draft.finish()
                delivery.written(draft)
                delivery.settle()
                assert delivery.store([_record(draft.name)]) == []
            delivery.close()
        assert server.taken == [*texts.values()]

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"address": 5}, "address is a host and a port, or the path of a socket, not int"),
            ({"recipient": ""}, "recipient is an address"),
            ({"recipient": "a b"}, "recipient is an address"),
            ({"recipient": "a>\r\nDATA"}, "recipient is an address"),
            ({"recipient": 5}, "recipient is a str, or a list, not a single int"),
            ({"recipient": []}, "recipient is an address"),
            ({"recipient": ["a", "b c"]}, "recipient is an address"),
            ({"recipient": ["a", 5]}, "recipient is a str, or a list, and int is not one"),
            ({"sender": "a\nb"}, "sender is an address"),
            ({"spool": 5}, "spool is a path, not int"),
            ({"tag": 5}, "tag is a str, not int"),
            ({"timeout": -1}, "timeout is a finite number"),
        ],
    )
    def test_wrong_arguments(self, options: dict[str, Any], told: str) -> None:
        right: dict[str, Any] = {
            "address": ("localhost", 24),
            "recipient": RECIPIENT,
            "spool": "spool",
            "tag": "tag",
        }
        Lmtp(**right)
        with pytest.raises(LocalProtocolError, match=told):
            Lmtp(**right | options)

    def test_a_system_without_unix_sockets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(socket, "AF_UNIX")
        with pytest.raises(LocalProtocolError, match="no UNIX sockets"):
            Lmtp("/run/lmtp", RECIPIENT, "spool", "tag")


class TestEitherWay:
    @pytest.mark.slow
    @pytest.mark.parametrize("way", ["command", "lmtp"])
    def test_a_power_cut_before_every_step(
        self, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is lost. Twice comes only the message that was handed over at that moment."""
        with LmtpServer() as server:
            few = CONTENTS[:3]

            def place(name: str) -> Place:
                made = by_lmtp(tmp_path / name, server)
                # A group of one, and one of two.
                made.maildrops = MemoryMaildrops({"user": few})
                if way == "command":
                    made.make = lambda spool, tag: Direct(spool, tag, server.taken)
                return made

            with counted(monkeypatch) as steps:
                place("all").run()
                total = len(steps.made)
            assert total > 30
            for last in range(total):
                server.taken.clear()
                one = place(str(last))
                with counted(monkeypatch) as steps:
                    steps.last = last
                    with suppress(PowerCutError):
                        one.run()
                left = Counter(one.maildrops.contents("user"))
                assert not Counter(few) - left - Counter(server.taken), last
                with counted(monkeypatch):
                    one.run()
                assert one.maildrops.contents("user") == []
                twice = Counter(server.taken) - Counter(few)
                assert twice.total() <= 1, last
                assert not Counter(few) - Counter(server.taken), last
                assert one.drafts() == []

    def test_a_note_that_was_not_written_completely(self, tmp_path: Path) -> None:
        taken: list[bytes] = []
        delivery = Direct(str(tmp_path), "tag", taken)
        (tmp_path / "tag-1").write_bytes(b"one")
        (tmp_path / "tag-2").write_bytes(b"two")
        (tmp_path / "taken-tag").write_bytes(b"tag-1\n\xfftag\ntag-")
        delivery.begin({"tag-1", "tag-2"})
        assert delivery.store([_record("tag-1"), _record("tag-2")]) == []
        delivery.close()
        assert taken == [b"two"]
        assert (tmp_path / "taken-tag").read_bytes() == b"tag-1\n\xfftag\ntag-\ntag-2\n"

    def test_drafts_that_have_gone(self, tmp_path: Path) -> None:
        delivery = Direct(str(tmp_path), "tag", [])
        delivery.begin({"tag-1"})
        assert delivery.store([_record("tag-1")]) == [_record("tag-1")]
        delivery.close()

    def test_one_of_ones_own_has_to_hand_over(self, tmp_path: Path) -> None:
        delivery = Handover(tmp_path, "tag", 5)
        delivery.begin(set())
        (tmp_path / "tag-1").touch()
        with pytest.raises(NotImplementedError):
            delivery.store([_record("tag-1")])
        delivery.close()

    def test_groups_are_small(self, tmp_path: Path, taker: Taker, place: Place) -> None:
        assert Mda([str(taker.script)], tmp_path, "tag").largest_group == 32


class Direct(Handover):
    """Takes messages into a list."""

    def __init__(self, spool: str, tag: str, taken: list[bytes]) -> None:
        super().__init__(spool, tag, 5.0)
        self.taken = taken

    def _hand_over(self, record: Record, draft: int, journal: int) -> None:
        self.taken.append(os.pread(draft, 1_000_000, 0))
        self._note(record, journal)
