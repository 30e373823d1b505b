from __future__ import annotations

from examples import loop_twisted
from tests.examples.contract import AnyMechanismContract, Fetched, Job, run_driver


class TestTwisted(AnyMechanismContract):
    """In processes of their own: Twisted's reactor runs once in a process."""

    module = loop_twisted

    def run(self, job: Job) -> Fetched:
        return run_driver(self.module, job)
