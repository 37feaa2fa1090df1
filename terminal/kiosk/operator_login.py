"""Who may look behind the kiosk: one password, kept as a scrypt hash, with waits after wrong ones.

Sessions live in memory and end with the program, after a time without use, or by logging out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from terminal.clock import Clock
from terminal.errors import ConfigurationError, StoreUnavailable

SESSION_SECONDS = 15 * 60.0
FREE_TRIES = 3
FIRST_WAIT, LONGEST_WAIT = 30.0, 15 * 60.0
SHORTEST = 10
"""Characters of a password."""

_N, _R, _P = 2**14, 8, 1
_SALT, _HASH = 16, 32


class LoginRefused(Exception):
    """Not now: `wait` is how many seconds to wait before the next try, 0 for a wrong password."""

    def __init__(self, wait: float) -> None:
        super().__init__("login refused")
        self.wait = wait


class Logins:
    """Checks passwords and keeps sessions. `password_file` None: nobody may come in."""

    def __init__(
        self, password_file: Path | None, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self._file = password_file
        self._clock = clock
        self._random = random
        self._lock = Lock()
        self._sessions: dict[str, float] = {}
        self._wrong = 0
        self._not_before = 0.0

    @property
    def possible(self) -> bool:
        """Whether a password is set at all."""
        return self._file is not None

    def enter(self, password: str) -> str:
        """A new session's key. Raises `LoginRefused`, or `ConfigurationError` for a bad file."""
        with self._lock:
            wait = self._not_before - self._clock.monotonic()
            if self._file is None or wait > 0:
                raise LoginRefused(max(wait, 0.0))
            if not _matches(password, _read(self._file)):
                self._wrong += 1
                self._hold_off()
                raise LoginRefused(0.0)
            self._wrong = 0
            key = self._random(32).hex()
            self._sessions[key] = self._clock.monotonic() + SESSION_SECONDS
            return key

    def holds(self, key: str) -> bool:
        """Whether `key` is a session that goes on; using it lets it go on longer."""
        now = self._clock.monotonic()
        with self._lock:
            self._sessions = {one: end for one, end in self._sessions.items() if end > now}
            if key not in self._sessions:
                return False
            self._sessions[key] = now + SESSION_SECONDS
            return True

    def leave(self, key: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(key, None)

    def _hold_off(self) -> None:
        over = self._wrong - FREE_TRIES
        if over >= 0:
            wait = min(FIRST_WAIT * 2**over, LONGEST_WAIT)
            self._not_before = self._clock.monotonic() + wait


def write_password(file: Path, password: str, random: Callable[[int], bytes]) -> None:
    """Keep the hash of `password` in `file`, readable by its owner only.

    Raises `ConfigurationError` for a short password, `StoreUnavailable` when it cannot be written.
    """
    if len(password) < SHORTEST:
        raise ConfigurationError(f"an operator's password has {SHORTEST} characters at least")
    salt = random(_SALT)
    try:
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(f"scrypt {salt.hex()} {_hash(password, salt).hex()}\n")
    except OSError as error:
        raise StoreUnavailable(f"cannot write {file}: {error.strerror}") from error


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=_HASH)


def _read(file: Path) -> tuple[bytes, bytes]:
    try:
        kind, salt, digest = file.read_text("ascii").split()
        if kind != "scrypt":
            raise ValueError(kind)
        return bytes.fromhex(salt), bytes.fromhex(digest)
    except (OSError, ValueError):
        raise ConfigurationError(
            f"[kiosk] operator_password_file: {file} is not what "
            "`ssct kiosk --set-operator-password` writes"
        ) from None


def _matches(password: str, kept: tuple[bytes, bytes]) -> bool:
    salt, digest = kept
    return hmac.compare_digest(_hash(password, salt), digest)
