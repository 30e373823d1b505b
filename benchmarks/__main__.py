"""``python -m benchmarks``: one sub-command for each thing that is measured."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import clients, engine, latency, memory, sessions, tls

# Each module has HELP, add_arguments(parser) and run(args) -> Report.
_COMMANDS = {
    "engine": engine,
    "clients": clients,
    "latency": latency,
    "tls": tls,
    "memory": memory,
    "sessions": sessions,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in _COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP)
        command.add_argument(
            "--quick",
            action="store_true",
            help="little of everything: whether it runs, and never how fast",
        )
        command.add_argument("--rounds", type=int, default=5, help="how often (default: 5)")
        command.add_argument("--json", type=Path, metavar="FILE", help="where to keep the figures")
        module.add_arguments(command)
    args = parser.parse_args(argv)
    report = _COMMANDS[args.command].run(args)
    print(report.markdown())
    if args.json:
        args.json.write_text(json.dumps({report.name: report.as_json()}, indent=2) + "\n")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
