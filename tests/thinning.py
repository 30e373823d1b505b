"""Choose what the short run keeps of a test's product of runtimes, security modes and cases.

A test marked as ``thinned`` waits in real time, and waits for the same thing in each case: what
differs is the phase of the protocol, which all the runtimes share. The short run has every case at
least once, every runtime at least once, and each of both with every security mode; the rest of the
product is marked as slow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import pytest

MODE = "mode"  # what the tests call the parameter with the security mode


def claims(item: Any) -> set[Hashable]:
    """Return what the short run has to have, of what this test shows."""
    # Some values cannot be compared, but all tests of a product share them.
    params = {name: id(value) for name, value in item.callspec.params.items()}
    found: set[Hashable] = set()
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
        values = tuple((name.strip(), params[name.strip()]) for name in names)
        found |= {values, (values, params.get(MODE))}
    return found


def kept(items: Sequence[Any]) -> Iterator[Any]:
    """Yield the tests of one function that the short run keeps."""
    claimed = {item: claims(item) for item in items}
    missing: set[Hashable] = set().union(*claimed.values())
    runs: Counter[Hashable] = Counter()
    while missing:
        # Of those that bring as much, the one whose values have been used least.
        best = max(
            claimed,
            key=lambda item: (len(claimed[item] & missing), -sum(runs[c] for c in claimed[item])),
        )
        missing -= claimed[best]
        runs.update(claimed.pop(best))
        yield best


def mark_the_rest_as_slow(items: Sequence[pytest.Item]) -> None:
    """Mark what the short run does not keep of each thinned product."""
    products: dict[str, list[Any]] = {}
    for item in items:
        if item.get_closest_marker("thinned") is not None:
            products.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for product in products.values():
        for item in set(product).difference(kept(product)):
            item.add_marker(pytest.mark.slow)
