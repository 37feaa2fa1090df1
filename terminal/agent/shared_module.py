"""One security module for several card threads: its methods one at a time.

A PSAM answers one command after the other, and each method of it is several commands. Between the
methods nothing is kept, except from the permit of a purchase to its completion: a purchase that
another thread came in between of ends as `DebitNotProved`, with its TAC kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, TypeVar, cast

from apdu.sam import SecureAccessModule

M = TypeVar("M", bound=SecureAccessModule)


class _OneAtATime:
    def __init__(self, module: SecureAccessModule) -> None:
        self._module = module
        self._lock = RLock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the module has
        with self._lock:  # a property may ask the module, too
            value = getattr(self._module, name)
        return self._locked(value) if callable(value) else value

    def _locked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def locked(*arguments: object, **options: object) -> Any:  # noqa: ANN401
            with self._lock:
                return method(*arguments, **options)

        return locked


def one_at_a_time(module: M) -> M:
    """`module`, safe for several threads."""
    return cast(M, _OneAtATime(module))
