"""Draw the size of a maildrop by sender and by month, from its headers alone.

    pip install pop3proto matplotlib
    POP_PASSWORD=... python examples/mailbox_statistics.py pops://user%40example.org@pop.example.org

Only LIST and the headers are fetched, with TOP. The picture is mailbox.png.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from email.utils import parseaddr, parsedate_to_datetime
from typing import NamedTuple

import pop3proto
from pop3proto import Pop3Error, PopUrl


class Statistics(NamedTuple):
    """Octets by sender, and by month as "2026-11"."""

    senders: Counter[str]
    months: Counter[str]


def read(url: str, password: str) -> Statistics:
    """Ask the server."""
    senders: Counter[str] = Counter()
    months: Counter[str] = Counter()
    with pop3proto.connect(url) as client:
        client.login(PopUrl.parse(url).user or "", password)
        sizes = {row.number: row.octets or 0 for row in client.list()}
        for message in client.top_many(sizes, 0):
            email, octets = message.as_email(), sizes[message.number]
            senders[parseaddr(str(email["From"]))[1].lower() or "unknown"] += octets
            try:
                month = parsedate_to_datetime(str(email["Date"])).strftime("%Y-%m")
            except ValueError:
                month = "undated"
            months[month] += octets
    return Statistics(senders, months)


def draw(statistics: Statistics, path: str) -> None:
    """Draw the ten largest senders, and all months."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    largest = statistics.senders.most_common(10)[::-1]
    left.barh([name for name, _ in largest], [octets / 1e6 for _, octets in largest])
    left.set(title="By sender", xlabel="million octets")
    months = sorted(statistics.months.items())
    right.bar([month for month, _ in months], [octets / 1e6 for _, octets in months])
    right.set(title="By month", ylabel="million octets")
    right.tick_params("x", rotation=90)
    figure.savefig(path)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="pops://USER@HOST; the password is in POP_PASSWORD")
    parser.add_argument("--picture", default="mailbox.png")
    options = parser.parse_args(arguments)
    password = os.environ.get("POP_PASSWORD") or parser.error("POP_PASSWORD is not set")
    try:
        statistics = read(options.url, password)
    except Pop3Error as error:
        sys.exit(f"{error}\n{error.hint or ''}")
    for name, octets in statistics.senders.most_common(10):
        # A repr, because a terminal would obey the control characters of a name.
        print(f"{octets:>15,}  {name!r}")
    draw(statistics, options.picture)


if __name__ == "__main__":
    main()
