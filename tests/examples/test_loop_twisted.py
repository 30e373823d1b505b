from __future__ import annotations

import pytest

from examples import loop_twisted
from tests.examples.contract import AnyMechanismContract, Fetched, Job, run_driver


# A reactor runs once in a process, so each test starts a Python of its own.
@pytest.mark.slow
class TestTwisted(AnyMechanismContract):
    """In processes of their own: Twisted's reactor runs once in a process."""

    module = loop_twisted

    def run(self, job: Job) -> Fetched:
        return run_driver(self.module, job)
