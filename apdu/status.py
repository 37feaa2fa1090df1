"""Status words, and the family of errors that the card side raises.

Status words: ISO/IEC 7816-4, 5.6, with the meanings the social security card gives them
(facts 5.2). Every error carries a stable `code` for programs, a sentence in Chinese and English
for the holder, and a `remedy` for the operator. Messages never hold command data, so no PIN,
name or number can leak through an exception.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class StatusWord(IntEnum):
    """The status words that have one fixed value."""

    OK = 0x9000
    APPLICATION_BLOCKED_WARNING = 0x6283
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    WRONG_STATE = 0x6901
    INCOMPATIBLE_FILE = 0x6981
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    AUTHENTICATION_BLOCKED = 0x6983
    NO_CHALLENGE = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_EF = 0x6986
    MAC_MISSING = 0x6987
    MAC_WRONG_LINE = 0x6988
    WRONG_DATA = 0x6A80
    NOT_SUPPORTED_OR_LOCKED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NO_SPACE = 0x6A84
    LC_INCONSISTENT_WITH_TLV = 0x6A85
    WRONG_P1_P2 = 0x6A86
    KEY_NOT_FOUND = 0x6A88
    OFFSET_OUTSIDE_FILE = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    UNKNOWN_FAILURE = 0x6F00
    MAC_INVALID = 0x9302
    APPLICATION_LOCKED = 0x9303
    INSUFFICIENT_BALANCE = 0x9401
    COUNTER_AT_MAXIMUM = 0x9402
    KEY_INDEX_NOT_SUPPORTED = 0x9403
    PROOF_NOT_AVAILABLE = 0x9406


def is_ok(sw: int) -> bool:
    """9000: done."""
    return sw == 0x9000


def has_more(sw: int) -> bool:
    """61xx: xx bytes wait for GET RESPONSE (00 stands for 256)."""
    return sw >> 8 == 0x61


def has_true_length(sw: int) -> bool:
    """6Cxx: Le was wrong, xx is right (00 stands for 256)."""
    return sw >> 8 == 0x6C


def tries_left(sw: int) -> int | None:
    """The x of 63Cx, or None for any other status word."""
    return sw & 0xF if sw >> 4 == 0x63C else None


def describe(sw: int) -> str:
    """A status word as hex with its name where it has one, for logs and traces."""
    if has_more(sw):
        return f"{sw:04X} more data"
    if has_true_length(sw):
        return f"{sw:04X} wrong Le"
    left = tries_left(sw)
    if left is not None:
        return f"{sw:04X} {left} tries left"
    try:
        return f"{sw:04X} {StatusWord(sw).name.lower().replace('_', ' ')}"
    except ValueError:
        return f"{sw:04X}"


class CardError(Exception):
    """Anything that went wrong between the terminal and a card, a reader or a security module."""

    code: ClassVar[str] = "CARD_ERROR"
    zh: ClassVar[str] = "卡片读取失败，请取回卡片后重试。"
    en: ClassVar[str] = "The card could not be read. Please take it out and try again."
    remedy: ClassVar[str] = "Try another card; if that fails too, run `ssct diagnose`."


class MalformedApdu(CardError):
    """Bytes that are not a command or response APDU."""

    code = "CARD_MALFORMED_APDU"
    remedy = "The reader or card answered garbage: clean the contacts, then try another reader."


class MalformedData(CardError):
    """Card data that break the structure their file prescribes (TLV, length, encoding)."""

    code = "CARD_MALFORMED_DATA"
    remedy = "The card's file is damaged or not of this kind; the holder needs an exchange."


class StatusError(CardError):
    """The card answered a command with a status word that ends the operation."""

    code = "CARD_STATUS"

    def __init__(self, sw: int, what: str) -> None:
        super().__init__(f"{what}: {describe(sw)}")
        self.sw = sw


class CardRemoved(CardError):
    """The card left the reader, or lost power, in the middle of an operation."""

    code = "CARD_REMOVED"
    zh = "卡片已被取出，操作未完成。请重新插卡。"
    en = "The card was removed before we had finished. Please insert it again."
    remedy = "Ask the holder to leave the card in the reader until told to take it."


class CardReset(CardError):
    """Another program or the reader reset the card; everything authenticated before is lost."""

    code = "CARD_RESET"
    remedy = "Another program uses this reader: stop it, or use the reader exclusively."


class NoAnswer(CardError):
    """The card or its reader stopped answering, or goes on answering without end."""

    code = "CARD_NO_ANSWER"
    remedy = "Clean the contacts; a card that stays mute needs an exchange."


class NotACard(CardError):
    """A chip that is not a social security card (no SSSE, no DF of ours)."""

    code = "CARD_NOT_SOCIAL_SECURITY"
    zh = "这不是社会保障卡，或卡片插反了。"
    en = "This is not a social security card, or it is the wrong way round."
    remedy = "Show the holder which card to use and which way round."


class NotAuthentic(CardError):
    """Internal authentication failed: the chip does not know the issuer's key (facts 7.2)."""

    code = "CARD_NOT_AUTHENTIC"
    zh = "卡片真伪校验未通过，不能使用。请携带身份证件到社区受理网点咨询。"
    en = "The card did not prove that it is genuine. Please ask at a community service point."
    remedy = "Do not keep the card. Check the security module's keys if many cards fail."


class ApplicationLocked(CardError):
    """The application or the whole card was blocked for good (9303, 6A81)."""

    code = "CARD_APPLICATION_LOCKED"
    zh = "卡片应用已锁定，请到社区受理网点办理换领。"
    en = "The card's application is locked. Please have it exchanged at a community service point."
    remedy = "A blocked card cannot be unblocked; the holder needs an exchange (Article 21)."


class UnsupportedCard(CardError):
    """A card of a generation or form this program cannot handle."""

    code = "CARD_UNSUPPORTED"
    remedy = "Note ATR and specification version, and report them."


class PinWrong(CardError):
    """The PIN did not match. `tries_left` says how many tries remain."""

    code = "CARD_PIN_WRONG"
    zh = "密码错误。"
    en = "Wrong PIN."
    remedy = "Let the holder try again, telling how many tries are left."

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"wrong PIN, {tries_left} tries left")
        self.tries_left = tries_left


class PinBlocked(CardError):
    """The PIN is blocked (6983): only PIN unblock or reload helps."""

    code = "CARD_PIN_BLOCKED"
    zh = "密码已锁定，请携带身份证件到社区受理网点办理密码重置。"
    en = "The PIN is blocked. Please have it reset at a community service point."
    remedy = "PIN unblock or reload needs the PUK through the security module."


class PinFormat(CardError):
    """A PIN of the wrong length or with anything but digits."""

    code = "CARD_PIN_FORMAT"
    zh = "密码应为数字，长度不符合要求。"
    en = "A PIN is made of digits only, and this length is not allowed."
    remedy = "Ask again."


class ReaderError(CardError):
    """Something is wrong with the reader rather than with the card."""

    code = "READER_ERROR"
    zh = "读卡器故障，请联系工作人员。"
    en = "The card reader does not work. Please ask the staff."


class ReaderNotFound(ReaderError):
    """No reader matches the name pattern."""

    code = "READER_NOT_FOUND"
    remedy = "Plug the reader in, see `ssct readers`, and check the reader pattern in the settings."


class ReaderAmbiguous(ReaderError):
    """More than one reader matches the name pattern."""

    code = "READER_AMBIGUOUS"
    remedy = "Give a longer name pattern, or name and slot."


class ReaderBusy(ReaderError):
    """Another program holds the reader."""

    code = "READER_BUSY"
    remedy = "Close the other program that uses this reader, or unplug the reader and plug it back."


class ServiceUnavailable(ReaderError):
    """The PC/SC service does not run, or refuses this user."""

    code = "READER_SERVICE_UNAVAILABLE"
    remedy = "Run `ssct diagnose`: it names the missing package, service or permission."


class SeveralCards(CardError):
    """More than one card is in the reader's field, and nobody says which is meant."""

    code = "CARD_SEVERAL"
    zh = "请只放一张卡。"
    en = "One card only, please."
    remedy = "Ask the holder to take the card out of the wallet and to present it alone."


class NoCard(CardError):
    """No card was presented in time."""

    code = "CARD_NONE"
    zh = "未检测到卡片，请插入或放好卡片。"
    en = "No card was found. Please insert or place your card."
    remedy = "Ask the holder to present the card."


class SecurityModuleError(CardError):
    """The security module (PSAM, HSM or software keys) could not do its part."""

    code = "SAM_ERROR"
    zh = "安全模块故障，请联系工作人员。"
    en = "The terminal's security module failed. Please ask the staff."
    remedy = "Check the PSAM or the HSM connection, then run `ssct diagnose`."


class AlgorithmNotSupported(SecurityModuleError):
    """The security module does not offer the card's algorithm (LD/T 33 code -2202)."""

    code = "SAM_ALGORITHM_NOT_SUPPORTED"
    remedy = "This card generation needs a security module with its algorithm (SSF33 or SM4)."


class KeyNotAvailable(SecurityModuleError):
    """The security module does not hold the key that the operation needs (-2203, -27272)."""

    code = "SAM_KEY_NOT_AVAILABLE"
    remedy = "The security module was not issued for this operation; ask its issuer."


class SamKeyLevel(SecurityModuleError):
    """The security module's key belongs to another level of the key tree (-24)."""

    code = "SAM_KEY_LEVEL"
    remedy = "This card's keys do not descend from the PSAM's at any level; ask its issuer."


class SamAbsent(SecurityModuleError):
    """There is no PSAM in its slot (-2201)."""

    code = "SAM_ABSENT"
    remedy = "Put the PSAM into its slot, and check the PSAM's reader in the settings."


class SamRemoved(SecurityModuleError):
    """The PSAM left its slot, or lost power, in the middle of an operation."""

    code = "SAM_REMOVED"
    remedy = "Push the PSAM home in its slot and open it again; a loose slot needs repair."


class SamNoAnswer(SecurityModuleError):
    """The security module stopped answering, was reset by others, or answers without end."""

    code = "SAM_NO_ANSWER"
    remedy = "Clean the PSAM's contacts, or check the way to the HSM; then open it again."


class SamBadAnswer(SecurityModuleError):
    """The security module answered something that is no answer to what it was asked."""

    code = "SAM_BAD_ANSWER"
    remedy = "Check that the slot holds a PSAM of the social security card and nothing else."


class SamStatus(SecurityModuleError):
    """The PSAM answered a command with a status word that ends the operation."""

    code = "SAM_STATUS"

    def __init__(self, sw: int, what: str) -> None:
        super().__init__(f"{what}: {describe(sw)}")
        self.sw = sw


class PurchaseNotProved(SecurityModuleError):
    """The security module found the card's proof of a debit (MAC2) wrong (9302)."""

    code = "SAM_PURCHASE_NOT_PROVED"
    zh = "卡片扣款校验未通过，请联系工作人员核实。"
    en = "The card's proof of the payment is wrong. Please ask the staff to check."
    remedy = "Ask the card for its transaction proof, and report the card."
