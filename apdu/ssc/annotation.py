"""A recorded session in words: command names, file names, decoded data, status words, times.

A trace holds bytes; `annotated` says what they are. It follows the session as the card does, by
what was selected and by which answers belong together, and decodes whatever the file map knows.

Without `in_full` personal values are masked and the bytes of files are only counted, so the text
may be shown to others; the trace itself may not. PINs are in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from apdu.command import Command
from apdu.ssc.decode import LabelledRow, labelled
from apdu.ssc.file_content import FileContent, cyclic_content, variable_content
from apdu.ssc.files import DIRECTORIES, EfSpec, Generation, Structure, file_map
from apdu.status import CardError, MalformedData, describe, has_more
from apdu.tlv import Tlv, leading_records, parse_tlvs
from apdu.trace import Atr, Event, Exchange, Note, Trace

NAMES = {
    0x16: "CARD BLOCK",
    0x1E: "APPLICATION BLOCK",
    0x20: "VERIFY",
    0x24: "PIN UNBLOCK or RELOAD",
    0x5E: "CHANGE PIN",
    0x82: "EXTERNAL AUTHENTICATE",
    0x84: "GET CHALLENGE",
    0x88: "INTERNAL AUTHENTICATE",
    0xA4: "SELECT",
    0xA8: "GET PROCESSING OPTIONS",
    0xB0: "READ BINARY",
    0xB2: "READ RECORD",
    0xC0: "GET RESPONSE",
    0xCA: "GET DATA",
    0xD6: "UPDATE BINARY",
    0xDC: "UPDATE RECORD",
    0xE2: "APPEND RECORD",
}
"""Instructions of any class but the medical account's (ISO/IEC 7816-4; facts 5)."""

ACCOUNT_NAMES = {
    0x26: "GET BALANCE",
    0x28: "INITIALIZE",
    0x2A: "CREDIT FOR LOAD",
    0x2C: "DEBIT FOR PURCHASE",
    0x2E: "GET TRANSACTION PROOF",
    0x56: "STARTING DAY",
}
"""Instructions of the medical account's class B0 (facts 5.1)."""

_ACCOUNT_CLASS = 0xB0
_SELECT, _READ_BINARY, _READ_RECORD = 0xA4, 0xB0, 0xB2
_GET_RESPONSE, _VERIFY = 0xC0, 0x20
_READS = frozenset({_READ_BINARY, _READ_RECORD, 0xD6, 0xDC, 0xE2})
_BY_SFI = 0x80
_MASTER_FILE = 0x3F00

_OPEN = {"SSSEEF05": frozenset({"02", "03", "04", "05", "06"})}
"""What is of the issue and not of the holder: shown without masking."""

_SHORTEST_MASKED, _LONGEST_MASKED = 9, 40

Mask = Callable[[str], str]


def annotated(trace: Trace, mask: Mask, *, in_full: bool = False) -> Iterator[str]:
    """The lines that tell `trace`. `mask` hides the middle of a personal value.

    `in_full` shows names, numbers and every byte there is instead.
    """
    session = _Session(mask, in_full=in_full)
    for event in trace.events:
        yield from session.tell(event)


def shown(file: EfSpec, row: LabelledRow, mask: Mask | None) -> str:
    """The value of `row` of `file` in words; what is the holder's goes through `mask`, if any.

    Of short words, which are mostly those of a code, nothing is left: one character would do.
    """
    text = row.value.zh if row.value.zh == row.value.en else f"{row.value.zh} {row.value.en}"
    if mask is None or not text or row.place in _OPEN.get(file.address, ()):
        return text
    plain = row.value.zh
    if len(plain) < _SHORTEST_MASKED:
        return "*" * len(plain)
    return mask(plain) if len(plain) <= _LONGEST_MASKED else f"({len(plain)} characters)"


@dataclass(slots=True)
class _Session:
    """What has been selected, and the answer that is being fetched in parts."""

    mask: Mask
    in_full: bool
    generation: Generation = Generation.V2
    df: str = ""
    ef: int | None = None
    begun: Command | None = None
    answer: bytearray = field(default_factory=bytearray)

    def tell(self, event: Event) -> Iterator[str]:
        """The lines of one event."""
        if isinstance(event, Note):
            yield f"# {event.text}".rstrip()
        elif isinstance(event, Atr):
            self._power_on()
            # Its historical bytes hold the chip's own serial number.
            yield f"ATR {event.atr.hex().upper() if self.in_full else f'{len(event.atr)} bytes'}"
        elif isinstance(event, Exchange):
            yield from self._exchange(event)
        else:
            yield "reset"

    def _power_on(self) -> None:
        self.df, self.ef, self.begun = "", None, None

    def _exchange(self, exchange: Exchange) -> Iterator[str]:
        try:
            command = Command.parse(exchange.command.value)
        except CardError:
            yield _line(exchange, f"{len(exchange.command.value)} bytes that are no command")
            return
        hidden = 0 in exchange.command.mask
        yield _line(exchange, self._named(command, hidden=hidden))
        if self.in_full and command.data and not hidden:
            yield f"      > {command.data.hex().upper()}"
        yield from self._follow(command, exchange)

    def _named(self, command: Command, *, hidden: bool) -> str:
        table = ACCOUNT_NAMES if command.cla == _ACCOUNT_CLASS else NAMES
        name = table.get(command.ins, f"{command.cla:02X} {command.ins:02X}")
        secured = " (secured)" if command.cla & 0x0C == 0x04 else ""
        about = self._about(command)
        if command.ins == _VERIFY and not command.data:
            about = "how many tries are left"
        elif hidden:
            about = f"{len(command.data)} bytes not kept"
        return f"{name}{secured} {about}".rstrip()

    def _about(self, command: Command) -> str:
        header = f"{command.p1:02X} {command.p2:02X}"
        if command.cla == _ACCOUNT_CLASS:
            return header
        if command.ins == _SELECT:
            return self._selected(command)
        if command.ins in _READS:
            file = self._file(command)
            name = f"{file.address} {file.name_zh} {file.name_en}" if file else "an unknown file"
            return f"{name}, {_part(command)}"
        if command.ins == _GET_RESPONSE:
            return ""
        sizes = f", {len(command.data)} bytes" if command.data else ""
        return f"{header}{sizes}"

    def _selected(self, command: Command) -> str:
        data = command.data
        fid = int.from_bytes(data, "big") if len(data) == 2 else None
        for name, directory in DIRECTORIES.items():
            if data == directory.aid or fid == directory.fid:
                return f"{name} {directory.name_zh} {directory.name_en}"
        if fid == _MASTER_FILE:
            return "MF"
        known = file_map(self.generation).get((self.df, fid)) if fid is not None else None
        return f"{known.address} {known.name_zh} {known.name_en}" if known else data.hex().upper()

    def _file(self, command: Command) -> EfSpec | None:
        """The file that a read or update names, by its short identifier or as selected last."""
        if command.ins in (_READ_BINARY, 0xD6):
            sfi = command.p1 & 0x1F if command.p1 & _BY_SFI else 0
        else:
            sfi = command.p2 >> 3
        fid = 0xEF00 | sfi if sfi else self.ef
        if fid is None:
            return None
        return file_map(self.generation).get((self.df, fid))

    def _follow(self, command: Command, exchange: Exchange) -> Iterator[str]:
        """Put an answer together over its GET RESPONSEs, and tell what it holds in the end."""
        if exchange.answer is None:
            self.begun = None
            return
        data, sw = exchange.answer[:-2], int.from_bytes(exchange.answer[-2:], "big")
        if command.ins != _GET_RESPONSE or self.begun is None:
            self.begun, self.answer = command, bytearray()
        self.answer += data
        if has_more(sw):
            if command.ins == _SELECT:
                self._select(command)
            return
        begun, whole = self.begun, bytes(self.answer)
        self.begun = None
        if sw != 0x9000:
            return
        if begun.ins == _SELECT:
            self._select(begun)
        elif begun.ins in _READS and begun.cla != _ACCOUNT_CLASS:
            file = self._file(begun)
            self.ef = file.fid if file else self.ef  # a short identifier makes it the current one
        if whole and not exchange.hidden:
            yield from self._data(begun, whole)

    def _select(self, command: Command) -> None:
        fid = int.from_bytes(command.data, "big") if len(command.data) == 2 else None
        if fid is not None and fid >> 8 == 0xEF:
            self.ef = fid
            return
        named = (
            name
            for name, directory in DIRECTORIES.items()
            if command.data == directory.aid or fid == directory.fid
        )
        self.df, self.ef = next(named, ""), None

    def _data(self, command: Command, data: bytes) -> Iterator[str]:
        if command.ins == _SELECT:
            yield from _tree(data)
            return
        file = self._file(command) if command.ins in (_READ_BINARY, _READ_RECORD) else None
        if self.in_full:
            yield f"      < {data.hex().upper()}"
        else:
            yield f"      < {len(data)} bytes"
        if file is not None:
            yield from self._content(file, data)

    def _content(self, file: EfSpec, data: bytes) -> Iterator[str]:
        content = _decoded(file, data)
        if content is None:
            return
        for row in labelled(content):
            value = shown(file, row, None if self.in_full else self.mask)
            yield f"        {row.place:<6} {row.name.zh} {row.name.en}: {value}".rstrip()
            if file.address == "SSSEEF05" and row.place == "03":
                self._note_version(row.value.en)
        for warning in content.warnings:
            yield f"        ! {warning}"

    def _note_version(self, version: str) -> None:
        try:
            self.generation = Generation.of(version)
        except CardError:
            self.generation = Generation.V2


def _line(exchange: Exchange, what: str) -> str:
    """When, how long, what, and how it ended."""
    if exchange.answer is None:
        ended = exchange.failure
    else:
        ended = describe(int.from_bytes(exchange.answer[-2:], "big"))
    return f"{_times(exchange)}  {what}  ->  {ended}"


def _times(exchange: Exchange) -> str:
    """Seconds since the session began, and how many milliseconds the command took."""
    if exchange.sent is None or exchange.received is None:
        return f"{'':>9} {'':>10}"
    took = (exchange.received - exchange.sent) * 1000
    return f"{exchange.sent:9.3f} {took:7.1f} ms"


def _part(command: Command) -> str:
    if command.ins in (_READ_BINARY, 0xD6):
        offset = command.p2 if command.p1 & _BY_SFI else command.p1 << 8 | command.p2
        return f"from byte {offset}"
    mode = command.p2 & 0x07
    if mode == 0x05:
        return f"from record {command.p1} on"
    return f"record {command.p1}" if mode == 0x04 else f"tag {command.p1:02X}"


def _decoded(file: EfSpec, data: bytes) -> FileContent | None:
    """What stands in a part of a file; None where a part alone means nothing."""
    if file.structure is Structure.TRANSPARENT:
        return None
    if file.structure is Structure.VARIABLE:
        return variable_content(file, leading_records(data)[0])
    size = file.record_length
    rows = [data[at : at + size] for at in range(0, len(data) - size + 1, size)]
    return cyclic_content(file, rows) if rows else None


def _tree(data: bytes) -> Iterator[str]:
    """An answer to SELECT, as BER-TLV where it is."""
    try:
        yield from tlv_lines(parse_tlvs(data, lenient=True), "      ")
    except MalformedData:
        yield f"      {data.hex().upper()}"


def tlv_lines(tree: tuple[Tlv, ...], indent: str = "") -> Iterator[str]:
    """BER-TLV as an indented list, one line an object."""
    for item in tree:
        if item.children:
            yield f"{indent}{item.tag:X}"
            yield from tlv_lines(item.children, f"{indent}  ")
        else:
            yield f"{indent}{item.tag:X} {item.value.hex().upper()}"
