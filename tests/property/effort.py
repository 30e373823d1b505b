"""How hard the property tests try.

By default they run the same few examples every time, in less than a minute. With
``POP3PROTO_EFFORT=1`` in the environment they run as many, but other ones each time, and with 20
twenty times as many. What fails then comes with the line that repeats it, to be put before the
test::

    POP3PROTO_EFFORT=1 python -m pytest -m hypothesis tests
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_VARIABLE = "POP3PROTO_EFFORT"
EFFORT = int(os.environ.get(_VARIABLE, "1"))


def effort(examples: int, **others: int) -> settings:
    """Settings, usable as a decorator, for so many examples where the effort is 1."""
    # In the settings themselves, because in the environment of CI Hypothesis has other defaults.
    return settings(
        max_examples=examples * EFFORT,
        deadline=None,
        derandomize=_VARIABLE not in os.environ,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        **others,  # type: ignore[arg-type]
    )
