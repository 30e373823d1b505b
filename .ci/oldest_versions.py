"""Print the oldest version of each package that an extra for users allows, for pip's --constraint.

``python .ci/oldest_versions.py > constraints.txt``
"""

import re
import tomllib
from pathlib import Path

# What the extras for work on pop3proto bring may be new.
FOR_WORK = {"benchmark", "demo", "dev", "docs", "test"}


def main() -> None:
    text = Path(__file__).resolve().parents[1].joinpath("pyproject.toml").read_text("utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    for name in sorted(extras.keys() - FOR_WORK):
        for requirement in extras[name]:
            found = re.fullmatch(r"([\w-]+)>=(\d+)(\.\d+)?", requirement)
            if found is None:
                raise SystemExit(f"no lowest version of two numbers: {requirement}")
            print(f"{found[1]}=={found[2]}{found[3] or '.0'}.*")


if __name__ == "__main__":
    main()
