"""The least possible commands and bytes of a job, from the file map and the access rules alone.

What no terminal can do without, and why:

- SELECT of the environment by its name. Its FCI names the algorithm, so with T=0 the GET RESPONSE
  for it cannot be left out either (facts 2).
- EF05 in one command: it holds card id and version, on which keys and file map depend (facts 3.2).
- INTERNAL AUTHENTICATE: a card that has not proved itself is not to be read (facts 7.2). With
  T=0, and GET RESPONSE for the card's cryptogram.
- VERIFY once, if a file of the job opens with the PIN and the PIN is there. It holds until the
  card is powered off, and one command opens every file that the PIN or a key opens (facts 4.1).
- SELECT of each application that has a file to read, by its file identifier, the shortest way.
  Its FCI says nothing and is not fetched.
- GET CHALLENGE and EXTERNAL AUTHENTICATE for each key that a file needs and the PIN does not
  replace. A key is good while its application stays selected, so each is used once.
- One READ for every 256 bytes or part of them, named by its short identifier: no SELECT (3.9).
- A cyclic file does not tell how many rows it has. With T=0 a terminal learns that they have come
  to an end only by asking for more than there is: one command more, which the card answers with
  6Cxx or 6A83. Contactless, the answer to Le = 00 is shorter than asked. An answer holds whole
  rows.
- Files whose key a card addresses in no published way are out of reach, and so are those behind a
  PIN that is not there.

`read_job` needs a little more: it selects applications by their longer names, which every card
knows, and reads long files in chunks of 255 bytes, which every card allows (facts 2, 3.9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from apdu.link import Exchange
from apdu.sam import KeyName
from apdu.ssc.files import DIRECTORIES
from apdu.ssc.filespec import EfSpec, Rule, Structure
from apdu.ssc.jobs import Job
from apdu.ssc.reading import LONGEST_ANSWER

_ENVIRONMENT = "SSSE"
_ISSUER = ("SSSE", 0xEF05)
_FID, _CHALLENGE, _PROOF, _CRYPTOGRAM = 2, 8, 16, 8
_PIN = 3  # six digits
_FCI = 30
_FCI_WITHOUT_ALGORITHM = 24  # facts 2: old cards


def least(
    job: Job,
    version: str,
    *,
    contactless: bool,
    pin: bool,
    rows: Mapping[str, int],
    fci_names_algorithm: bool = True,
) -> list[Exchange]:
    """The exchanges that `job` takes at least on a card of `version`.

    `pin` says whether the PIN is there, `rows` how many rows the cyclic files hold, by address
    ("DF04EF08"; none by default), and the last what form the card's FCI has.
    """
    fci = _FCI if fci_names_algorithm else _FCI_WITHOUT_ALGORITHM
    issuer = Job.BASIC.files(version)[0]
    wanted = [file for file in job.files(version) if _is_open(file, pin=pin)]
    exchanges = [
        *_answered(len(DIRECTORIES[_ENVIRONMENT].aid), fci, contactless=contactless),
        Exchange(0, issuer.total, has_le=True),
        *_answered(_PROOF, _CRYPTOGRAM, contactless=contactless),
    ]
    if any(_takes_pin(file, pin=pin) for file in wanted):
        exchanges.append(Exchange(_PIN, 0, has_le=False))
    for df, files in groupby(wanted, lambda file: file.df):
        exchanges += _application(df, list(files), pin=pin, contactless=contactless, rows=rows)
    return exchanges


def _application(
    df: str, files: list[EfSpec], *, pin: bool, contactless: bool, rows: Mapping[str, int]
) -> Iterable[Exchange]:
    if df != _ENVIRONMENT:
        yield Exchange(_FID, 0, has_le=False)
    for _ in _keys(files, pin=pin):
        yield Exchange(0, _CHALLENGE, has_le=True)
        yield Exchange(_PROOF, 0, has_le=False)
    for file in files:
        if (file.df, file.fid) == _ISSUER:
            continue
        if file.structure is Structure.CYCLIC:
            yield from _rows(file.record_length, rows.get(file.address, 0), contactless)
        else:
            yield from _pieces(file.total, LONGEST_ANSWER)


def _rows(size: int, count: int, contactless: bool) -> Iterable[Exchange]:
    room = LONGEST_ANSWER // size * size
    yield from _pieces(size * count, room)
    if not contactless or not count:
        yield Exchange(0, 0, has_le=True)


def _pieces(total: int, room: int) -> Iterable[Exchange]:
    for at in range(0, total, room):
        yield Exchange(0, min(room, total - at), has_le=True)


def _answered(sent: int, received: int, *, contactless: bool) -> list[Exchange]:
    """A command with data and an answer: with T=0, two commands."""
    if contactless:
        return [Exchange(sent, received, has_le=True)]
    return [Exchange(sent, 0, has_le=False), Exchange(0, received, has_le=True)]


def _keys(files: Iterable[EfSpec], *, pin: bool) -> set[KeyName]:
    return {
        file.read.key
        for file in files
        if file.read.key is not None
        and (file.read.rule in (Rule.KEY, Rule.PIN_AND_KEY) or not _takes_pin(file, pin=pin))
    }


def _takes_pin(file: EfSpec, *, pin: bool) -> bool:
    return pin and file.read.rule in (Rule.PIN, Rule.PIN_OR_KEY, Rule.PIN_AND_KEY)


def _is_open(file: EfSpec, *, pin: bool) -> bool:
    rule, key = file.read.rule, file.read.key
    by_key = key is not None and key.card_id is not None
    return (
        rule is Rule.FREE
        or (rule is Rule.KEY and by_key)
        or (rule is Rule.PIN and pin)
        or (rule is Rule.PIN_OR_KEY and (pin or by_key))
        or (rule is Rule.PIN_AND_KEY and pin and by_key)
    )
