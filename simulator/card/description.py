"""A card profile and its parts: holder, card, PIN, account. Nothing personal is in a repr.

Every `from_json` takes an object that has passed `profile.schema.json`, which documents the
fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any

from apdu.crypto import Algorithm
from apdu.ssc.values import APPLICATION_IDENTIFIER
from simulator.card.bank import BankData
from simulator.card.certificates import CertificateData
from simulator.card.register import RegisterEntry
from simulator.card.transit_purse import TransitData

NAME_BYTES = 30
EXTENSION_BYTES = 20


class Condition(Enum):
    """Whether the card was blocked for good."""

    NORMAL = "normal"
    APPLICATION_BLOCKED = "application_blocked"
    CARD_BLOCKED = "card_blocked"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose card it is (EF06). None or an empty string leaves the item empty on the card."""

    name: str = field(default="", repr=False)
    ssn: str = field(default="", repr=False)
    sex: str = ""
    ethnicity: str = ""
    birthplace: str = ""
    birth_date: date | None = field(default=None, repr=False)

    @property
    def encoded_name(self) -> tuple[bytes, bytes]:
        """The name in GBK: the 30 bytes of tag 09, and what goes to its extension, tag 4E.

        A name with characters that GBK lacks is in GB 18030, where these take four bytes.
        """
        try:
            encoded = self.name.encode("gbk")
        except UnicodeEncodeError:
            encoded = self.name.encode("gb18030")
        return encoded[:NAME_BYTES], encoded[NAME_BYTES:]

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Holder:
        """The profile's `holder`."""
        birth_date = fields.get("birth_date")
        return cls(**{**fields, "birth_date": birth_date and date.fromisoformat(birth_date)})


@dataclass(frozen=True, slots=True)
class CardData:
    """The chip and its issuer's data: reset answer, FCI, EF05. Digits stay text."""

    region: str
    serial: bytes = field(repr=False)
    authentication_code: bytes = field(repr=False)
    number: str = field(repr=False)
    card_class: str
    version: str
    algorithm: Algorithm
    initialiser: str
    issued: date
    expires: date
    historical: bytes = field(repr=False)
    contactless: bool
    fci_names_algorithm: bool
    bank_card_number: str | None = field(repr=False)
    key_retries: int
    key_versions: int = 3

    @property
    def card_id(self) -> bytes:
        """卡识别码: region 3, D156000005, serial 4, authentication code 4 (facts 3.3)."""
        issuer = bytes.fromhex(self.region) + APPLICATION_IDENTIFIER
        return issuer + self.serial + self.authentication_code

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> CardData:
        """The profile's `card`."""
        return cls(
            region=fields["region"],
            serial=bytes.fromhex(fields["serial"]),
            authentication_code=bytes.fromhex(fields.get("authentication_code", "FFFFFFFF")),
            number=fields["number"],
            card_class=fields["class"],
            version=fields["version"],
            algorithm=Algorithm[fields["algorithm"]],
            initialiser=fields["initialiser"],
            issued=date.fromisoformat(fields["issued"]),
            expires=date.fromisoformat(fields["expires"]),
            historical=bytes.fromhex(fields["historical_bytes"]),
            contactless=fields.get("interface", "contact") == "contactless",
            fci_names_algorithm=fields.get("fci", "algorithm") == "algorithm",
            bank_card_number=fields.get("bank_card_number"),
            key_retries=fields.get("key_retries", 3),
            key_versions=fields.get("key_versions", 3),
        )


@dataclass(frozen=True, slots=True)
class PinState:
    """The PIN as digits, whether it is still the initial one, its retry limit and tries left."""

    value: str = field(repr=False)
    initial: bool
    retries: int
    tries_left: int

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> PinState:
        """The profile's `pin`."""
        retries = fields.get("retries", 3)
        return cls(
            value=fields["value"],
            initial=fields.get("initial", False),
            retries=retries,
            tries_left=fields.get("tries_left", retries),
        )


@dataclass(frozen=True, slots=True)
class MedicalAccount:
    """What a new medical account holds: its balance in fen, the payment year's first day (mmdd).

    `starting_day_key` is the number of DSK on this card, two hexadecimal digits; None where nobody
    may change the day.
    """

    balance_fen: int = field(default=0, repr=False)
    starting_day: str = "0701"
    starting_day_key: str | None = None


@dataclass(frozen=True, slots=True)
class CardProfile:
    """Everything about one simulated card.

    `keys` is "development", "wrong", or root keys by key name over the development ones. `files`
    holds file contents as the schema's `file` describes them. `backoffice` is what the register
    knows about the card and its holder, None where the profile says nothing. Of the files in
    `closed` and `absent` (by address, "DF04EF08") the card lets nobody read the first, and does
    not have the others. `bank`, `transit` and `certificates` are applications beside social
    security, None where the card has not got them.
    """

    title_zh: str
    title_en: str
    holder: Holder
    card: CardData
    pin: PinState | None
    condition: Condition = Condition.NORMAL
    keys: str | Mapping[str, bytes] = field(default="development", repr=False)
    files: Mapping[str, Any] = field(default_factory=dict, repr=False)
    medical_account: MedicalAccount = field(default_factory=MedicalAccount)
    backoffice: RegisterEntry | None = field(default=None, repr=False)
    closed: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    bank: BankData | None = None
    transit: TransitData | None = None
    certificates: CertificateData | None = None
