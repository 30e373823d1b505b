import itertools
import mailbox
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest

from pop3proto.errors import LocalProtocolError, MaildropError, MaildropLockedError
from pop3proto.model.stuffing import BodyWriter
from pop3proto.server import (
    MaildirMaildrops,
    Maildrop,
    MaildropProvider,
    MemoryMaildrops,
    StoredMessage,
    UpdateError,
    first_lines,
    wire_octets,
)
from pop3proto.server.maildrop import CHUNK, ReadyContent

CONTENTS = [
    b"",
    b"\n",
    b"\r\n",
    b"\r",
    b"a",
    b"a\r",
    b"a\n",
    b"a\r\n",
    b"a\r\r\nb",
    b"a\nb\r\nc\rd\n\n\r\n.\n..\n",
    b"\r\n\n\r\r\n",
    b".",
]


def on_the_wire(content: bytes) -> int:
    """What the engine sends of it, less the stuffed dots."""
    writer = BodyWriter()
    body = (writer.write(content) + writer.finish()).removesuffix(b".\r\n")
    return len(b"\r\n".join(line.removeprefix(b".") for line in body.split(b"\r\n")))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_sizes_are_what_the_engine_sends(content: bytes, size: int) -> None:
    undotted = content.replace(b".", b"x")
    chunks = [undotted[i : i + size] for i in range(0, len(undotted), size)]
    assert wire_octets(chunks) == on_the_wire(undotted)
    assert wire_octets([b"", *chunks, b""]) == on_the_wire(undotted)


@pytest.mark.parametrize("dot", [b"x", b"."])
@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_ready_is_sent_as_it_is(content: bytes, dot: bytes) -> None:
    content = content.replace(b"a", dot)
    writer = BodyWriter()
    sent = writer.write(content) + writer.finish()
    opened = MemoryMaildrops({"user": [content]}).open("user").open(1)
    assert isinstance(opened, ReadyContent) == (sent == content + b".\r\n")
    assert b"".join(opened) == content


def test_long_messages_are_not_looked_into() -> None:
    maildrop = MemoryMaildrops({"user": [b"x" * (CHUNK - 1) + b"\r\n"]}).open("user")
    assert not isinstance(maildrop.open(1), ReadyContent)


MESSAGE = b"Subject: one\r\nX: y\r\n\r\nFirst.\r\n\r\nThird.\r\n"


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("lines", [0, 1, 2, 3, 4, 2**31 - 1])
def test_first_lines(newline: bytes, size: int, lines: int) -> None:
    message = MESSAGE.replace(b"\r\n", newline)
    header, body = message.split(newline * 2, 1)
    expected = header + newline * 2 + b"".join(body.splitlines(keepends=True)[:lines])
    chunks = (message[i : i + size] for i in range(0, len(message), size))
    assert b"".join(first_lines(chunks, lines)) == expected


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"Subject: no body",
        b"Subject: no body\r\n",
        b"Subject: \r\r\n\rno blank line\r\n",
        b"Subject: no blank line\r\n\r\r\n \r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_first_lines_of_a_header_that_never_ends(message: bytes, size: int) -> None:
    chunks = (message[i : i + size] for i in range(0, len(message), size))
    assert b"".join(first_lines(chunks, 0)) == message


@pytest.mark.parametrize("blank", [b"\r\n", b"\n"])
def test_first_lines_of_a_message_without_a_header(blank: bytes) -> None:
    assert b"".join(first_lines([blank + b"One.\r\nTwo.\r\n"], 0)) == blank
    assert b"".join(first_lines([blank + b"One.\r\nTwo.\r\n"], 1)) == blank + b"One.\r\n"


def test_first_lines_take_no_more_than_they_need() -> None:
    chunks = iter([b"Subject: x\n\nOne.\nTwo", b".\nThree.\n", b"Four.\n"])
    assert list(first_lines(chunks, 2)) == [b"Subject: x\n\nOne.\nTwo", b".\n"]
    assert list(chunks) == [b"Four.\n"]


def content(maildrop: Maildrop, number: int) -> bytes:
    return b"".join(maildrop.open(number))


class Store:
    """What the tests of both kinds have in common: a provider, and a way to deliver."""

    def __init__(self, kind: str, root: Path) -> None:
        self.memory = MemoryMaildrops({"user": [], "other": []})
        self.root = root
        self.provider: MaildropProvider = self.memory
        if kind == "maildir":
            self.provider = MaildirMaildrops(root)
        self._kind = kind

    def deliver(self, user: str, messages: Iterable[bytes]) -> None:
        for number, message in enumerate(messages):
            if self._kind == "memory":
                self.memory.add(user, message)
                continue
            # The standard library's Maildir is an independent writer of the format.
            folder = mailbox.Maildir(self.root / user)
            key = folder.add(message)
            path = self.root / user / "new" / key
            path.write_bytes(message)
            # Deliveries of one second have no order of their own.
            path.rename(path.with_name(f"{1_700_000_000 + number}.{key}"))


@pytest.fixture(params=["memory", "maildir"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(request.param, tmp_path)


def test_messages_as_they_go_over_the_wire(store: Store) -> None:
    store.deliver("user", [b"a\nb", b"c\r\n", b""])
    maildrop = store.provider.open("user")
    assert [message.octets for message in maildrop.messages] == [6, 3, 0]
    assert [content(maildrop, number) for number in (1, 2, 3)] == [b"a\nb", b"c\r\n", b""]
    ids = [message.unique_id for message in maildrop.messages]
    assert len(set(ids)) == 3
    assert all(1 <= len(i) <= 70 and all(0x21 <= c <= 0x7E for c in i) for i in ids)
    maildrop.close()


def test_large_messages_come_in_chunks(store: Store) -> None:
    message = bytes(range(32, 96)) * 2048 + b"\r\n"
    store.deliver("user", [message])
    maildrop = store.provider.open("user")
    chunks = list(maildrop.open(1))
    assert b"".join(chunks) == message
    assert max(map(len, chunks)) == CHUNK
    maildrop.close()


def test_a_user_without_messages_has_an_empty_maildrop(store: Store) -> None:
    maildrop = store.provider.open("other")
    assert list(maildrop.messages) == []
    maildrop.commit([])
    maildrop.close()


@pytest.mark.parametrize("number", [-1, 0, 2])
def test_there_is_no_such_message(store: Store, number: int) -> None:
    store.deliver("user", [b"text\r\n"])
    maildrop = store.provider.open("user")
    with pytest.raises(MaildropError, match=f"no message {number}"):
        maildrop.open(number)
    with pytest.raises(MaildropError, match=f"no message {number}"):
        maildrop.commit([1, number])
    assert len(content(maildrop, 1)) == 6
    maildrop.close()


def test_one_session_at_a_time(store: Store) -> None:
    first = store.provider.open("user")
    with pytest.raises(MaildropLockedError):
        store.provider.open("user")
    store.provider.open("other").close()
    first.close()
    second = store.provider.open("user")
    # Closing again must not let a third session in.
    first.close()
    with pytest.raises(MaildropLockedError):
        store.provider.open("user")
    second.close()


def test_deletion_is_for_good_and_ids_stay(store: Store) -> None:
    store.deliver("user", [b"one\r\n", b"two\r\n", b"three\r\n"])
    maildrop = store.provider.open("user")
    ids = [message.unique_id for message in maildrop.messages]
    maildrop.commit([1, 3])
    maildrop.close()
    maildrop = store.provider.open("user")
    assert list(maildrop.messages) == [StoredMessage(5, ids[1])]
    assert content(maildrop, 1) == b"two\r\n"
    maildrop.close()


def test_without_commit_nothing_is_deleted(store: Store) -> None:
    store.deliver("user", [b"one\r\n"])
    store.provider.open("user").close()
    maildrop = store.provider.open("user")
    assert len(maildrop.messages) == 1
    maildrop.close()


def test_what_is_delivered_meanwhile_belongs_to_the_next_session(store: Store) -> None:
    store.deliver("user", [b"one\r\n"])
    maildrop = store.provider.open("user")
    store.deliver("user", [b"one\r\n", b"two\r\n"])
    assert len(maildrop.messages) == 1
    maildrop.commit([1])
    maildrop.close()
    maildrop = store.provider.open("user")
    assert len(maildrop.messages) == 2
    maildrop.close()


def test_an_update_that_failed_says_what_is_left() -> None:
    error = UpdateError(deleted=[1, 2], failed=[10, 9])
    assert str(error) == "2 messages were deleted, these were not: 9, 10"
    assert [error.deleted, error.failed] == [{1, 2}, {9, 10}]


# In memory


def test_memory_from_a_mapping_and_looked_into() -> None:
    maildrops = MemoryMaildrops({"user": [b"one", b"two"], "other": [b"three"]})
    assert maildrops.contents("user") == [b"one", b"two"]
    assert maildrops.unique_ids("user") == [b"message-1", b"message-2"]
    assert maildrops.unique_ids("other") == [b"message-3"]
    assert maildrops.users == ("user", "other")


@pytest.mark.parametrize(
    "use",
    [
        lambda maildrops: maildrops.add("nobody", b"one"),
        lambda maildrops: maildrops.contents("nobody"),
        lambda maildrops: maildrops.unique_ids("nobody"),
        lambda maildrops: maildrops.in_use("nobody"),
    ],
)
def test_memory_refuses_a_user_that_it_does_not_know(use: Any) -> None:
    # A name that is mistyped must not let a test pass.
    maildrops = MemoryMaildrops({"user": [b"one"]})
    with pytest.raises(
        LocalProtocolError, match="'nobody' has no maildrop here; there is one of 'user'"
    ):
        use(maildrops)
    assert maildrops.users == ("user",)
    with pytest.raises(LocalProtocolError, match="there is one of nobody"):
        use(MemoryMaildrops())


def test_memory_has_a_maildrop_for_whoever_has_logged_in() -> None:
    maildrops = MemoryMaildrops()
    maildrops.open("user").close()
    assert maildrops.contents("user") == maildrops.unique_ids("user") == []
    maildrops.add("user", b"one")
    assert maildrops.contents("user") == [b"one"]


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ({"user": ["text"]}, "the messages of 'user' are a list of bytes, and str is not one"),
        ({"user": b"one"}, "the messages of 'user' are a list of bytes, not a single bytes"),
        ({"user": "text"}, "the messages of 'user' are a list of bytes, not a single str"),
        ({"user": [None]}, "the messages of 'user' are a list of bytes, and NoneType is not one"),
        ({"user": None}, "the messages of 'user' are a list of bytes, not a single NoneType"),
        (["user"], "messages is a mapping from users to their messages, not list"),
    ],
)
def test_memory_takes_octets_only(messages: Any, problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem):
        MemoryMaildrops(messages)


def test_memory_takes_users_that_are_text_only() -> None:
    users: Any = {5: []}
    with pytest.raises(LocalProtocolError, match=r"^a user is a str, not int$"):
        MemoryMaildrops(users)


@pytest.mark.parametrize("wrong", [None, 5, b"user"])
def test_users_and_folders_of_another_type_are_refused_by_name(wrong: Any) -> None:
    maildrops = MemoryMaildrops()
    for use in (maildrops.contents, maildrops.open):
        with pytest.raises(
            LocalProtocolError, match=f"^user is a str, not {type(wrong).__name__}$"
        ):
            use(wrong)
    with pytest.raises(LocalProtocolError, match=f"^root is a path, not {type(wrong).__name__}$"):
        MaildirMaildrops(wrong)


def test_memory_knows_which_maildrop_is_open() -> None:
    maildrops = MemoryMaildrops()
    maildrop = maildrops.open("user")
    assert maildrops.in_use("user")
    maildrop.close()
    assert not maildrops.in_use("user")


def test_memory_takes_unique_ids() -> None:
    maildrops = MemoryMaildrops({"user": []})
    assert maildrops.add("user", b"one", unique_id=b"message-1") == b"message-1"
    # Its own ones keep clear of those.
    assert maildrops.add("user", b"two") == b"message-2"
    assert maildrops.add("user", b"three", unique_id=b"~" * 70) == b"~" * 70
    assert len(maildrops.contents("user")) == 3


@pytest.mark.parametrize("unique_id", [b"", b"a" * 71, b"a b", b"\x7f", b"\xff", b"taken"])
def test_memory_refuses_what_is_no_unique_id(unique_id: bytes) -> None:
    maildrops = MemoryMaildrops({"user": []})
    maildrops.add("user", b"one", unique_id=b"taken")
    with pytest.raises(LocalProtocolError, match="unique-id"):
        maildrops.add("user", b"two", unique_id=unique_id)
    assert maildrops.contents("user") == [b"one"]


def test_memory_refuses_a_unique_id_of_another_type() -> None:
    wrong: Any = "message-1"
    with pytest.raises(LocalProtocolError, match=r"^unique_id is bytes, not str$"):
        MemoryMaildrops({"user": []}).add("user", b"one", unique_id=wrong)


def test_memory_with_messages_that_cannot_be_deleted() -> None:
    maildrops = MemoryMaildrops({"user": [b"one", b"two", b"three"]})
    maildrops.undeletable.add(b"message-2")
    maildrop = maildrops.open("user")
    with pytest.raises(UpdateError) as caught:
        maildrop.commit([1, 2])
    maildrop.close()
    assert [caught.value.deleted, caught.value.failed] == [{1}, {2}]
    assert maildrops.contents("user") == [b"two", b"three"]


# Maildirs


def test_maildirs_are_private(tmp_path: Path) -> None:
    maildrops = MaildirMaildrops(os.fspath(tmp_path / "mail"))
    maildrops.open("User").close()
    folder = maildrops.folder("User")
    assert folder == tmp_path / "mail" / "%55ser"
    assert sorted(path.name for path in folder.iterdir()) == ["cur", "new", "pop3proto.lock", "tmp"]
    assert S_IMODE((folder / "new").stat().st_mode) == 0o700


def test_maildirs_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MaildropError, match="cannot be opened"):
        MaildirMaildrops(tmp_path / "file").open("user")
    with pytest.raises(MaildropError):
        MaildirMaildrops(tmp_path).open("")


def test_unique_ids_survive_flags_and_moves(tmp_path: Path) -> None:
    folder = mailbox.Maildir(tmp_path / "user")
    key = folder.add(b"Subject: one\n\nText.\n")
    maildrops = MaildirMaildrops(tmp_path)

    def unique_ids() -> list[bytes]:
        maildrop = maildrops.open("user")
        maildrop.close()
        return [message.unique_id for message in maildrop.messages]

    before = unique_ids()
    assert before == [key.encode("ascii")]
    message = folder[key]
    message.set_subdir("cur")
    message.set_flags("RS")
    folder[key] = message
    assert [path.name for path in (tmp_path / "user" / "cur").iterdir()] == [f"{key}:2,RS"]
    assert unique_ids() == before


def test_messages_are_numbered_in_the_order_of_delivery(tmp_path: Path) -> None:
    folder = mailbox.Maildir(tmp_path / "user")
    for name in ("999.late", "1000.later", "998.early"):
        (tmp_path / "user" / "new" / name).write_bytes(b"text\r\n")
    assert len(folder) == 3
    maildrop = MaildirMaildrops(tmp_path).open("user")
    ids = [message.unique_id for message in maildrop.messages]
    assert ids == [b"998.early", b"999.late", b"1000.later"]
    maildrop.close()


def test_sizes_are_measured_once(tmp_path: Path) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    path = tmp_path / "user" / "new" / "1.a"
    path.write_bytes(b"text\n")
    maildrops.open("user").close()
    # Never done to a Maildir; it shows that the file was not read again.
    path.write_bytes(b"longer text\n")
    (tmp_path / "user" / "new" / "2.b").write_bytes(b"new\n")
    maildrop = maildrops.open("user")
    assert [message.octets for message in maildrop.messages] == [6, 5]
    maildrop.close()


def test_a_maildir_that_cannot_be_read_is_let_go(tmp_path: Path) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    path = tmp_path / "user" / "new" / "1.a"
    path.write_bytes(b"text\n")
    with pytest.MonkeyPatch.context() as patch:

        def broken(_descriptor: int, _size: int) -> bytes:
            raise OSError("broken disk")

        patch.setattr(os, "read", broken)
        with pytest.raises(MaildropError, match="broken disk"):
            maildrops.open("user")
    maildrops.open("user").close()


def test_a_message_that_vanishes_while_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    for name in ("1.a", "2.b"):
        (tmp_path / "user" / "new" / name).write_bytes(b"text\n")
    real_open = os.open

    def vanishing(path: str | os.PathLike[str], flags: int, mode: int = 0o777) -> int:
        if os.fspath(path).endswith("1.a"):
            Path(path).unlink(missing_ok=True)
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "open", vanishing)
    maildrop = maildrops.open("user")
    assert [message.unique_id for message in maildrop.messages] == [b"2.b"]
    assert content(maildrop, 1) == b"text\n"
    maildrop.close()


def test_maildir_deletions_that_fail_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    new = tmp_path / "user" / "new"
    for name in ("1.a", "2.b", "3.c", "4.d", "5.e"):
        (new / name).write_bytes(b"text\n")
    maildrop = maildrops.open("user")
    # Somebody else was faster with one of them, which is no failure; one is renamed, one stuck.
    (new / "1.a").unlink()
    (new / "2.b").rename(tmp_path / "user" / "cur" / "2.b:2,S")
    real_unlink = os.unlink

    def unlink(path: str | os.PathLike[str]) -> None:
        if os.fspath(path).endswith("3.c"):
            raise PermissionError("not yours")
        if os.fspath(path).endswith("4.d"):
            raise FileNotFoundError("renamed again and again")
        real_unlink(path)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(UpdateError) as caught:
        maildrop.commit([1, 2, 3, 4])
    maildrop.close()
    assert [caught.value.deleted, caught.value.failed] == [{1, 2}, {3, 4}]
    assert sorted(path.name for path in new.iterdir()) == ["3.c", "4.d", "5.e"]


def test_a_message_that_readdir_misses_is_not_said_to_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildrops = MaildirMaildrops(tmp_path)
    maildrops.open("user").close()
    cur = tmp_path / "user" / "cur"
    for name in ("1.a", "2.b"):
        (cur / f"{name}:2,").write_bytes(b"text\n")
    maildrop = maildrops.open("user")
    (cur / "1.a:2,").rename(cur / "1.a:2,S")
    looks = itertools.count()
    real_scandir = os.scandir

    def scandir(folder: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        # POSIX lets it miss a file that is renamed meanwhile. Here that is 2.b every other time.
        hidden = ("1.a",) if next(looks) // 2 % 2 else ("1.a", "2.b")
        with real_scandir(folder) as entries:
            return nullcontext(iter([e for e in entries if not e.name.startswith(hidden)]))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        with pytest.raises(UpdateError) as caught:
            maildrop.commit([1])
    maildrop.close()
    assert (caught.value.deleted, caught.value.failed) == (frozenset(), {1})
    again = maildrops.open("user")
    assert [message.unique_id for message in again.messages] == [b"1.a", b"2.b"]
    again.close()


@pytest.mark.parametrize("mask", [0o022, 0o077, 0])
def test_a_maildir_that_is_made_is_its_owner_s_alone(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        MaildirMaildrops(tmp_path / "all" / "mail").open("user").close()
    finally:
        os.umask(before)
    folder = tmp_path / "all" / "mail" / "user"
    made = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    assert {path.name: S_IMODE(path.stat().st_mode) for path in made} == {
        "user": 0o700,
        "tmp": 0o700,
        "new": 0o700,
        "cur": 0o700,
    }


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
def test_a_maildir_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user").chmod(0o750)
    MaildirMaildrops(tmp_path).open("user").close()
    assert S_IMODE((tmp_path / "user").stat().st_mode) == 0o750


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (b"octets", "chunks are a list of bytes, not bytes"),
        ("text", "chunks are a list of bytes, not str"),
        (5, "chunks are a list of bytes, not int"),
        (["text"], "each of chunks is bytes, not str"),
        ([b"octets", None], "each of chunks is bytes, not NoneType"),
    ],
)
def test_chunks_of_another_type(wrong: Any, told: str) -> None:
    for call in (wire_octets, lambda chunks: list(first_lines(chunks, 1))):
        with pytest.raises(LocalProtocolError, match=f"^{told}$"):
            call(wrong)
