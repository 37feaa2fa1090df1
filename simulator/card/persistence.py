"""A simulated card whose memory outlives the process: its state in a file.

The state is saved after every command that wrote, before its answer leaves the card. So a process
that is killed leaves the state before the command or the one after it, and an answer that was given
is never forgotten: a wrong PIN stays counted, a debit stays debited.

The file says which card it belongs to by a hash over what a new card of the profile holds, its
keys and its reset answer's historical bytes. A profile that was changed since makes another card.
The title, the back office's part, and whether the card is presented contactless do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from apdu.status import CardRemoved
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.memory import Memory
from simulator.card.state_file import FileLock, read_bounded, write_atomically

_FORMAT = "ssct-card-state-1"
_FILE_SIZE_MAX = 1024 * 1024


class CardStateError(Exception):
    """The file with a simulated card's state cannot be used. The message names the file."""

    code: ClassVar[str] = "CARD_STATE_INVALID"
    zh: ClassVar[str] = "模拟卡状态文件有误。"
    en: ClassVar[str] = "The simulated card's state file is not valid."
    remedy: ClassVar[str] = "Name another file, or delete this one: the card is then new again."


class CardStateUnavailable(CardStateError):
    """The file cannot be read or written."""

    code = "CARD_STATE_UNAVAILABLE"
    zh = "无法读写模拟卡状态文件。"
    en = "The simulated card's state file cannot be read or written."
    remedy = "Check that the directory exists, that this user may write to it, and the disk."


class CardStateInUse(CardStateError):
    """Another simulated card, in this process or another, keeps its state in the file."""

    code = "CARD_STATE_IN_USE"
    zh = "状态文件正被另一张模拟卡使用。"
    en = "Another simulated card is using the state file."
    remedy = "A card is in one place at a time: stop the other program, or name another file."


class CardStateDamaged(CardStateError):
    """The file is not a card's state, or not all of it is there."""

    code = "CARD_STATE_DAMAGED"


class CardStateOfAnother(CardStateError):
    """The file holds the state of a card of another profile, or of another program version."""

    code = "CARD_STATE_OF_ANOTHER"
    zh = "状态文件属于另一张模拟卡。"
    en = "The state file belongs to another simulated card."
    remedy = "Use one state file for each card; a changed profile makes another card."


class PersistentCard:
    """A `SimulatedCard` that keeps its state in `file`; implements `apdu.readers.inprocess.Chip`.

    The file is made when it is not there, and locked until `close` or the end of the process.

    Raises a `CardStateError`, and `ProfileError` when the profile does not fit the card's file
    map.
    """

    def __init__(
        self,
        profile: CardProfile,
        file: Path,
        *,
        random: Callable[[int], bytes],
        protocol: Protocol | None = None,
    ) -> None:
        self.card = SimulatedCard(profile, random=random, protocol=protocol)
        self._file = file
        self._saved = 0
        self._identity = _identity(profile, self.card.memory)
        self._lock = _lock(file)
        try:
            self._load_or_make()
        except CardStateError:
            self.close()
            raise

    @property
    def memory(self) -> Memory:
        """The card's non-volatile memory, for those who want to tear it."""
        return self.card.memory

    def power_on(self) -> bytes:
        """See `SimulatedCard`. Raises `CardRemoved` when what it restored cannot be saved."""
        atr = self.card.power_on()
        self._save_what_changed()
        return atr

    def power_off(self) -> None:
        """See `SimulatedCard`."""
        self.card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """See `SimulatedCard`. Raises `CardRemoved` when the state cannot be saved.

        A card that cannot keep what it says loses its power instead: the answer never leaves.
        """
        answer = self.card.transmit(command)
        self._save_what_changed()
        return answer

    def close(self) -> None:
        """Cut the power and let another card use the file."""
        self.card.power_off()
        self._lock.release()

    def _load_or_make(self) -> None:
        content = _load(self._file, self._identity)
        if content is None:
            self._save()
            return
        try:
            self.card.memory.replace_content(content)
        except ValueError:
            problem = "the memory is not of this card's size"
            raise CardStateDamaged(f"{self._file}: {problem}") from None
        self._saved = self.card.memory.generation

    def _save_what_changed(self) -> None:
        if self.card.memory.generation == self._saved:
            return
        try:
            self._save()
        except CardStateUnavailable as error:
            self.card.power_off()
            raise CardRemoved(f"the simulated card stopped: {error}") from error

    def _save(self) -> None:
        memory = self.card.memory
        content = memory.content
        document = {
            "format": _FORMAT,
            "card": self._identity,
            "checksum": hashlib.sha256(content).hexdigest(),
            "memory": content.hex(),
        }
        try:
            write_atomically(self._file, json.dumps(document, indent=1).encode())
        except OSError as error:
            raise CardStateUnavailable(f"{self._file}: {error.strerror}") from None
        self._saved = memory.generation


def _lock(file: Path) -> FileLock:
    try:
        return FileLock(file)
    except BlockingIOError:
        raise CardStateInUse(f"{file} is in use") from None
    except OSError as error:
        raise CardStateUnavailable(f"{file}: {error.strerror}") from None


def _identity(profile: CardProfile, fresh: Memory) -> str:
    """A hash over what makes this card this card. `fresh` is its memory as personalised."""
    keys: str | Mapping[str, str] = (
        profile.keys
        if isinstance(profile.keys, str)
        else {name: root.hex() for name, root in profile.keys.items()}
    )
    card = profile.card
    own = {
        "algorithm": card.algorithm.name,
        "historical": card.historical.hex(),
        "key_versions": card.key_versions,
        "keys": keys,
        "closed": sorted(profile.closed),
        "absent": sorted(profile.absent),
        "memory": fresh.content.hex(),
    }
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def _load(file: Path, identity: str) -> bytes | None:
    """The saved memory content, or None when there is no file yet."""
    try:
        raw = read_bounded(file, _FILE_SIZE_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CardStateUnavailable(f"{file}: {error.strerror}") from None
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise CardStateDamaged(f"{file}: this is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise CardStateDamaged(f"{file}: this is not the state of a simulated card")
    if document.get("card") != identity:
        raise CardStateOfAnother(f"{file}: saved by a card of another profile")
    return _content(document, file)


def _content(document: Mapping[str, Any], file: Path) -> bytes:
    try:
        content = bytes.fromhex(document["memory"])
    except (KeyError, TypeError, ValueError):
        raise CardStateDamaged(f"{file}: the memory is missing or not hex") from None
    if hashlib.sha256(content).hexdigest() != document.get("checksum"):
        raise CardStateDamaged(f"{file}: the checksum is wrong")
    return content
