"""The real servers, each started once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.dovecot import dovecot
from tests.interop.kerberos import kerberos
from tests.interop.servers import RealServer, open_folder


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[RealServer]:
    with open_folder() as base, dovecot(base) as server:
        yield server


@pytest.fixture(scope="session")
def kerberos_server() -> Iterator[RealServer]:
    with open_folder() as base, kerberos(base) as server:
        yield server
