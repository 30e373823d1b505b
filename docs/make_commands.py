"""Write docs/commands.md: each command with its states and replies, from the classes themselves.

``python docs/make_commands.py`` writes it. With ``--check`` it writes nothing, and exits with 1 if
the page is out of date.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pop3proto
from pop3proto import Challenge, Command, Extension, Message

PAGE = Path(__file__).with_name("commands.md")
HEAD = """# Commands

Each command with the states in which it may be sent, the replies to it, and what they change. This
is the state table that both engines use; `python docs/make_commands.py` writes the page from it.
[How pop3proto is built](design.md#states) draws it as a picture.

To every command the server can answer `-ERR`, an `ErrorReply`: then nothing changes, except that an
`-ERR` within AUTH ends the exchange, and one to QUIT ends the session. A client's method raises
`CommandError` for it. "Alone" means that nothing may be unanswered when the command is sent, and
"barrier" that nothing may be sent after it until it is answered.

"""
AFTER = """
A text that follows a status line comes from an engine as `MessageStart`, `MessageData` and
`MessageEnd`, or as one `Message` from `next_whole()`; a client's `retr()` and `top()` return a
`Message`. LIST and UIDL have one row if a message is named, and a text with a row for each message
otherwise. A `Challenge` to AUTH is answered by `AuthResponse` or `AuthCancel`; the end of the
exchange is an `Ok` or an `ErrorReply` to the `Auth` that began it. Before all of them comes the
`Greeting`, or an `ErrorReply` whose `command` is `None`.

A server's session refuses a command in another state. An engine in the client's role raises
`LocalProtocolError`, and sends nothing.
"""


def commands() -> list[type[Command[Any]]]:
    """Return the classes of all commands, in the order of a session."""
    found = [getattr(pop3proto, name) for name in pop3proto.__all__]
    classes = [each for each in found if isinstance(each, type) and issubclass(each, Command)]
    return sorted(
        (each for each in classes if each is not Command),
        key=lambda each: (sorted(s.value for s in each.legal_states), each.__name__),
    )


def rows() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| Command | Class | States | Reply | What a positive reply changes | What it is |"
    yield "|---|---|---|---|---|---|"
    for each in commands():
        states = ", ".join(sorted(state.name for state in each.legal_states))
        about = (each.__doc__ or "").partition("\n")[0].replace("``", "`")
        about = about.removeprefix(f"{each.verb}: ").removeprefix(f"{each.verb} ")
        changes = []
        if each.next_state is not None:
            also = "`Challenge`: AUTHENTICATING; `Ok`: " if each.answer is Challenge else ""
            changes.append(f"the state: {also}{each.next_state.name}")
        if each.effect is not None:
            changes.append(each.effect.value)
        changes += ["alone"] * each.alone + ["barrier"] * each.barrier
        cells = [_line(each), f"`{each.__name__}`", states, _reply(each), "; ".join(changes)]
        yield f"| {' | '.join(cells)} | {about[:1].upper()}{about[1:]} |"


def _line(command: type[Command[Any]]) -> str:
    """Return the form of the command line, with names for the arguments."""
    words = [command.verb] if command.verb else []
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY and name != "answer":
            optional = parameter.default is not parameter.empty
            words.append(f"[{name.upper()}]" if optional else name.upper())
    return f"`{' '.join(words).replace('_', '-')}`"


def _reply(command: type[Command[Any]]) -> str:
    if command is Extension:
        return "`Ok`, or a text: `Message`"
    if command.answer is Challenge:
        return "`Challenge` or `Ok`" if command.next_state is not None else "`-ERR` only"
    text = ", a text" if command.answer is Message else ""
    return f"`{command.answer.__name__}`{text}"


def page() -> str:
    """Return the page."""
    return HEAD + "\n".join(rows()) + "\n" + AFTER


def main() -> int:
    """Write the page, or check it."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), "utf-8")
    elif page() != PAGE.read_text("utf-8"):
        print(f"{PAGE.name} is out of date: run python docs/make_commands.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
