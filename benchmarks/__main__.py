"""``python -m benchmarks``: one sub-command for each thing that is measured, and one for all."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import ModuleType

from benchmarks import clients, document, engine, latency, layers, memory, servers, sessions, tls
from benchmarks.reporting import Report

# Each module has HELP, add_arguments(parser) and run(args) -> Report.
_COMMANDS: dict[str, ModuleType] = {
    "engine": engine,
    "clients": clients,
    "latency": latency,
    "tls": tls,
    "memory": memory,
    "sessions": sessions,
    "servers": servers,
    "layers": layers,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in _COMMANDS.items():
        module.add_arguments(_command(commands, name, module.HELP))
    _command(commands, "all", "everything, one after the other")
    writer = commands.add_parser("document", help=document.HELP)
    document.add_arguments(writer)
    args = parser.parse_args(argv)
    if args.command == "document":
        document.write(args, list(_COMMANDS))
        return 0
    reports = [_COMMANDS[args.command].run(args)] if args.command != "all" else _all(args)
    for report in reports:
        print(report.markdown(), end="\n\n")
    if args.json:
        results = {report.name: report.as_json() for report in reports}
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 1 if any(report.failures for report in reports) else 0


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about)
    command.add_argument(
        "--quick",
        action="store_true",
        help="little of everything: whether it runs, and never how fast",
    )
    command.add_argument("--rounds", type=int, default=5, help="how often (default: 5)")
    command.add_argument("--json", type=Path, metavar="FILE", help="where to keep the figures")
    return command


def _all(args: argparse.Namespace) -> list[Report]:
    reports: list[Report] = []
    for module in _COMMANDS.values():
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        # What is not said for all of them is as each has it by itself.
        chosen = parser.parse_args([], argparse.Namespace(**vars(args)))
        reports.append(module.run(chosen))
    return reports


if __name__ == "__main__":
    sys.exit(main())
