"""Python's own tests of poplib, where they are installed, on the drop-in."""

import importlib.util
import subprocess
import sys

import pytest

PROGRAM = """
import sys, unittest
from pop3proto.compat import install, poplib
install()
from test import test_poplib
assert test_poplib.poplib is poplib
tests = unittest.defaultTestLoader.loadTestsFromModule(test_poplib)
result = unittest.TextTestRunner().run(tests)
sys.exit(not (result.wasSuccessful() and result.testsRun > 60))
"""


@pytest.mark.slow
def test_pythons_own_tests() -> None:
    if importlib.util.find_spec("test.test_poplib") is None:
        pytest.skip("Python was installed without its tests")
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
