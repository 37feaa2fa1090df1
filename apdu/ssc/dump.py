"""A card's content as the card gave it, for bug reports and for the simulator.

`dump` reads everything that this terminal may read, and notes for the rest why not. What is read
is kept as bytes: a dump is taken first and understood later. `dump.schema.json` beside this file
defines the JSON form; the simulator serves a dump again as a card. A dump holds the holder's
personal data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apdu.crypto import Algorithm
from apdu.pin import Pin
from apdu.sam import SecureAccessModule
from apdu.ssc.binary import Progress
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.file_content import FileContent, Unreadable
from apdu.ssc.file_reader import FileReader
from apdu.ssc.filespec import EfSpec, Structure
from apdu.ssc.jobs import Job, prove, read_all
from apdu.status import NotAuthentic

FORMAT = "ssct-card-dump"
FORMAT_VERSION = 1
NOT_ASKED = "NOT_ASKED"
"""The reason of a file that nobody wanted: the fingerprints."""

_CONTENT = {
    Structure.VARIABLE: "records",
    Structure.CYCLIC: "rows",
    Structure.TRANSPARENT: "content",
}


@dataclass(frozen=True, slots=True)
class DumpedFile:
    """One file: what the card gave, or, with `reason`, why nothing is known of it.

    `raw` is as in `FileContent`. `reason` is the code of an error, `sw` the card's status word
    where there was one.
    """

    file: EfSpec
    raw: tuple[bytes, ...] = field(default=(), repr=False)
    reason: str | None = None
    sw: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The file as the schema has it."""
        shape = {"file": self.file.address, "structure": self.file.structure.value}
        if self.reason is not None:
            refusal = {"reason": self.reason}
            if self.sw is not None:
                refusal["sw"] = f"{self.sw:04X}"
            return {**shape, "unreadable": refusal}
        pieces = [piece.hex().upper() for piece in self.raw]
        whole = self.file.structure is Structure.TRANSPARENT
        return {**shape, _CONTENT[self.file.structure]: "".join(pieces) if whole else pieces}


@dataclass(frozen=True, slots=True)
class CardDump:
    """A whole card. `fci` is the answer to selecting its environment.

    `authentic` says whether it proved itself (None: nobody could tell), `pin_verified` whether
    the PIN was there.
    """

    atr: bytes = field(repr=False)
    fci: bytes = field(repr=False)
    version: str
    algorithm: Algorithm
    authentic: bool | None
    pin_verified: bool
    files: tuple[DumpedFile, ...]

    def to_json(self) -> dict[str, Any]:
        """The dump as `dump.schema.json` defines it."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "atr": self.atr.hex().upper(),
            "fci": self.fci.hex().upper(),
            "card_version": self.version,
            "algorithm": self.algorithm.name,
            "authentic": self.authentic,
            "pin_verified": self.pin_verified,
            "files": [file.to_json() for file in self.files],
        }


def dump(
    card: SocialSecurityCard,
    sam: SecureAccessModule | None = None,
    pin: Pin | None = None,
    *,
    fingerprints: bool = False,
    progress: Progress = lambda _done, _total: True,
) -> CardDump:
    """Read everything that `sam` and `pin` open; a closed file is tried all the same.

    A card that is not genuine is dumped too. Raises `PinWrong` or `PinBlocked` before anything is
    read, `UnsupportedCard`, `ReadingStopped`, and the errors of the line.
    """
    fci = _environment_fci(card)
    authentic = _authentic(card, sam)
    reader = FileReader(card, sam, pin, try_closed=True, beyond=True)
    wanted = Job.EVERYTHING.files(card.version, fingerprints=fingerprints)
    files = [_dumped(result) for result in read_all(reader, wanted, progress=progress)]
    everything = Job.EVERYTHING.files(card.version, fingerprints=True)
    files += [DumpedFile(file, reason=NOT_ASKED) for file in everything if file not in wanted]
    return CardDump(
        atr=card.channel.atr,
        fci=fci,
        version=card.version,
        algorithm=card.algorithm,
        authentic=authentic,
        pin_verified=reader.entitlement.pin_verified,
        files=tuple(files),
    )


def _environment_fci(card: SocialSecurityCard) -> bytes:
    """The answer to selecting the environment, which the channel remembers if it is current."""
    card.enter("SSSE")
    name = card.channel.current_df
    if isinstance(name, int):
        return card.channel.select_fid(name)
    return card.channel.select_name(name) if name else b""


def _authentic(card: SocialSecurityCard, sam: SecureAccessModule | None) -> bool | None:
    if sam is None:
        return None
    try:
        prove(card, sam)
    except NotAuthentic:
        return False
    return card.authentic or None


def _dumped(result: FileContent | Unreadable) -> DumpedFile:
    if isinstance(result, FileContent):
        return DumpedFile(result.file, result.raw)
    return DumpedFile(result.file, reason=result.error.code, sw=result.sw)
