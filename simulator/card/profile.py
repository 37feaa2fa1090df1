"""Card profiles: what a simulated card is personalised from, read from JSON.

`simulator/profiles/profile.schema.json` defines the form and documents every field; this module
turns a profile that passed it into values, and checks what a schema cannot say. Errors name the
field, not what stands in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from apdu.crypto import Algorithm
from apdu.ssc.values import check_character, is_card_number
from simulator.card.bank import BankData
from simulator.card.certificates import CertificateData
from simulator.card.description import (
    EXTENSION_BYTES,
    CardData,
    CardProfile,
    Condition,
    Holder,
    MedicalAccount,
    PinState,
)
from simulator.card.register import RegisterEntry
from simulator.card.transit_purse import TransitData

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

__all__ = [
    "BUILT_IN",
    "INITIAL_PIN",
    "CardProfile",
    "ProfileError",
    "ProfileNotFound",
    "load_profile",
    "parse_profile",
    "replacement",
]

BUILT_IN = (
    "adult-3.0",
    "adult-2.0",
    "adult-1.0",
    "child",
    "not-active",
    "forged",
    "contactless-3.0",
)
INITIAL_PIN = "123456"
_Part = TypeVar("_Part")
_FILE_SIZE_MAX = 1024 * 1024
_SERIAL_STEP = 0x1000


class ProfileError(Exception):
    """A profile that breaks its schema or its own logic. `field` is the JSON path of the fault."""

    code: ClassVar[str] = "PROFILE_INVALID"
    zh: ClassVar[str] = "模拟卡配置文件有误。"
    en: ClassVar[str] = "The simulated card's profile is not valid."
    remedy: ClassVar[str] = "Correct the field named; profile.schema.json describes every field."

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class ProfileNotFound(ProfileError):
    """Neither a built-in profile nor a readable file has this name."""

    code = "PROFILE_NOT_FOUND"
    zh = "找不到模拟卡配置文件。"
    en = "There is no such card profile."
    remedy = "Name one of the built-in profiles, or the path of a JSON file."


def load_profile(name_or_path: str | Path) -> CardProfile:
    """A built-in profile by its name, or one from a file.

    Raises `ProfileNotFound`, or `ProfileError` naming the field that is wrong.
    """
    name = str(name_or_path)
    text = _resource(f"{name}.json") if name in BUILT_IN else _read(Path(name_or_path))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ProfileError("$", "this is not JSON") from None
    return parse_profile(document)


def parse_profile(document: object) -> CardProfile:
    """The profile that a parsed JSON document holds, or that of a dumped card.

    Raises `ProfileError`.
    """
    if isinstance(document, Mapping) and "format" in document:
        from simulator.card.from_dump import profile_of_dump

        return profile_of_dump(document)
    profile = _parsed(_checked(document))
    _check_sense(profile)
    return profile


def replacement(
    profile: CardProfile,
    *,
    issued: date,
    expires: date | None = None,
    sequence: int = 1,
) -> CardProfile:
    """The card that takes the place of `profile`'s after a loss or an exchange (Art. 19, 21).

    The same holder and functions; a new serial in card id and historical bytes, a new card
    number, and the initial PIN. `expires` stays unless given; `sequence` tells the first
    replacement from the next.
    """
    old = profile.card
    step = sequence * _SERIAL_STEP
    body = old.number[:3] + _counted_up(old.number[3:8], sequence)
    card = replace(
        old,
        serial=_advanced(old.serial, step),
        number=body + check_character(body),
        issued=issued,
        expires=expires or old.expires,
        historical=old.historical[:9] + _advanced(old.historical[9:], step),
    )
    retries = profile.pin.retries if profile.pin else 3
    pin = PinState(INITIAL_PIN, initial=True, retries=retries, tries_left=retries)
    return replace(profile, card=card, pin=pin, condition=Condition.NORMAL)


def _resource(name: str) -> str:
    return resources.files("simulator.profiles").joinpath(name).read_text("utf-8")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_FILE_SIZE_MAX + 1)
        if len(raw) > _FILE_SIZE_MAX:
            raise ProfileError("$", f"the file is larger than {_FILE_SIZE_MAX} bytes")
        return raw.decode("utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise ProfileError("$", "the file is not UTF-8 text") from None
        raise ProfileNotFound("$", f"no file, and none of {', '.join(BUILT_IN)}") from None


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    schema = json.loads(_resource("profile.schema.json"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _checked(document: object) -> Mapping[str, Any]:
    """The document, which the schema allows. Raises `ProfileError` naming the field otherwise."""
    # jsonschema is slow to import; a command line that makes no card does without.
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]  # has no types

    error = best_match(_validator().iter_errors(document))
    if error is not None or not isinstance(document, Mapping):
        # The validator's own message would repeat the value; the rule that it broke is enough.
        path, rule = (error.json_path, error.validator) if error else ("$", "type")
        raise ProfileError(path, f"breaks the schema's rule {rule!r}")
    return document


def _parsed(document: Mapping[str, Any]) -> CardProfile:
    pin, backoffice = document["pin"], document.get("backoffice")
    keys = document.get("keys", "development")
    return CardProfile(
        title_zh=document["title"]["zh"],
        title_en=document["title"]["en"],
        holder=Holder.from_json(document["holder"]),
        card=CardData.from_json(document["card"]),
        pin=None if pin is None else PinState.from_json(pin),
        condition=Condition(document.get("state", "normal")),
        keys=keys if isinstance(keys, str) else {k: bytes.fromhex(v) for k, v in keys.items()},
        files=document.get("files", {}),
        medical_account=MedicalAccount(**document.get("medical_account", {})),
        backoffice=None if backoffice is None else RegisterEntry.from_json(backoffice),
        closed=frozenset(document.get("closed", ())),
        absent=frozenset(document.get("absent", ())),
        bank=_optional(document, "bank", BankData.from_json),
        transit=_optional(document, "transit", TransitData.from_json),
        certificates=_optional(document, "certificates", CertificateData.from_json),
    )


def _optional(
    document: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any]], _Part]
) -> _Part | None:
    """A part of the profile that a card need not have."""
    return read(document[name]) if name in document else None


def _check_sense(profile: CardProfile) -> None:
    """What no schema can say. Raises `ProfileError`."""
    card, pin, extension = profile.card, profile.pin, profile.holder.encoded_name[1]
    if not is_card_number(card.number):
        raise ProfileError("$.card.number", "the check character is wrong (facts 3.4)")
    if card.expires < card.issued:
        raise ProfileError("$.card.expires", "the card expires before it is issued")
    if card.algorithm is not Algorithm.DES and not card.fci_names_algorithm:
        raise ProfileError("$.card.fci", "only a DES card may leave its algorithm unnamed")
    if profile.bank and card.bank_card_number is not None:
        raise ProfileError("$.bank", "the card has a bank_card_number already")
    if profile.transit and profile.transit.valid_to < profile.transit.valid_from:
        raise ProfileError("$.transit.valid_to", "the purse expires before it is valid")
    if pin and pin.tries_left > pin.retries:
        raise ProfileError("$.pin.tries_left", "more tries are left than there are retries")
    if len(extension) > EXTENSION_BYTES:
        raise ProfileError("$.holder.name", "longer than name and extension hold (50 bytes)")
    if extension and card.version == "1.00":
        raise ProfileError("$.holder.name", "a 1.0 card has no name extension (30 bytes)")


def _advanced(serial: bytes, step: int) -> bytes:
    return ((int.from_bytes(serial, "big") + step) & 0xFFFFFFFF).to_bytes(4, "big")


def _counted_up(digits: str, step: int) -> str:
    """The last characters of a card number's body, as base 36, so many further on."""
    value = (int(digits, 36) + step) % 36 ** len(digits)
    characters = ""
    for _ in digits:
        value, digit = divmod(value, 36)
        characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + characters
    return characters
