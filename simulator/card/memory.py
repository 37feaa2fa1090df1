"""The card's non-volatile memory: written in transactions, torn by a power cut at any byte.

Everything that outlives a power-off lies in one byte image: file contents, retry counters, the
PIN, blocked flags. A commit follows the card's duty of facts 7.5: back up what will be
overwritten, mark the backup valid, write, drop the mark. At power-up a valid backup is written
back. So whatever byte the power fails at, the card comes back with all of a commit or none of it.
"""

from __future__ import annotations

from collections.abc import Iterable

Change = tuple[int, bytes]
"""An offset into the memory and the bytes to write there."""

_VALID = 0xA5
_MARK = 0
_ENTRY_COUNT = 1
_ENTRIES = 3
_ENTRY_HEADER = 5
_BACKUP_SIZE = 8 * 1024


class PowerLost(Exception):
    """The power went away while the memory was being written."""


class WriteFailed(Exception):
    """The memory does not take what is written: nothing has changed."""


class BackupFull(WriteFailed):
    """A commit is larger than the backup area."""


class WornOut(WriteFailed):
    """The cells can be written no more."""


class Memory:
    """A byte image with atomic commits, and a fuse that cuts the power in the middle of one.

    The first bytes are the backup area: mark 1, entry count 2, then entries of offset 3, length 2
    and the old bytes. `generation` changes with every commit and restore, so that what was read
    before can be known to be stale; `byte_writes` counts the bytes written so far.
    """

    __slots__ = ("_fuse", "_image", "_worn", "byte_writes", "generation")

    def __init__(self) -> None:
        self._image = bytearray(_ENTRIES + _BACKUP_SIZE)
        self._fuse: int | None = None
        self._worn = False
        self.byte_writes = 0
        self.generation = 0

    def allocate(self, initial: bytes) -> int:
        """Set `initial` aside as a new region, as the card's maker does, and return its offset."""
        offset = len(self._image)
        self._image += initial
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`."""
        return bytes(self._image[offset : offset + length])

    def byte(self, offset: int) -> int:
        """The byte at `offset`."""
        return self._image[offset]

    @property
    def content(self) -> bytes:
        """Everything that commits write: the memory without its backup area."""
        return bytes(self._image[_ENTRIES + _BACKUP_SIZE :])

    def replace_content(self, content: bytes) -> None:
        """Put what `content` gave at another time in the place of everything that commits write.

        Drops a backup that waits to be restored. Raises `ValueError` when the length differs.
        """
        if len(content) != len(self._image) - _ENTRIES - _BACKUP_SIZE:
            raise ValueError("the content is of another memory")
        self._image[_ENTRIES + _BACKUP_SIZE :] = content
        self._image[_MARK] = 0
        self.generation += 1

    def commit(self, changes: Iterable[Change]) -> None:
        """Write all of `changes` or, if the power fails on the way, none.

        Raises `PowerLost` when the fuse blows, `BackupFull` when the changes are too large, and
        `WornOut` after `wear_out`.
        """
        if self._worn:
            raise WornOut("the cells are worn out")
        pending = list(changes)
        self.generation += 1
        self._back_up(pending)
        self._burn(_MARK, bytes((_VALID,)))
        for offset, data in pending:
            self._burn(offset, data)
        self._burn(_MARK, b"\x00")

    def restore(self) -> None:
        """Undo a commit that the power cut short. To be called at every power-up.

        Raises `PowerLost` when the power fails again; the next power-up starts over.
        """
        if self._image[_MARK] != _VALID:
            return
        self.generation += 1
        at = _ENTRIES
        for _ in range(int.from_bytes(self.read(_ENTRY_COUNT, 2), "big")):
            offset = int.from_bytes(self.read(at, 3), "big")
            length = int.from_bytes(self.read(at + 3, 2), "big")
            self._burn(offset, self.read(at + _ENTRY_HEADER, length))
            at += _ENTRY_HEADER + length
        self._burn(_MARK, b"\x00")

    def tear_after(self, byte_writes: int) -> None:
        """Cut the power once, after so many more byte writes; 0 cuts it before the next one."""
        self._fuse = byte_writes

    def wear_out(self) -> None:
        """Let every write fail from now on, as the cells of a very old card do (6581)."""
        self._worn = True

    def mend(self) -> None:
        """Take out a fuse that has not blown."""
        self._fuse = None

    def _back_up(self, changes: list[Change]) -> None:
        entries = bytearray()
        for offset, data in changes:
            entries += offset.to_bytes(3, "big") + len(data).to_bytes(2, "big")
            entries += self._image[offset : offset + len(data)]
        if len(entries) > _BACKUP_SIZE:
            raise BackupFull(f"{len(entries)} bytes do not fit the backup area")
        self._burn(_ENTRY_COUNT, len(changes).to_bytes(2, "big") + bytes(entries))

    def _burn(self, offset: int, data: bytes) -> None:
        """Write byte after byte, as the cells do, until done or the fuse blows."""
        if self._fuse is not None:
            self._burn_on_a_fuse(offset, data, self._fuse)
            return
        self._image[offset : offset + len(data)] = data
        self.byte_writes += len(data)

    def _burn_on_a_fuse(self, offset: int, data: bytes, fuse: int) -> None:
        written = data[:fuse]
        self._image[offset : offset + len(written)] = written
        self.byte_writes += len(written)
        if data and len(data) >= fuse:
            self._fuse = None
            raise PowerLost
        self._fuse = fuse - len(data)
