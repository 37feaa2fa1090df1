"""Reading files by their addresses, once their rules have been met (facts 6.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.contents import decode_row
from apdu.ssc.driver.address import FileAddress, ItemAddress
from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.driver.text import BAR, END, item_text, row_text, rows_text
from apdu.ssc.file_content import FileContent, variable_content
from apdu.ssc.file_reader import FileReader
from apdu.ssc.filespec import EfSpec, Structure
from apdu.ssc.rows import RowReader
from apdu.tlv import RecordTlv

_ISSUER = "SSSEEF05"
_COMMAND, _SELECTION = 7, 9
"""The bytes on the line that a READ RECORD takes beside its data, and those of a SELECT."""


def read_addressed(card: SocialSecurityCard, file: EfSpec, address: FileAddress) -> str:
    """What the address asks for, in its own frame; the file has been opened.

    Raises -14 for an address that does not fit the file, -27267 for a record that is not there.
    """
    return f"{address.text}{BAR}{_READERS[file.structure](card, file, address)}{END}"


def check_address(file: EfSpec, address: FileAddress) -> None:
    """Raise what `read_addressed` would raise before it asks the card."""
    if file.structure is Structure.VARIABLE:
        address.items(file)
    elif file.structure is Structure.CYCLIC:
        address.row()
    else:
        address.require_whole()


def _items(card: SocialSecurityCard, file: EfSpec, address: FileAddress) -> str:
    wanted = address.items(file)
    content = _some(card, file, wanted) or FileReader(card).read_opened(file)
    texts = []
    for one in wanted:
        item = content.item(one.spec.tag, one.instance)
        if item is None:
            raise DriverRefusal(ResultCode.RECORD_NOT_FOUND, address.text)
        texts.append(item_text(item))
    return "".join(f"{text}{BAR}" for text in texts)


def _some(
    card: SocialSecurityCard, file: EfSpec, wanted: Sequence[ItemAddress]
) -> FileContent | None:
    """The wanted records alone, where that is fewer bytes than the whole file; else None.

    Not where records share a tag, nor where one record decides what another means (facts 3.7).
    """
    tags = tuple(dict.fromkeys(one.spec.tag for one in wanted))
    if file.address == _ISSUER or any(record.renewed for record in file.records):
        return None
    if any(one.spec.count > 1 for one in wanted):
        return None
    bytes_asked = _SELECTION + sum(one.spec.size + _COMMAND for one in wanted)
    if bytes_asked >= file.record_length + _COMMAND:
        return None
    card.enter(file.df)
    values = card.reader.read_items(file, tags)
    return variable_content(file, (RecordTlv(tag, value) for tag, value in values.items()))


def _rows(card: SocialSecurityCard, file: EfSpec, address: FileAddress) -> str:
    number = address.row()
    if number is None:
        return rows_text(FileReader(card).read_opened(file))
    row = RowReader(card.channel, card.reader.reading).row(file, number)
    return row_text(decode_row(file, row))


def _content(card: SocialSecurityCard, file: EfSpec, address: FileAddress) -> str:
    address.require_whole()
    (content,) = FileReader(card).read_opened(file).raw
    return content.hex().upper() + BAR


_READERS: dict[Structure, Callable[[SocialSecurityCard, EfSpec, FileAddress], str]] = {
    Structure.VARIABLE: _items,
    Structure.CYCLIC: _rows,
    Structure.TRANSPARENT: _content,
}
