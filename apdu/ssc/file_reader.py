"""Reading any file of the card: its access rule met, in as few commands as the card allows.

One file with `read_file`, several with a `FileReader`; `apdu/ssc/jobs.py` knows which files
belong together. Facts 3.1 (structures), 3.5 (access), 3.9 (commands).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from apdu.pin import Pin
from apdu.sam import SecureAccessModule
from apdu.ssc.binary import BinaryReader, End, Progress, ReadingStopped
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.entitlement import LINE_ERRORS, Entitlement
from apdu.ssc.file_content import (
    FileContent,
    Unreadable,
    cyclic_content,
    empty_content,
    transparent_content,
    variable_content,
)
from apdu.ssc.filespec import EfSpec, Rule, Structure
from apdu.ssc.rows import RowReader
from apdu.status import (
    CardError,
    MalformedApdu,
    MalformedData,
    PinBlocked,
    PinWrong,
    StatusError,
    StatusWord,
)
from apdu.tlv import RecordTlv

_ISSUER = ("SSSE", 0xEF05)
_ENDS_ALL = (PinWrong, PinBlocked, ReadingStopped, *LINE_ERRORS)


def read_file(
    card: SocialSecurityCard,
    file: EfSpec,
    sam: SecureAccessModule | None = None,
    pin: Pin | None = None,
    *,
    pin_verified: bool = False,
) -> FileContent:
    """Read one file of the file map; see `FileReader.read`."""
    return FileReader(card, sam, pin, pin_verified=pin_verified).read(file)


class FileReader:
    """Reads the files of one card for one terminal and holder.

    `sam` holds the terminal's keys, `pin` is the holder's; what is None is done without, and the
    files that need it stay closed. `pin_verified`: the card has seen the PIN already.
    `try_closed` reads files even where the rule of the file map cannot be met, for cards that are
    more open than it. `beyond` reads also what a file holds beyond the file map.
    """

    def __init__(
        self,
        card: SocialSecurityCard,
        sam: SecureAccessModule | None = None,
        pin: Pin | None = None,
        *,
        pin_verified: bool = False,
        try_closed: bool = False,
        beyond: bool = False,
    ) -> None:
        self.entitlement = Entitlement(card, sam, pin, pin_verified=pin_verified)
        self._card = card
        self._rows = RowReader(card.channel, card.reader.reading)
        self._binary = BinaryReader(card.channel)
        self._try_closed = try_closed
        self._beyond = beyond

    def read(
        self,
        file: EfSpec,
        *,
        progress: Progress = lambda _done, _total: True,
        end: End = lambda _start: None,
    ) -> FileContent:
        """Read `file` after its access rule. `progress` and `end` are for transparent files.

        Faults in the data make warnings. Raises what `Entitlement.meet` raises, `StatusError` when
        the card does not let us read all the same, `MalformedData` or `MalformedApdu` when nothing
        in its answers makes sense, `ReadingStopped`, and the errors of the line.
        """
        try:
            self.entitlement.require_means(file.read)
            self._card.enter(file.df)
            self.entitlement.meet(file.read)
        except _ENDS_ALL:
            raise
        except CardError as closed:
            if not self._try_closed:
                raise
            self._card.enter(file.df)
            return self._read_though(closed, file, progress, end)
        self._card.enter(file.df)
        try:
            return self._content(file, progress, end)
        except StatusError as error:
            if not self._opens_with_the_key_too(file, error):
                raise
        self.entitlement.use_key(file.read)
        return self._content(file, progress, end)

    def read_opened(self, file: EfSpec) -> FileContent:
        """`read` for a file that the caller has opened himself; no rule is met here."""
        self._card.enter(file.df)
        return self._content(file, lambda _done, _total: True, lambda _start: None)

    def read_each(
        self, files: Iterable[EfSpec], *, progress: Progress = lambda _done, _total: True
    ) -> Iterator[FileContent | Unreadable]:
        """Read `files` one after the other; one that cannot be read does not stop the others.

        The errors of the line, a wrong PIN and `ReadingStopped` do. An application that the card
        does not have is asked for once.
        """
        lacking: dict[str, CardError] = {}
        for file in files:
            try:
                self._try_to_enter(file, lacking)
                yield self.read(file, progress=progress)
            except _ENDS_ALL:
                raise
            except CardError as error:
                yield Unreadable(file, error)

    def _try_to_enter(self, file: EfSpec, lacking: dict[str, CardError]) -> None:
        """Select the application of `file`, unless that is known to be of no use."""
        if file.df in lacking:
            raise lacking[file.df]
        if not self._try_closed:
            self.entitlement.require_means(file.read)
        try:
            self._card.enter(file.df)
        except LINE_ERRORS:
            raise
        except CardError as error:
            lacking[file.df] = error
            raise

    def _read_though(
        self, closed: CardError, file: EfSpec, progress: Progress, end: End
    ) -> FileContent:
        """Read a file that ought to be closed. Raises `closed` where the card agrees."""
        try:
            return self._content(file, progress, end)
        except StatusError as error:
            if error.sw == StatusWord.SECURITY_STATUS_NOT_SATISFIED:
                raise closed from error
            raise

    def _opens_with_the_key_too(self, file: EfSpec, error: StatusError) -> bool:
        """Whether a card that refused after the PIN may want the key: facts 3.5 and V2.0 differ."""
        refused = error.sw == StatusWord.SECURITY_STATUS_NOT_SATISFIED
        return refused and file.read.rule is Rule.PIN_OR_KEY and self.entitlement.has_pin

    def _content(self, file: EfSpec, progress: Progress, end: End) -> FileContent:
        if file.structure is Structure.TRANSPARENT:
            content = self._binary.read(file, progress=progress, end=end, beyond=self._beyond)
            return transparent_content(file, content)
        read = self._variable if file.structure is Structure.VARIABLE else self._cyclic
        try:
            return read(file)
        except StatusError as error:
            if error.sw == StatusWord.RECORD_NOT_FOUND:
                return empty_content(file)
            raise

    def _variable(self, file: EfSpec) -> FileContent:
        if (file.df, file.fid) == _ISSUER and not self._beyond:
            return variable_content(file, _known_issuer(self._card))
        reader = self._card.reader
        try:
            return variable_content(file, reader.read_all(file, beyond=self._beyond))
        except (MalformedData, MalformedApdu):
            return variable_content(file, reader.salvage(file), ("not all of it is records",))

    def _cyclic(self, file: EfSpec) -> FileContent:
        """Rows as long as the file map says, unless they make no sense and the card says else."""
        try:
            content = cyclic_content(file, self._rows.read(file))
        except MalformedData:
            content = None
        if content is not None and not content.warnings:
            return content
        length = self._rows.row_length(file)
        if length == file.record_length or not length:
            if content is None:
                raise MalformedData(f"file {file.address} is not made of rows")
            return content
        return cyclic_content(file, self._rows.read(file, length))


def _known_issuer(card: SocialSecurityCard) -> Iterator[RecordTlv]:
    """EF05, which was read when the card was selected."""
    return (RecordTlv(tag, value) for tag, value in card.issuer.items())
