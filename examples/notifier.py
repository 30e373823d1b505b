"""Show a notification on the desktop for each new message, and fetch only its header.

    POP_PASSWORD=... python examples/notifier.py pops://user%40example.org@pop.example.org

The unique-ids that were seen are remembered while the program runs. Nothing is deleted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

import pop3proto
from pop3proto import Pop3Error, PopUrl
from pop3proto.sync import seconds_to_next_poll

# The program that shows a notification; it gets a title and a text. "--" ends its options, because
# the text comes from strangers.
NOTIFY = ["notify-send", "--app-name=Mail", "--"]
MOST = 5  # notifications at a time


def look(url: str, password: str, seen: set[bytes]) -> tuple[list[tuple[str, str]], float]:
    """Return sender and subject of each new message, and the seconds until the next look."""
    news = []
    with pop3proto.connect(url, timeout=30) as client:
        client.login(PopUrl.parse(url).user or "", password)
        rows = {row.number: row.unique_id for row in client.uidl()}
        new = [number for number, unique_id in rows.items() if unique_id not in seen]
        for message in client.top_many(new, 0):
            email = message.as_email()
            news.append((str(email["From"] or "?"), str(email["Subject"] or "(no subject)")))
        pause = seconds_to_next_poll(client.capabilities, every=120)
    seen.update(unique_id for unique_id in rows.values() if unique_id is not None)
    return news, pause


def show(news: Sequence[tuple[str, str]]) -> None:
    """Show notifications: one each, or one for all if there are many."""
    if len(news) > MOST:
        news = [("Mail", f"{len(news)} new messages")]
    for title, text in news:
        subprocess.run([*NOTIFY, title, text], check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="pops://USER@HOST; the password is in POP_PASSWORD")
    parser.add_argument("--once", action="store_true", help="show what is there, and end")
    options = parser.parse_args(arguments)
    password = os.environ.get("POP_PASSWORD") or parser.error("POP_PASSWORD is not set")
    if shutil.which(NOTIFY[0]) is None:
        parser.error(f"there is no {NOTIFY[0]}: install it, or change NOTIFY")
    seen: set[bytes] = set()
    first = not options.once
    while True:
        try:
            news, pause = look(options.url, password, seen)
        except Pop3Error as error:
            if options.once or not error.transient:
                sys.exit(f"{error}\n{error.hint or ''}")
            pause = 300
        else:
            # The messages that are there at the start are not news.
            show([] if first else news)
            first = False
        if options.once:
            return
        time.sleep(pause)


if __name__ == "__main__":
    main()
