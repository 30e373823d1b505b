"""The result of a login, under the client's roof: loaded only when a program names its type."""

from ..sasl.results import LoginResult

__all__ = ["LoginResult"]
