"""What runs a coroutine without an event loop, and the access tokens of the blocking client."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto import LocalProtocolError, Secret
from pop3proto.client.stepping import at_once, run
from pop3proto.errors import CredentialsError
from pop3proto.sasl import RefusedToken


async def returning(value: object) -> object:
    return value


def test_a_coroutine_that_waits_for_nothing() -> None:
    assert run(returning(5)) == 5


@pytest.mark.parametrize("token", ["token", Secret("token")])
def test_a_token_is_a_secret_from_there_on(token: Any) -> None:
    assert at_once(token) == Secret("token")


def test_a_function_is_told_which_token_was_refused() -> None:
    told: list[RefusedToken | None] = []

    def fetch(refused: RefusedToken | None) -> str:
        told.append(refused)
        return f"token {len(told)}"

    checked: Any = at_once(fetch)
    refused = RefusedToken(Secret("token 1"), CredentialsError("expired"))
    assert [checked(None), checked(refused)] == ["token 1", "token 2"]
    assert told == [None, refused]


def test_an_async_function_cannot_run() -> None:
    async_function: Any = returning
    checked: Any = at_once(async_function)
    with pytest.raises(LocalProtocolError, match="cannot wait for an async function"):
        checked(None)
