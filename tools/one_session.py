"""mutmut, with one session of pytest for all mutants: see tools/mutate.py.

    python tools/one_session.py run JOBS MOST SEED
    python tools/one_session.py results --all true

mutmut by itself begins a session of pytest for each mutant. That session imports nothing again, but
it collects its tests from a list of up to a thousand names, which takes longer than the tests. Here
the tests are collected once, and each mutant runs some of them in a fork.

"run" tries MOST mutants, or all of them if it is 0, with JOBS at a time. The same SEED chooses the
same ones. Everything else is what mutmut does with these arguments.
"""

from __future__ import annotations

import random
import resource
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from time import process_time
from typing import Any
from unittest.mock import patch

import pytest
from _pytest.config import _prepareconfig
from mutmut import __main__ as mutmut
from mutmut.configuration import config
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.utils.file_utils import change_cwd
from mutmut.workers.isolation import ForkRunner, run_in_fork


class OneSession(PytestRunner):
    """The tests of a module, collected once."""

    def __init__(self) -> None:
        super().__init__()
        options = ["--rootdir=.", "--tb=native", "-q", "-s", *self._pytest_add_cli_args]
        with change_cwd("mutants"):
            settings = _prepareconfig([*options, *self._pytest_add_cli_args_test_selection])
            settings._do_configure()
            self.session = pytest.Session.from_config(settings)
            settings.hook.pytest_sessionstart(session=self.session)
            settings.hook.pytest_collection(session=self.session)
        if self.session.testsfailed:
            raise SystemExit("the tests cannot be collected")
        self.tests = {item.nodeid: item for item in self.session.items}
        self.failed, self.limited = "", False

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """Run tests, with a limit of processor time for each of them if there is a mutant."""
        self.limited = mutant_name is not None
        return super().run_tests(mutant_name=mutant_name, tests=tests)

    def limit(self, test: str) -> None:
        """End this process as one that never ends, if the test takes far longer than before."""
        # mutmut itself only has a limit for all tests of a mutant together.
        most = process_time() + 10 * state().duration_by_test[test] + 3
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (min(ceil(most), hard), hard))

    def execute_pytest(
        self, params: Sequence[str], plugins: Iterable[object] = (), **_: object
    ) -> int:
        """Run the tests that the parameters name, or all, until one fails; return 1 if one does."""
        manager = self.session.config.pluginmanager
        for plugin in plugins:
            manager.register(plugin)
        named = [self.tests[name] for name in params if name in self.tests]
        self.session.testsfailed = 0
        try:
            for item, following in pairwise([*(named or self.session.items), None]):
                assert item
                if self.limited:
                    self.limit(item.nodeid)
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
                if self.session.testsfailed:
                    # Fixtures of a module that are left would be errors of the next run.
                    self.session._setupstate.teardown_exact(None)
                    self.failed = item.nodeid
                    return 1
        except (KeyboardInterrupt, pytest.exit.Exception):
            # A fork has to end here, and not to go on with the work of the process it came from.
            return 2
        finally:
            for plugin in plugins:
                manager.unregister(plugin)
        return 0


class Forks(ForkRunner):
    """A fork of the session for each mutant."""

    def __init__(self, jobs: int, tests: OneSession) -> None:
        super().__init__(jobs, tests, config().debug)
        self.tests = tests

    def run_clean_tests(self, tests: Iterable[str]) -> int:
        """Do nothing: the tests ran when mutmut noted what they call, and run again below."""
        return 0

    def run_forced_fail(self) -> int:
        """See that tests can fail, in a fork: what they leave can be the fault of another test."""
        return run_in_fork(super().run_forced_fail)

    def startup(self) -> None:
        """Run the tests without a mutant, after the runs before: one that fails says nothing."""
        if self.tests.run_tests(mutant_name=None, tests=()):
            raise SystemExit(f"{self.tests.failed} fails when it runs again")
        super().startup()


def run(jobs: int, most: int, seed: str) -> None:
    """Make the mutants, and try them."""
    every = mutmut.collect_source_file_mutation_data

    def some(**_: object) -> tuple[list[Any], Any]:
        mutants, data = every(mutant_names=())
        names = sorted(name for _, name, _ in mutants)
        if most and most < len(names):
            names = random.Random(seed).sample(names, most)
        return [each for each in mutants if each[1] in names], data

    def forks(_: int) -> Forks:
        return Forks(jobs, OneSession())

    with (
        patch.object(mutmut, "collect_source_file_mutation_data", some),
        patch.object(mutmut, "get_mutant_runner", forks),
    ):
        mutmut._run((), jobs)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run", jobs, most, seed]:
            run(int(jobs), int(most), seed)
        case _:
            mutmut.cli()
