"""Who may have a card, and with which documents (Articles 8, 9, 29). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal

MAINLAND = "CHN"
"""中国 as GB/T 2659 has it."""


class PersonClass(StrEnum):
    """户籍人员, 参保的境内来沪人员 (Article 8), 参保的境外人员 (Article 29)."""

    RESIDENT = "resident"
    INSURED_INCOMER = "insured_incomer"
    OVERSEAS = "overseas"


class Document(StrEnum):
    """居民身份证, 户口簿, 护照, 外国人永久居留身份证, 港澳台居民居住证."""

    RESIDENT_ID_CARD = "resident_id_card"
    HOUSEHOLD_REGISTER = "household_register"
    PASSPORT = "passport"
    PERMANENT_RESIDENCE_CARD = "permanent_residence_card"
    HK_MACAO_TAIWAN_RESIDENCE_PERMIT = "hk_macao_taiwan_residence_permit"


DOCUMENTS: Mapping[PersonClass, frozenset[Document]] = {
    PersonClass.RESIDENT: frozenset({Document.RESIDENT_ID_CARD, Document.HOUSEHOLD_REGISTER}),
    PersonClass.INSURED_INCOMER: frozenset({Document.RESIDENT_ID_CARD}),
    PersonClass.OVERSEAS: frozenset(
        {
            Document.PASSPORT,
            Document.PERMANENT_RESIDENCE_CARD,
            Document.HK_MACAO_TAIWAN_RESIDENCE_PERMIT,
        }
    ),
}
"""Which documents prove who somebody is, by class."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """What an application says of its applicant (Article 9).

    `ssn` has 18 characters; `nationality` is three letters of GB/T 2659, `ethnicity` two digits of
    GB/T 3304, `sex` the digit of GB/T 2261.1. `insured_as` names a group of the payment rules.
    """

    person_class: PersonClass
    document: Document
    name: str = field(repr=False)
    ssn: str = field(repr=False)
    sex: str = field(repr=False)
    nationality: str = field(repr=False)
    ethnicity: str = field(repr=False)
    address: str = field(repr=False)
    postal_code: str = field(repr=False)
    insured_as: str = "employee"


def check_applicant(applicant: Applicant) -> None:
    """Whether somebody of that class, nationality and document may apply at all.

    Whether they are registered or insured is for the departments to say. Raises `Refused`
    NOT_ELIGIBLE or DOCUMENT_NOT_VALID.
    """
    overseas = applicant.person_class is PersonClass.OVERSEAS
    if not overseas and applicant.nationality != MAINLAND:
        raise Refused(Refusal.NOT_ELIGIBLE)
    if applicant.document not in DOCUMENTS[applicant.person_class]:
        raise Refused(Refusal.DOCUMENT_NOT_VALID, article=29 if overseas else 9)


def birth_date(ssn: str) -> date | None:
    """The birth date in an 18-character number (GB 11643: digits 7 to 14), None where none is.

    Numbers of holders from outside the mainland are composed otherwise.
    """
    digits = ssn[6:14]
    if not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return date.fromisoformat(digits)
    except ValueError:
        return None
