"""How hard the property tests try, and what no machine is too slow for.

By default they run the same few examples every time, in less than a minute. With
``POP3PROTO_EFFORT=1`` in the environment they run as many, but other ones each time, and with 20
twenty times as many. What fails then comes with the line that repeats it, to be put before the
test::

    POP3PROTO_EFFORT=1 python -m pytest -n auto -m hypothesis tests
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_VARIABLE = "POP3PROTO_EFFORT"
EFFORT = int(os.environ.get(_VARIABLE, "1"))

# Every property test has these, whether it asks for an effort or not: see tests/conftest.py. They
# name all that differs in Hypothesis's own profile for CI.
PROFILE = settings(
    max_examples=100 * EFFORT,
    # How long an example takes says more about the machine than about the code.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=_VARIABLE not in os.environ,
    # A failure is repeated by its blob; a folder of old examples is one more thing to clean up.
    database=None,
    print_blob=True,
)


def effort(examples: int, **others: int) -> settings:
    """Return settings, usable as a decorator, for so many examples where the effort is 1."""
    return settings(PROFILE, max_examples=examples * EFFORT, **others)  # type: ignore[arg-type]
