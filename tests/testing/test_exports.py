"""What pop3proto.testing hands out."""

import pytest

from pop3proto import testing


def test_all_that_is_exported_is_there() -> None:
    assert {"LoopbackServer", "serve"} <= set(testing.__all__)
    for name in testing.__all__:
        assert getattr(testing, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = testing.nothing_of_the_kind  # type: ignore[attr-defined]
