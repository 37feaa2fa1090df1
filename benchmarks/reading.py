"""Commands, bytes and milliseconds of the reading jobs: ours, the least possible, a naive reader.

The least possible is `apdu/ssc/least.py`, which gives the reasons. The naive reader is the one that
most programs in the field are: it selects each file, reads one record a command by its tag, proves
itself again for each application and fetches every FCI. Times are those of the line alone
(`apdu/link.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from apdu.channel import CardChannel
from apdu.layers import Layer, stack
from apdu.link import LINKS, ContactLink, Exchange, Link, Measured, milliseconds
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.readers.t0 import for_t0
from apdu.sam import SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.files import DIRECTORIES
from apdu.ssc.filespec import EfSpec, Rule, Structure
from apdu.ssc.jobs import Job, read_job
from apdu.ssc.least import least
from apdu.ssc.reading import Reading
from apdu.status import StatusError
from benchmarks.table import Table
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import CardProfile, load_profile

CARDS: tuple[tuple[str, Protocol], ...] = (
    ("adult-1.0", "T0"),
    ("adult-2.0", "T0"),
    ("adult-3.0", "T0"),
    ("contactless-3.0", "TCL"),
)
TRANSACTIONS, SETTLEMENTS = 9, 3
NAIVE_CHUNK = 128


class T0Framed(Layer):
    """Counts as the line does: T=0 carries no Le beside data."""

    def transmit(self, command: bytes) -> bytes:
        """Send the command in its T=0 form."""
        return self._transmit(for_t0(command))


@dataclass(frozen=True, slots=True)
class Case:
    """One job on one card: the exchanges of each way to do it."""

    card: str
    line: str
    job: Job
    ours: list[Exchange]
    least: list[Exchange]
    naive: list[Exchange]

    @property
    def ways(self) -> Iterator[tuple[str, list[Exchange]]]:
        """Name and exchanges of each way."""
        yield from (("ours", self.ours), ("least", self.least), ("naive", self.naive))


def tables() -> list[Table]:
    """Counts, then times over contacts, then times over the air."""
    cases = [_case(name, protocol, job) for name, protocol in CARDS for job in Job]
    contact = [link for link in LINKS if isinstance(link, ContactLink)]
    air = [link for link in LINKS if not isinstance(link, ContactLink)]
    return [
        _counts(cases),
        _times("over contacts", [c for c in cases if c.line == "T=0"], contact),
        _times("contactless", [c for c in cases if c.line != "T=0"], air),
    ]


def _counts(cases: list[Case]) -> Table:
    rows = [
        (
            case.card,
            case.line,
            case.job.value,
            *(len(exchanges) for _, exchanges in case.ways),
            *(sum(e.size for e in exchanges) for _, exchanges in case.ways),
        )
        for case in cases
    ]
    return Table(
        "Reading jobs: commands and bytes",
        ("card", "line", "job", "commands", "least", "naive", "bytes", "least", "naive"),
        rows,
        (
            f"with the PIN; {TRANSACTIONS} transactions and {SETTLEMENTS} special settlements",
            "bytes: commands and answers with their status words, without T=0 procedure bytes",
            "least: what no terminal can do without; reasons in apdu/ssc/least.py",
            "naive: one SELECT a file, one command a record, 128 bytes of a long file",
        ),
    )


def _times(where: str, cases: list[Case], links: Sequence[Link]) -> Table:
    rows = [
        (case.card, case.job.value, way, *(milliseconds(exchanges, link) for link in links))
        for case in cases
        for way, exchanges in case.ways
    ]
    return Table(
        f"Reading jobs {where}: milliseconds on the line",
        ("card", "job", "", *(link.name for link in links)),
        rows,
        ("a model of the line (apdu/link.py): the card's own time comes on top",),
    )


def _case(name: str, protocol: Protocol, job: Job) -> Case:
    profile = with_rows(load_profile(name))
    is_t0 = protocol == "T0"
    line, card, sam = _open(profile, protocol)
    pin = Pin(profile.pin.value if profile.pin else "")
    found = read_job(card, job, sam, pin)
    rows = {
        content.file.address: len(content.raw)
        for content in found.files.values()
        if content.file.structure is Structure.CYCLIC
    }
    fewest = least(
        job,
        card.version,
        contactless=not is_t0,
        pin=True,
        rows=rows,
        fci_names_algorithm=profile.card.fci_names_algorithm,
    )
    naive = _naively(profile, protocol, job)
    return Case(name, "T=0" if is_t0 else "T=CL", job, line.exchanges, fewest, naive)


def with_rows(profile: CardProfile) -> CardProfile:
    """The profile with some rows in the logs of the medical application."""
    transaction = [1, "2", "990100000001", "20260102030405", 100, 0, 0]
    files = {**profile.files, "DF04EF08": [transaction] * TRANSACTIONS}
    if not profile.card.version.startswith("1"):
        files["DF04EF15"] = [[1, "1"]] * SETTLEMENTS
    return replace(profile, files=files)


def _open(
    profile: CardProfile, protocol: Protocol, reading: Reading = Reading.WHOLE_BY_SFI
) -> tuple[Measured, SocialSecurityCard, SoftwareSam]:
    source = random.Random(2026)
    chip = SimulatedCard(profile, random=source.randbytes, protocol=protocol)
    line = Measured(InProcessReader("bench", chip).connect())
    channel = CardChannel(stack(T0Framed(line) if protocol == "T0" else line))
    card = SocialSecurityCard.select(channel, reading=reading)
    return line, card, SoftwareSam.development(source.randbytes)


def _naively(profile: CardProfile, protocol: Protocol, job: Job) -> list[Exchange]:
    line, card, sam = _open(profile, protocol, Reading.BY_RECORD)
    card.authenticate(sam)
    current = ""
    for file in job.files(card.version):
        if _is_out_of_reach(file):
            continue
        if file.df != current:
            current = file.df
            card.channel.select_name(DIRECTORIES[current].aid)
            if file.read.rule not in (Rule.FREE, Rule.KEY) and profile.pin:
                card.channel.verify(Pin(profile.pin.value))
        if file.read.rule in (Rule.KEY, Rule.PIN_AND_KEY) and file.read.key:
            card.authorise(sam, file.read.key)
        card.channel.select_fid(file.fid)
        _read_naively(card.channel, file)
    return line.exchanges


def _is_out_of_reach(file: EfSpec) -> bool:
    return file.read.key is not None and file.read.key.card_id is None


def _read_naively(channel: CardChannel, file: EfSpec) -> None:
    if file.structure is Structure.VARIABLE:
        for number, record in file.numbered():
            channel.read_record_by_number(number, le=record.size)
    elif file.structure is Structure.TRANSPARENT:
        for offset in range(0, file.total, NAIVE_CHUNK):
            channel.read_binary(offset, min(NAIVE_CHUNK, file.total - offset))
    else:
        with suppress(StatusError):  # 6A83: there are no more
            for number in range(1, 256):
                channel.read_record_by_number(number, le=file.record_length)
