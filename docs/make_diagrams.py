"""Draw the states and the layers, from the code: docs/_static/states.svg and layers.svg.

``python docs/make_diagrams.py`` needs Graphviz's ``dot``. With ``--check`` it draws nothing, and
exits with 1 if a picture was made from other code. For that, each picture holds the text that it
was drawn from: the same text gives other octets with another version of Graphviz.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pop3proto
from pop3proto import State
from pop3proto.model.command import Command, Effect

FOLDER = Path(__file__).with_name("_static")
PACKAGE = Path(pop3proto.__file__).parent
STYLE = """
    bgcolor="transparent"; rankdir={direction}; nodesep=0.35;
    node [shape=box, style="rounded,filled", fillcolor="#e8eefc", color="#4a6fd0",
          fontname="sans-serif", fontsize=12];
    edge [fontname="sans-serif", fontsize=10, color="#777777", fontcolor="#777777"];
"""


def commands() -> list[type[Command[Any]]]:
    """The commands with a verb of their own, and the line of AUTH without one."""

    def below(kind: type[Command[Any]]) -> Iterator[type[Command[Any]]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    return [each for each in below(Command) if not each.__name__.startswith("_")]


def states() -> str:
    """The states of a session, by the columns of the table that the commands are."""
    edges: dict[tuple[State, State], set[str]] = defaultdict(set)
    for command in commands():
        verb = command.verb if hasattr(command, "verb") and command.verb else "response"
        for state in command.legal_states:
            if command.effect is Effect.END:
                after = State.UPDATE if state is State.TRANSACTION else State.CLOSED
                edges[state, after].add(verb)
            elif command.next_state is not None:
                edges[state, command.next_state].add(verb)
    lines = [
        f'    {before.name} -> {after.name} [label="{", ".join(sorted(verbs))}"];'
        for (before, after), verbs in sorted(edges.items(), key=lambda edge: str(edge[0]))
    ]
    others = """
    GREETING -> AUTHORIZATION [label="+OK"];
    GREETING -> CLOSED [label="-ERR"];
    AUTHORIZATION -> AUTHENTICATING [label="AUTH: challenge"];
    AUTHENTICATING -> AUTHORIZATION [label="-ERR"];
    TLS_NEGOTIATION -> AUTHORIZATION [label="handshake"];
    UPDATE -> CLOSED [label="end of the stream"];
    DEAD [fillcolor="#fce8e8", color="#d04a4a", label="DEAD\\nafter any violation"];
"""
    return "digraph states {" + STYLE.format(direction="TB") + others + "\n".join(lines) + "\n}\n"


def layers() -> str:
    """Which folder imports from which; an arrow is left out if there is a longer way."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).parts
        if len(place) == 1:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == len(place):
                names = [node.module or ""] if node.module else [name.name for name in node.names]
                arrows[place[0]].update(name.partition(".")[0] for name in names)
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    direct = {name: (arrows[name] & folders) - {name} for name in folders}

    def reached(start: str) -> set[str]:
        return set().union(direct[start], *(reached(name) for name in direct[start]))

    lines = [
        f"    {name} -> {other};"
        for name in sorted(folders)
        for other in sorted(direct[name])
        if not any(other in reached(via) for via in direct[name] - {other})
    ]
    return "digraph layers {" + STYLE.format(direction="BT") + "\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Draw, or check."""
    current = 0
    for name, text in (("states", states()), ("layers", layers())):
        path = FOLDER / f"{name}.svg"
        comment = f"<!--\n{text.replace('--', '- -')}-->\n"
        if arguments == ["--check"]:
            if not path.exists() or not path.read_text("utf-8").endswith(comment):
                print(f"{path.name} is not current: run python docs/make_diagrams.py")
                current = 1
            continue
        drawn = subprocess.run(
            ["dot", "-Tsvg"], input=text, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        # Without the version of Graphviz, and so that it is as wide as the page at most.
        drawn = re.sub(r"<!--.*?-->\n?", "", drawn, flags=re.DOTALL)
        path.write_text(drawn + comment, "utf-8")
    return current


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
