"""Run every Python block of the documents.

The rules for whoever writes a document:

- Every block fenced as ``python`` in README.md and docs/*.md is run; none can be left out. A block
  that cannot run is not Python that anybody could copy: fence it as ``text`` or ``sh``.
- The blocks of a document run in order, as one program, so a later block can use the imports and
  variables of an earlier one. ``await`` has to be in a coroutine that the block runs.
- Each document has a server with a few messages, called ``pop.example.org``, on the usual ports:
  110 (in the clear, with STLS) and 995 (implicit TLS). The default SSL context trusts its
  certificate, its user is ``user@example.org``, and the password is ``secret``.
- The program also finds these names: ``host``, ``port`` and ``tls_port`` of the server, without the
  name above; ``ssl_context``, for a client; ``user`` and ``password``; ``socks_url`` and
  ``http_url``, two proxies in front of the server. The document says what they stand for.
- The libraries of token providers can be imported: providers.py stands in for them.
- A program of examples/ can be imported by its name, as if it had been copied.
- The working directory is empty, and is thrown away.
- A block fenced as ``text`` that directly follows a ``python`` one shows the output of that one.
- A claim is asserted in the block, or is shown by running it. Warnings are errors.

A traceback points to the line of the document.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import trustme

from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from pop3proto.transports import Security
from tests.docs import providers
from tests.examples.proxies import HttpProxy, SocksProxy, running

ROOT = Path(__file__).resolve().parents[2]
NAME = "pop.example.org"
USER = "user@example.org"
PASSWORD = "secret"
# Their programs start commands of a UNIX system.
NEED_A_SHELL = ("accounts.md", "fetching.md")
MESSAGES = [
    b"From: sender@example.org\r\nSubject: %s\r\n\r\nText.\r\n.\r\n" % subject
    for subject in (b"one", b"two", b"three")
]
_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    line: int
    """The number of its first line within the document, from 1."""
    code: str


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text. Raises ``ValueError`` if one has no end."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        opening = _FENCE.fullmatch(line)
        if opening is None:
            continue
        indent, fence = len(opening["indent"]), opening["fence"]
        code: list[str] = []
        for _, inner in lines:
            if inner.strip().startswith(fence) and not inner.strip().strip(fence[0]):
                break
            code.append(inner[indent:] if not inner[:indent].strip() else inner)
        else:
            raise ValueError(f"the block at line {number} has no end")
        language = (opening["info"].split() or [""])[0].lower()
        yield Block(language, number + 1, "\n".join(code) + "\n")


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def python_blocks(document: Path) -> list[Block]:
    found = blocks(document.read_text(encoding="utf-8"))
    return [block for block in found if block.language in ("python", "py", "python3")]


def shown_output(document: Path) -> dict[int, str]:
    """What the document shows of a block's output, by the line of that block."""
    found = list(blocks(document.read_text(encoding="utf-8")))
    return {
        block.line: output.code
        for block, output in pairwise(found)
        if block in python_blocks(document)
        and output.language == "text"
        # The end of the one block, an empty line, the beginning of the other.
        and output.line == block.line + block.code.count("\n") + 3
    }


@contextmanager
def trusted_everywhere(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ssl.SSLContext]:
    """Let every default context trust ``authority``, until the end of the block."""
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield ssl.create_default_context()


def resolve(address: str, ports: Mapping[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``NAME`` stand for ``address``, and the usual ports for those in use."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in (NAME, NAME.encode()):
            host, port = address, ports[int(port)]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@contextmanager
def running_program(
    document: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """Run the blocks of a document in ``folder``, and yield their names while the servers run."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(ROOT / "examples")
    for name, stand_in in providers.MODULES.items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    maildrops = MemoryMaildrops({USER: MESSAGES})
    users = {USER: PASSWORD}
    options = ServerOptions(failed_login_delay=0)
    authority = trustme.CA()
    tls_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME, "127.0.0.1").configure_cert(tls_context)
    settings: dict[str, Any] = {"users": users, "options": options, "tls_context": tls_context}
    with (
        trusted_everywhere(authority, monkeypatch) as ssl_context,
        serve(maildrops, security=Security.STLS, **settings) as server,
        serve(maildrops, security=Security.TLS, **settings) as tls_server,
        running(SocksProxy(names={server.host: server.host})) as socks_proxy,
        running(HttpProxy(names={server.host: server.host})) as http_proxy,
    ):
        resolve(server.host, {110: server.port, 995: tls_server.port}, monkeypatch)
        # A module, because pickle and dataclasses look for the one that a class is in.
        module = ModuleType(f"document_{document.stem.replace('-', '_')}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        vars(module).update(
            host=server.host,
            port=server.port,
            tls_port=tls_server.port,
            ssl_context=ssl_context,
            user=USER,
            password=PASSWORD,
            socks_url=socks_proxy.url(),
            http_url=http_proxy.url(),
        )
        shown = shown_output(document)
        for block in python_blocks(document):
            source = "\n" * (block.line - 1) + block.code
            with redirect_stdout(StringIO()) as printed:
                exec(compile(source, str(document), "exec"), vars(module))
            assert printed.getvalue() == shown.get(block.line, printed.getvalue())
        yield module


@pytest.mark.parametrize(
    "document",
    [pytest.param(path, id=path.name) for path in documents() if python_blocks(path)],
)
def test_the_blocks_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name != "posix" and document.name in NEED_A_SHELL:
        pytest.skip("needs /bin/sh")
    with running_program(document, tmp_path, monkeypatch) as program:
        assert vars(program)["host"]


@pytest.mark.parametrize("document", [pytest.param(path, id=path.name) for path in documents()])
def test_no_block_is_fenced_so_that_it_would_not_run(document: Path) -> None:
    languages = {block.language for block in blocks(document.read_text(encoding="utf-8"))}
    assert not languages & {"", "py3", "pycon", "python-repl"}


def test_blocks_are_found() -> None:
    text = """\
```python
one = 1
```
Text ``` text.
~~~sh
```python
~~~

1. Item

   ```Python title="x"
   if True:

       two = 2
   ```
````python
'''
```
'''
````
"""
    assert list(blocks(text)) == [
        Block("python", 2, "one = 1\n"),
        Block("sh", 6, "```python\n"),
        Block("python", 12, "if True:\n\n    two = 2\n"),
        Block("python", 17, "'''\n```\n'''\n"),
    ]


def test_output_that_is_shown_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    block, output = "```python\nprint(1)\n```\n", "```text\n1\n```\n"
    document.write_text(f"{block}\n{output}\n{block}\nProse.\n\n{output}")
    assert shown_output(document) == {2: "1\n"}


def test_a_block_without_an_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 3"):
        list(blocks("\n\n```python\none = 1\n"))
