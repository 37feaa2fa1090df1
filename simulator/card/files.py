"""The card's file system: directories, and the three kinds of elementary file over the memory.

Facts 3.1. A file keeps its content in the memory and checks sizes; who may read or write it is
looked at by the commands. Record files cache their records for as long as the memory does not
change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from apdu.ssc.filespec import Access
from apdu.status import StatusWord
from simulator.card.memory import Memory
from simulator.card.refusal import Refused

if TYPE_CHECKING:
    from simulator.card.instruction import Instruction
    from simulator.card.operating_system import OperatingSystem

Handler: TypeAlias = Callable[["OperatingSystem", "Instruction"], bytes]
"""Carries out one command and returns its answer's data, or raises `Refused`."""

NO_COMMANDS: Mapping[tuple[int, int], Handler] = MappingProxyType({})
_LENGTH_SIZE = 2
_CYCLE_HEADER = 2


class ElementaryFile:
    """What all kinds have: file id, access rules and a place in the memory."""

    __slots__ = ("_memory", "_offset", "fid", "read_access", "write_access")

    def __init__(self, fid: int, read: Access, write: Access, memory: Memory) -> None:
        self.fid = fid
        self.read_access = read
        self.write_access = write
        self._memory = memory
        self._offset = 0

    @property
    def sfi(self) -> int:
        """The short file id: the low five bits of the file id (facts 3.1)."""
        return self.fid & 0x1F


class RecordFile(ElementaryFile, ABC):
    """A file of records, numbered from 1; here they are a sequence numbered from 0."""

    __slots__ = ("_records", "_seen")

    def __init__(self, fid: int, read: Access, write: Access, memory: Memory) -> None:
        super().__init__(fid, read, write, memory)
        self._records: list[bytes] = []
        self._seen = -1

    @property
    def records(self) -> Sequence[bytes]:
        """The records as they are read: with tag and length in a variable-length record file."""
        if self._seen != self._memory.generation:
            self._records = self._load()
            self._seen = self._memory.generation
        return self._records

    @abstractmethod
    def _load(self) -> list[bytes]:
        """Read the records from the memory."""


class VariableFile(RecordFile):
    """Records of tag, length and value (变长记录) in the order of their creation.

    In the memory: length of the content 2, content, free space up to `capacity` bytes.
    """

    __slots__ = ("capacity",)

    def __init__(
        self,
        fid: int,
        read: Access,
        write: Access,
        memory: Memory,
        records: Sequence[bytes],
        capacity: int,
    ) -> None:
        super().__init__(fid, read, write, memory)
        content = b"".join(records)
        self.capacity = max(capacity, len(content))
        used = len(content).to_bytes(_LENGTH_SIZE, "big")
        self._offset = memory.allocate(used + content.ljust(self.capacity, b"\xff"))

    def append(self, record: bytes) -> None:
        """Add a record at the end. Raises 6A84 when the file has no space for it."""
        self._store([*self.records, record])

    def replace(self, index: int, record: bytes) -> None:
        """Put `record` in the place of another. Raises 6A84 when it is too large for the file."""
        records = list(self.records)
        records[index] = record
        self._store(records)

    def _store(self, records: Sequence[bytes]) -> None:
        content = b"".join(records)
        if len(content) > self.capacity:
            raise Refused(StatusWord.NO_SPACE)
        used = len(content).to_bytes(_LENGTH_SIZE, "big")
        self._memory.commit([(self._offset, used + content)])

    def _load(self) -> list[bytes]:
        used = int.from_bytes(self._memory.read(self._offset, _LENGTH_SIZE), "big")
        content = self._memory.read(self._offset + _LENGTH_SIZE, used)
        records = []
        at = 0
        while at < used:
            end = at + 2 + content[at + 1]
            records.append(content[at:end])
            at = end
        return records


class CyclicFile(RecordFile):
    """Rows of one length in a ring; a new one overwrites the oldest. The newest is number 1.

    In the memory: place of the newest row 1, number of rows 1, the ring.
    """

    __slots__ = ("capacity", "row_length")

    def __init__(
        self,
        fid: int,
        read: Access,
        write: Access,
        memory: Memory,
        rows: Sequence[bytes],
        row_length: int,
        capacity: int,
    ) -> None:
        super().__init__(fid, read, write, memory)
        self.row_length = row_length
        self.capacity = capacity
        oldest_first = b"".join(reversed(rows))
        header = bytes(((len(rows) - 1) % capacity, len(rows)))
        ring = oldest_first.ljust(row_length * capacity, b"\xff")
        self._offset = memory.allocate(header + ring)

    def appended(self, row: bytes) -> list[tuple[int, bytes]]:
        """The changes that make `row` the newest, for a commit alone or together with others."""
        newest, count = self._memory.read(self._offset, _CYCLE_HEADER)
        place = (newest + 1) % self.capacity
        header = bytes((place, min(count + 1, self.capacity)))
        return [(self._row_offset(place), row), (self._offset, header)]

    def append(self, row: bytes) -> None:
        """Make `row` the newest. Raises 6700 when it is not as long as the file's rows."""
        if len(row) != self.row_length:
            raise Refused(StatusWord.WRONG_LENGTH)
        self._memory.commit(self.appended(row))

    def _row_offset(self, place: int) -> int:
        return self._offset + _CYCLE_HEADER + place * self.row_length

    def _load(self) -> list[bytes]:
        newest, count = self._memory.read(self._offset, _CYCLE_HEADER)
        return [
            self._memory.read(self._row_offset((newest - age) % self.capacity), self.row_length)
            for age in range(count)
        ]


class TransparentFile(ElementaryFile):
    """Plain bytes, addressed by offset."""

    __slots__ = ("size",)

    def __init__(
        self, fid: int, read: Access, write: Access, memory: Memory, content: bytes
    ) -> None:
        super().__init__(fid, read, write, memory)
        self.size = len(content)
        self._offset = memory.allocate(content)

    def content(self, offset: int) -> bytes:
        """Everything from `offset` to the end."""
        return self._memory.read(self._offset + offset, self.size - offset)

    def overwrite(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`. Raises 6700 when they reach beyond the end."""
        if offset + len(data) > self.size:
            raise Refused(StatusWord.WRONG_LENGTH)
        self._memory.commit([(self._offset + offset, data)])


class Directory:
    """The MF, a DDF or an ADF: named, holding files and further directories.

    `label` is its name in the file map ("SSSE", "DF01"), which keys and access rules refer to; an
    application beside social security has none. `commands` are those that only this one knows.
    """

    __slots__ = (
        "_blocked_at",
        "_memory",
        "by_sfi",
        "children",
        "commands",
        "fci",
        "fid",
        "files",
        "label",
        "name",
        "parent",
    )

    def __init__(self, label: str, fid: int, name: bytes, fci: bytes, memory: Memory) -> None:
        self.label = label
        self.fid = fid
        self.name = name
        self.fci = fci
        self.parent: Directory | None = None
        self.children: list[Directory] = []
        self.files: dict[int, ElementaryFile] = {}
        self.by_sfi: dict[int, ElementaryFile] = {}
        self.commands: Mapping[tuple[int, int], Handler] = NO_COMMANDS
        self._memory = memory
        self._blocked_at = memory.allocate(b"\x00")

    def add(self, *entries: Directory | ElementaryFile) -> None:
        """Put directories and files in."""
        for entry in entries:
            if isinstance(entry, Directory):
                entry.parent = self
                self.children.append(entry)
            else:
                self.files[entry.fid] = entry
                self.by_sfi[entry.sfi] = entry

    @property
    def is_blocked(self) -> bool:
        """Whether APPLICATION BLOCK stopped this directory or one above it."""
        if self._memory.byte(self._blocked_at):
            return True
        return self.parent is not None and self.parent.is_blocked

    def block(self) -> None:
        """Stop it for good."""
        self._memory.commit([(self._blocked_at, b"\x01")])

    def find_name(self, name: bytes) -> Directory | None:
        """The directory of that name here or below."""
        if self.name == name:
            return self
        return next((d for child in self.children if (d := child.find_name(name))), None)

    def find_near(self, fid: int) -> Directory | None:
        """The directory of that file id as P1=00 sees it from here (ISO/IEC 7816-4, 7.1.1).

        That is this one, its children, its parent and its parent's children, in this order.
        """
        near = [self, *self.children]
        if self.parent is not None:
            near += [self.parent, *self.parent.children]
        return next((directory for directory in near if directory.fid == fid), None)
