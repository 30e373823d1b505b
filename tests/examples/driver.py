"""Run an example in a process of its own: TIMEOUT FILE MODULE HOST PORT USER FOLDER.

FILE is for the number of commands that have been in flight at once.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pop3proto
from tests.examples.contract import CountingConnection


def trust_in_qt(authority: str) -> None:
    network = import_module("PySide6.QtNetwork")
    configuration = network.QSslConfiguration.defaultConfiguration()
    configuration.setCaCertificates(network.QSslCertificate.fromPath(authority))
    network.QSslConfiguration.setDefaultConfiguration(configuration)


def main(timeout: str, file: str, module: str, *arguments: str) -> None:
    pop3proto.ClientConnection = CountingConnection  # type: ignore[misc]
    CountingConnection.most_in_flight = 0
    example: Any = import_module(module)
    example.TIMEOUT = float(timeout)
    try:
        if module.endswith("twisted"):
            from twisted.internet.task import react

            react(example.main, arguments)
        else:
            trust_in_qt(os.environ["SSL_CERT_FILE"])
            example.main(*arguments)
    finally:
        Path(file).write_text(str(CountingConnection.most_in_flight))


if __name__ == "__main__":
    main(*sys.argv[1:])
