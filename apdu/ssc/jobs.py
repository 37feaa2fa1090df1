"""What is read together: the basic, the medical and the complete read of a card.

A job is a list of files. Reading one takes the least commands that the access rules allow
(`apdu/ssc/least.py` says how many that are): the PIN is presented once, in the environment, and
opens all that it can; each application is selected once, for keys are good only while it stays
selected; a key is used only for what the PIN does not open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from apdu.pin import Pin
from apdu.sam import SecureAccessModule
from apdu.ssc.binary import Progress
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.file_content import FileContent, Unreadable
from apdu.ssc.file_reader import FileReader
from apdu.ssc.files import file_map
from apdu.ssc.filespec import EfSpec, Rule
from apdu.status import AlgorithmNotSupported, KeyNotAvailable

Address = tuple[str, int]
"""Directory name and file identifier: ("DF04", 0xEF05)."""

FINGERPRINTS: Address = ("SSSE", 0xEF07)
_ISSUER: Address = ("SSSE", 0xEF05)
_HOLDER: Address = ("SSSE", 0xEF06)
_MEDICAL: tuple[Address, ...] = tuple(("DF04", fid) for fid in (0xEF05, 0xEF06, 0xEF08, 0xEF15))
_PIN_HELPS = (Rule.PIN, Rule.PIN_OR_KEY, Rule.PIN_AND_KEY)


class Job(Enum):
    """The jobs. What a card of an older version does not have is left out."""

    BASIC = "basic"  # issuer and holder
    MEDICAL = "medical"  # medical insurance, its account and its log
    EVERYTHING = "everything"  # every file but the fingerprints, which nobody needs by accident

    def files(self, version: str, *, fingerprints: bool = False) -> tuple[EfSpec, ...]:
        """The files of this job on a card of `version`, those of an application together.

        Raises `UnsupportedCard` for a version that is not known.
        """
        known = file_map(version)
        if self is Job.EVERYTHING:
            wanted = [place for place in known if fingerprints or place != FINGERPRINTS]
        else:
            wanted = [_ISSUER, _HOLDER] if self is Job.BASIC else list(_MEDICAL)
        return tuple(known[place] for place in wanted if place in known)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a job found, in the order in which it read."""

    results: tuple[FileContent | Unreadable, ...]

    @property
    def files(self) -> Mapping[Address, FileContent]:
        """What could be read, by directory name and file identifier."""
        return {_place(r): r for r in self.results if isinstance(r, FileContent)}

    @property
    def unreadable(self) -> Mapping[Address, Unreadable]:
        """What could not be read, and why."""
        return {_place(r): r for r in self.results if isinstance(r, Unreadable)}

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, each with the address of its file."""
        return tuple(f"{c.file.address} {w}" for c in self.files.values() for w in c.warnings)


def read_job(
    card: SocialSecurityCard,
    job: Job,
    sam: SecureAccessModule | None = None,
    pin: Pin | None = None,
    *,
    pin_verified: bool = False,
    fingerprints: bool = False,
    progress: Progress = lambda _done, _total: True,
) -> Findings:
    """Read all files of `job` that can be read; the others are reported with the reason.

    With a security module the card has to prove itself first. `progress` watches the long files.
    Raises `NotAuthentic`, `PinWrong` or `PinBlocked` before anything is read, `UnsupportedCard`,
    `ReadingStopped`, and the errors of the line.
    """
    if sam is not None and not card.authentic:
        prove(card, sam)
    files = job.files(card.version, fingerprints=fingerprints)
    reader = FileReader(card, sam, pin, pin_verified=pin_verified)
    return Findings(tuple(read_all(reader, files, progress=progress)))


def read_all(
    reader: FileReader,
    files: Iterable[EfSpec],
    *,
    progress: Progress = lambda _done, _total: True,
) -> Iterator[FileContent | Unreadable]:
    """Read `files` with the PIN presented at the start, if it is at hand and opens any of them."""
    files = tuple(files)
    if reader.entitlement.has_pin and any(file.read.rule in _PIN_HELPS for file in files):
        reader.entitlement.verify()
    return reader.read_each(files, progress=progress)


def prove(card: SocialSecurityCard, sam: SecureAccessModule) -> None:
    """Let the card prove itself, where the security module can tell.

    Raises `NotAuthentic`, and nothing where algorithm or key are missing: then the files that
    need a key stay closed.
    """
    try:
        card.authenticate(sam)
    except (AlgorithmNotSupported, KeyNotAvailable):
        return


def _place(result: FileContent | Unreadable) -> Address:
    return result.file.df, result.file.fid
