"""Check a POP3 server for Nagios, Icinga, Zabbix and their like, which call this a plugin.

    POP_PASSWORD=... python examples/check_pop3.py pops://probe%40example.org@pop.example.org

It connects, checks the certificate, logs in if the URL has a user, and counts the messages. It
prints one line, with figures after "|", and ends with the exit code of a plugin: 0 for OK, 1 for
WARNING, 2 for CRITICAL, 3 for UNKNOWN.
"""

from __future__ import annotations

import argparse
import os
import ssl
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

import pop3proto
from pop3proto import LocalProtocolError, Pop3Error, PopUrl

OK, WARNING, CRITICAL, UNKNOWN = range(4)
NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


class Parser(argparse.ArgumentParser):
    """Ends with UNKNOWN where argparse would end with 2, which is CRITICAL to a plugin."""

    def error(self, message: str) -> NoReturn:
        """Report a wrong command line."""
        print(f"POP3 UNKNOWN: {message}")
        sys.exit(UNKNOWN)


def check(options: argparse.Namespace) -> tuple[int, str, dict[str, str]]:
    """Return the state, a text and the figures."""
    started = time.monotonic()
    figures = {}
    worst, texts = OK, []
    user = PopUrl.parse(options.url).user
    with pop3proto.connect(options.url, timeout=options.timeout) as client:
        if client.tls is not None:
            ends = (client.tls.getpeercert() or {})["notAfter"]
            days = int((ssl.cert_time_to_seconds(str(ends)) - time.time()) // 86400)
            figures["certificate_days"] = str(days)
            texts.append(f"the certificate is valid for {days} days")
            if days < options.days:
                worst = WARNING
        if user is not None:
            client.login(user, os.environ["POP_PASSWORD"])
            count = client.stat().count
            figures["messages"] = str(count)
            texts.append(f"{count} messages")
            if options.most is not None and count > options.most:
                worst = WARNING
    seconds = time.monotonic() - started
    figures["time"] = f"{seconds:.3f}s"
    texts.append(f"{seconds:.2f} seconds")
    if seconds > options.seconds:
        worst = WARNING
    return worst, ", ".join(texts), figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the plugin."""
    parser = Parser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "url", help="pops://HOST, or pops://USER@HOST; POP_PASSWORD is its password"
    )
    parser.add_argument("--timeout", type=float, default=10, help="seconds to wait for each answer")
    parser.add_argument("--seconds", type=float, default=5, help="WARNING if it takes longer")
    parser.add_argument("--days", type=int, default=14, help="WARNING if TLS is valid for less")
    parser.add_argument("--most", type=int, help="WARNING if there are more messages")
    options = parser.parse_args(arguments)
    try:
        state, text, figures = check(options)
    except KeyError:
        state, text, figures = UNKNOWN, "POP_PASSWORD is not set", {}
    except LocalProtocolError as error:
        state, text, figures = UNKNOWN, str(error), {}
    except Pop3Error as error:
        state, text, figures = CRITICAL, str(error), {}
    # "|" begins the figures, and a second line would be details.
    text = " ".join(text.replace("|", "/").split())
    shown = " ".join(f"{key}={value}" for key, value in figures.items())
    print(f"POP3 {NAMES[state]}: {text}" + (f" | {shown}" if shown else ""))
    sys.exit(state)


if __name__ == "__main__":
    main()
