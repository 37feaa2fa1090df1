"""The tokens of callers: made once, kept as hashes, taken back at any time.

They lie in a file of their own beside the store, so that `ssct agent token` works while the agent
runs; the agent looks at the file again whenever it has changed. A token is 32 random bytes, so
its plain SHA-256 is as good as the token is long.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from terminal.agent.scopes import Scope
from terminal.errors import ConfigurationError

FILE = "agent-tokens.json"
_PREFIX = "ssct"
_ID_BYTES, _SECRET_BYTES = 4, 32
_MOST = 1_000
_LONGEST_NAME = 80
_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token: never the token itself."""

    id: str
    name: str
    scopes: frozenset[Scope]
    made_at: datetime
    digest: str
    revoked: bool = False


class TokenBook:
    """The tokens in one file. Every method raises `ConfigurationError` for a file it cannot use."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE
        self._seen: tuple[int, int] | None = None
        self._tokens: dict[str, Token] = {}

    def create(
        self, name: str, scopes: Iterable[Scope], now: datetime, random: Callable[[int], bytes]
    ) -> tuple[str, Token]:
        """A new token, told this once, and what is kept of it.

        Raises `ConfigurationError` for a name that names nobody, and for too many tokens.
        """
        if not (name.strip() and name.isprintable() and len(name) <= _LONGEST_NAME):
            raise ConfigurationError(
                f"a token's name says whose it is, in 1 to {_LONGEST_NAME} printable characters"
            )
        tokens = dict(self._read())
        if len(tokens) >= _MOST:
            raise ConfigurationError(f"{self._file} holds {_MOST} tokens; revoke some")
        secret = random(_SECRET_BYTES).hex()
        made = Token(random(_ID_BYTES).hex(), name, frozenset(scopes), now, _digest(secret))
        tokens[made.id] = made
        self._write(tokens)
        return f"{_PREFIX}_{made.id}_{secret}", made

    def all(self) -> tuple[Token, ...]:
        """Every token, oldest first."""
        return tuple(sorted(self._read().values(), key=lambda token: token.made_at))

    def revoke(self, token_id: str) -> Token:
        """Take a token back for good; the agent refuses it from the next call on."""
        tokens = dict(self._read())
        if token_id not in tokens:
            raise ConfigurationError(f"there is no token {token_id!r}")
        tokens[token_id] = replace(tokens[token_id], revoked=True)
        self._write(tokens)
        return tokens[token_id]

    def find(self, shown: str) -> Token | None:
        """The token that was shown, unless it is unknown or taken back."""
        prefix, _, rest = shown.partition("_")
        token_id, _, secret = rest.partition("_")
        token = self._read().get(token_id)
        digest = token.digest if token else _digest("")
        right = hmac.compare_digest(_digest(secret), digest)
        return token if token and right and prefix == _PREFIX and not token.revoked else None

    def _read(self) -> dict[str, Token]:
        try:
            state = self._file.stat()
        except FileNotFoundError:
            self._seen, self._tokens = None, {}
            return self._tokens
        except OSError as error:
            raise ConfigurationError(f"{self._file}: {error.strerror}") from None
        seen = (state.st_mtime_ns, state.st_size)
        if seen != self._seen:
            self._tokens = _parsed(self._file)
            self._seen = seen
        return self._tokens

    def _write(self, tokens: dict[str, Token]) -> None:
        text = json.dumps([_plain(token) for token in tokens.values()], ensure_ascii=False)
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(
                os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
            ) as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(self._file)
        except OSError as error:
            raise ConfigurationError(f"{self._file}: {error.strerror}") from None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _plain(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "made_at": token.made_at.isoformat(),
        "digest": token.digest,
        "revoked": token.revoked,
    }


def _parsed(file: Path) -> dict[str, Token]:
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError
        tokens = [
            Token(
                str(one["id"]),
                str(one["name"]),
                frozenset(map(Scope, one["scopes"])),
                datetime.fromisoformat(one["made_at"]),
                str(one["digest"]),
                bool(one["revoked"]),
            )
            for one in json.loads(file.read_text("utf-8"))
        ]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{file} is not a list of tokens") from None
    return {token.id: token for token in tokens}
