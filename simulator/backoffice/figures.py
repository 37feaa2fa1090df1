"""What changes from year to year, read from dated files: payment rules, holidays, the catalogue.

No figure of the regulation's or the insurer's stands in code. `parameters/*.json` come with the
program, a directory given by the operator takes their place. Every file says for which days it
holds and where its figures come from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from backend_client.codec import decode
from backend_client.errors import BadMessage
from backend_client.life_messages import Catalogue
from backend_client.messages import Scheme
from simulator.backoffice.days import WorkingCalendar
from simulator.backoffice.errors import BadParameters, Refused
from simulator.backoffice.refusals import Refusal

_BUILT_IN = "simulator.backoffice.parameters"
_SCHEMA = "parameters.schema.json"
_MAX_SIZE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class GroupRules:
    """For one group of insured: deductible in fen, the fund's percentage by hospital tier.

    `scheme` is the insurance that the group belongs to.
    """

    deductible_fen: int
    fund_percent_by_tier: Mapping[int, int]
    scheme: Scheme = "employee"


@dataclass(frozen=True, slots=True)
class Tariff:
    """Outpatient payment rules for the days `valid_from` to `valid_to`, both included.

    `shared_band_paid_by` and `above_ceiling_paid_by` name parts of the message `Split`.
    """

    valid_from: date
    valid_to: date
    year_starts: tuple[int, int]
    shared_band_paid_by: str
    ceiling_fen: int
    above_ceiling_paid_by: str
    above_ceiling_percent: int
    groups: Mapping[str, GroupRules]

    def year_of(self, day: date) -> date:
        """The first day of the medical year in which `day` is."""
        start = date(day.year, *self.year_starts)
        return start if day >= start else date(day.year - 1, *self.year_starts)


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the files say."""

    tariffs: tuple[Tariff, ...]
    calendar: WorkingCalendar
    catalogue: Catalogue

    def tariff_on(self, day: date) -> Tariff:
        """The payment rules of that day. Raises `Refused` NO_TARIFF."""
        for tariff in self.tariffs:
            if tariff.valid_from <= day <= tariff.valid_to:
                return tariff
        raise Refused(Refusal.NO_TARIFF, detail=f"no parameter file holds on {day.isoformat()}")

    def medical_year(self, day: date) -> date:
        """The first day of the medical year of `day`, by the newest rules that had begun by then.

        It is known also on days for which no payment rules are.
        """
        begun = [tariff for tariff in self.tariffs if tariff.valid_from <= day]
        return (begun[-1] if begun else self.tariffs[0]).year_of(day)


class _File(Protocol):
    """What a path and a packaged resource have in common."""

    @property
    def name(self) -> str: ...

    def read_text(self, encoding: str) -> str: ...


def load_figures(directory: Path | None = None) -> Figures:
    """The figures of the files in `directory`, or those that come with the program.

    Raises `BadParameters` naming file and place.
    """
    documents = [_checked(file) for file in _files(directory)]
    tariffs = sorted(
        (_tariff(each) for each in documents if each["kind"] == "outpatient"),
        key=lambda tariff: tariff.valid_from,
    )
    if not tariffs:
        raise BadParameters("there is no file with outpatient payment rules")
    _check_periods(tariffs)
    return Figures(tuple(tariffs), _calendar(documents), _catalogue(documents))


def _files(directory: Path | None) -> Iterable[_File]:
    if directory is None:
        files: list[_File] = [*resources.files(_BUILT_IN).iterdir()]
    else:
        try:
            files = [*directory.iterdir()]
        except OSError as error:
            raise BadParameters(f"{directory}: {error.strerror}") from None
    return sorted(
        (f for f in files if f.name.endswith(".json") and f.name != _SCHEMA), key=lambda f: f.name
    )


def _checked(file: _File) -> Mapping[str, Any]:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]  # has no types

    try:
        text = file.read_text("utf-8")
        document = json.loads(text) if len(text) <= _MAX_SIZE else None
    except (OSError, ValueError, RecursionError) as error:
        raise BadParameters(f"{file.name}: {type(error).__name__}") from None
    schema = json.loads(resources.files(_BUILT_IN).joinpath(_SCHEMA).read_text("utf-8"))
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    fault = best_match(validator.iter_errors(document))
    if fault is not None or not isinstance(document, Mapping):
        place = fault.json_path if fault else "$"
        raise BadParameters(f"{file.name}: {place} breaks the schema")
    return document


def _tariff(document: Mapping[str, Any]) -> Tariff:
    month, day = document["medical_year_starts"].split("-")
    return Tariff(
        valid_from=date.fromisoformat(document["valid_from"]),
        valid_to=date.fromisoformat(document["valid_to"]),
        year_starts=(int(month), int(day)),
        shared_band_paid_by=document["shared_band_paid_by"],
        ceiling_fen=document["ceiling_fen"],
        above_ceiling_paid_by=document["above_ceiling"]["paid_by"],
        above_ceiling_percent=document["above_ceiling"]["percent"],
        groups={name: _group(fields) for name, fields in document["groups"].items()},
    )


def _group(fields: Mapping[str, Any]) -> GroupRules:
    by_tier = {int(tier): percent for tier, percent in fields["fund_percent_by_tier"].items()}
    return GroupRules(fields["deductible_fen"], by_tier, fields.get("scheme", "employee"))


def _check_periods(tariffs: list[Tariff]) -> None:
    """Each day has at most one set of payment rules."""
    for tariff in tariffs:
        if tariff.valid_to < tariff.valid_from:
            raise BadParameters(f"rules from {tariff.valid_from} end before they begin")
    for earlier, later in pairwise(tariffs):
        if later.valid_from <= earlier.valid_to:
            raise BadParameters(f"rules from {later.valid_from} overlap those before")


def _calendar(documents: Iterable[Mapping[str, Any]]) -> WorkingCalendar:
    tables = [each for each in documents if each["kind"] == "holidays"]
    return WorkingCalendar(
        frozenset(date.fromisoformat(day) for table in tables for day in table["days_off"]),
        frozenset(date.fromisoformat(day) for table in tables for day in table["made_up_days"]),
    )


def _catalogue(documents: Iterable[Mapping[str, Any]]) -> Catalogue:
    """The catalogue; without a file an empty one. Raises `BadParameters` also for two."""
    found = [each for each in documents if each["kind"] == "catalogue"]
    if not found:
        return Catalogue("", (), (), ())
    if len(found) > 1:
        raise BadParameters("there are two catalogues")
    fields = ("edition", "services", "banks", "points")
    try:
        return decode(Catalogue, {name: found[0][name] for name in fields})
    except BadMessage as error:
        raise BadParameters(f"catalogue: {error.pointer} breaks the rule '{error.rule}'") from None
