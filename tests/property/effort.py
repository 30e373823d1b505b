"""How hard the property tests try.

By default they run the same few examples every time, in less than a minute. With
``POP3PROTO_EFFORT=20`` in the environment they run twenty times as many, and other ones each time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EFFORT = int(os.environ.get("POP3PROTO_EFFORT", "1"))


def effort(examples: int, **others: int) -> settings:
    """Settings, usable as a decorator, for so many examples where the effort is 1."""
    return settings(
        max_examples=examples * EFFORT,
        deadline=None,
        derandomize=EFFORT == 1,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        **others,  # type: ignore[arg-type]
    )
