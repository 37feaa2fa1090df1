"""What a function of LD/T 33 returns: a code and a string (facts 6.4).

0 is success. Otherwise the string says in Chinese what is wrong, except after a wrong PIN, when it
is the number of tries left. A status word that the card or the PSAM gave is the code's negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from apdu.ssc.account_errors import CardCryptogramWrong
from apdu.ssc.driver.pin_pad import PinCancelled, PinTimeout
from apdu.ssc.entitlement import NotReadable
from apdu.ssc.identity import AnotherCard
from apdu.ssc.transactions import DebitNotProved
from apdu.ssc.values import CardIdFormat, IllegalValue, ValueTooLong
from apdu.ssc.writing import NotWritable, WriteNotConfirmed
from apdu.status import (
    AlgorithmNotSupported,
    ApplicationLocked,
    CardError,
    CardRemoved,
    CardReset,
    KeyNotAvailable,
    MalformedApdu,
    MalformedData,
    NoAnswer,
    NoCard,
    NotACard,
    NotAuthentic,
    PinBlocked,
    PinFormat,
    PinWrong,
    PurchaseNotProved,
    ReaderError,
    SamAbsent,
    SamBadAnswer,
    SamKeyLevel,
    SamNoAnswer,
    SamRemoved,
    SamStatus,
    StatusError,
    UnsupportedCard,
    tries_left,
)

_LONGEST_CHAIN = 8


class ResultCode(IntEnum):
    """The codes of facts 6.4 that are not a status word."""

    SUCCESS = 0
    WRONG_CARD_TYPE = -1
    NO_CARD = -2
    NOT_POWERED = -3
    NO_ANSWER = -4
    READER_ERROR = -11
    NOT_CONNECTED = -12
    NOT_SUPPORTED = -13
    BAD_PARAMETER = -14
    CHECKSUM_ERROR = -15
    CARD_ID_FORMAT = -20
    NOT_AUTHENTIC = -21
    OTHER_CARD = -22
    ILLEGAL_DATA = -23
    KEY_LEVEL = -24
    PIN_CANCELLED = -31
    PIN_TIMEOUT = -32
    PIN_LENGTH = -33
    PINS_DIFFER = -34
    ILLEGAL_CHARACTER = -41
    WRONG_LENGTH = -42
    PIN_WRONG = -51
    PIN_LOCKED = -52
    UNKNOWN = -99  # any code outside the list means that
    NO_PSAM = -2201
    PSAM_WITHOUT_ALGORITHM = -2202
    PSAM_WITHOUT_RKSSSE = -2203
    NO_AUTHENTICATION_NEEDED = -2204
    NOT_ALLOWED = -0x6982
    FILE_NOT_FOUND = -0x6A82
    RECORD_NOT_FOUND = -0x6A83
    KEY_NOT_FOUND = -0x6A88
    MAC_INVALID = -0x9302
    LOCKED = -0x9303
    PROOF_NOT_AVAILABLE = -0x9406


FALLBACK_CODES = frozenset(
    {
        ResultCode.NO_PSAM,
        ResultCode.PSAM_WITHOUT_ALGORITHM,
        ResultCode.PSAM_WITHOUT_RKSSSE,
        ResultCode.KEY_NOT_FOUND,
        ResultCode.KEY_LEVEL,
    }
)
"""After one of these a caller goes on with the HSM form of the same function (facts 6.4)."""

_TEXTS: Mapping[int, str] = MappingProxyType(
    {
        ResultCode.WRONG_CARD_TYPE: "卡类型不对",
        ResultCode.NO_CARD: "无卡",
        ResultCode.NOT_POWERED: "有卡，未上电",
        ResultCode.NO_ANSWER: "卡无应答",
        ResultCode.READER_ERROR: "读写器连接错",
        ResultCode.NOT_CONNECTED: "未建立连接，请先执行前一步",
        ResultCode.NOT_SUPPORTED: "不支持该功能",
        ResultCode.BAD_PARAMETER: "参数错误",
        ResultCode.CHECKSUM_ERROR: "数据校验错误",
        ResultCode.CARD_ID_FORMAT: "卡识别码格式错误",
        ResultCode.NOT_AUTHENTIC: "内部认证失败",
        ResultCode.OTHER_CARD: "传入数据与卡不符",
        ResultCode.ILLEGAL_DATA: "传入数据不合法",
        ResultCode.KEY_LEVEL: "PSAM 卡密钥级别不够",
        ResultCode.PIN_CANCELLED: "用户取消密码输入",
        ResultCode.PIN_TIMEOUT: "密码输入超时",
        ResultCode.PIN_LENGTH: "密码长度错误",
        ResultCode.PINS_DIFFER: "两次输入的新密码不一致",
        ResultCode.ILLEGAL_CHARACTER: "数据含非法字符",
        ResultCode.WRONG_LENGTH: "数据长度错误",
        ResultCode.UNKNOWN: "未知错误",
        ResultCode.NO_PSAM: "无 PSAM 卡，或 PSAM 卡不可用",
        ResultCode.PSAM_WITHOUT_ALGORITHM: "PSAM 卡不支持该卡的算法",
        ResultCode.PSAM_WITHOUT_RKSSSE: "PSAM 卡没有 RKSSSE 密钥",
        ResultCode.NO_AUTHENTICATION_NEEDED: "该文件不需要加密机认证",
        ResultCode.NOT_ALLOWED: "不满足安全状态",
        ResultCode.FILE_NOT_FOUND: "未找到文件",
        ResultCode.RECORD_NOT_FOUND: "未找到记录",
        ResultCode.KEY_NOT_FOUND: "未找到密钥或数据",
        ResultCode.MAC_INVALID: "MAC 无效",
        ResultCode.LOCKED: "应用或卡片已永久锁定",
        ResultCode.PROOF_NOT_AVAILABLE: "所需 MAC 或 TAC 不可用",
        -0x6581: "卡片存储器故障",
        -0x6700: "长度错误",
        -0x6901: "命令不接受（无效状态）",
        -0x6981: "命令与文件结构不相容",
        -0x6983: "认证方法锁定",
        -0x6984: "随机数无效",
        -0x6985: "使用条件不满足",
        -0x6988: "安全报文 MAC 不正确",
        -0x6A80: "数据域参数错误",
        -0x6A81: "功能不支持，或卡片已锁定",
        -0x6A84: "文件存储空间不够",
        -0x9401: "账户余额不足",
        -0x9402: "交易计数器达到最大值",
        -0x9403: "密钥索引不支持",
    }
)


@dataclass(frozen=True, slots=True)
class DriverResult:
    """The return value of a function, and what it puts into pOutInfo."""

    code: int
    out: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the function did what it was asked."""
        return self.code == ResultCode.SUCCESS


class DriverRefusal(CardError):
    """The function ends with this code of LD/T 33."""

    code = "LDT33_REFUSED"
    remedy = "The message names the code of LD/T 33 that tells the calling program what to do."

    def __init__(self, result: ResultCode, what: str) -> None:
        super().__init__(f"{what}: LD/T 33 code {int(result)}")
        self.result = result


_CODES: Mapping[type[CardError], ResultCode] = MappingProxyType(
    {
        NotACard: ResultCode.WRONG_CARD_TYPE,
        UnsupportedCard: ResultCode.WRONG_CARD_TYPE,
        NoCard: ResultCode.NO_CARD,
        CardRemoved: ResultCode.NO_CARD,
        CardReset: ResultCode.NO_ANSWER,
        NoAnswer: ResultCode.NO_ANSWER,
        ReaderError: ResultCode.READER_ERROR,
        MalformedApdu: ResultCode.CHECKSUM_ERROR,
        MalformedData: ResultCode.CHECKSUM_ERROR,
        WriteNotConfirmed: ResultCode.CHECKSUM_ERROR,
        CardIdFormat: ResultCode.CARD_ID_FORMAT,
        NotAuthentic: ResultCode.NOT_AUTHENTIC,
        AnotherCard: ResultCode.OTHER_CARD,
        SamKeyLevel: ResultCode.KEY_LEVEL,
        PinCancelled: ResultCode.PIN_CANCELLED,
        PinTimeout: ResultCode.PIN_TIMEOUT,
        PinFormat: ResultCode.PIN_LENGTH,
        IllegalValue: ResultCode.ILLEGAL_CHARACTER,
        ValueTooLong: ResultCode.WRONG_LENGTH,
        PinWrong: ResultCode.PIN_WRONG,
        PinBlocked: ResultCode.PIN_LOCKED,
        SamAbsent: ResultCode.NO_PSAM,
        SamRemoved: ResultCode.NO_PSAM,
        SamNoAnswer: ResultCode.NO_PSAM,
        SamBadAnswer: ResultCode.NO_PSAM,
        AlgorithmNotSupported: ResultCode.PSAM_WITHOUT_ALGORITHM,
        KeyNotAvailable: ResultCode.KEY_NOT_FOUND,
        NotReadable: ResultCode.NOT_ALLOWED,
        NotWritable: ResultCode.NOT_ALLOWED,
        ApplicationLocked: ResultCode.LOCKED,
        PurchaseNotProved: ResultCode.MAC_INVALID,
        DebitNotProved: ResultCode.MAC_INVALID,
        CardCryptogramWrong: ResultCode.MAC_INVALID,
    }
)


def failure(error: CardError) -> DriverResult:
    """The result of a function that ended in `error`."""
    code = code_of(error)
    if isinstance(error, PinWrong):
        return DriverResult(code, str(error.tries_left))
    if isinstance(error, PinBlocked):
        return DriverResult(code, "0")
    return DriverResult(code, text_of(code))


def code_of(error: CardError) -> int:
    """The code of LD/T 33 for an error of the card side.

    An error that stands for no code of its own has that of its cause: the status word that the
    card answered, or the way in which the card was lost.
    """
    cause: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if isinstance(cause, DriverRefusal):
            return cause.result
        if isinstance(cause, StatusError | SamStatus):
            return -cause.sw
        for kind in type(cause).__mro__:
            if kind in _CODES:
                return _CODES[kind]
        cause = cause.__cause__ if cause is not None else None
    return ResultCode.UNKNOWN


def text_of(code: int) -> str:
    """What a code means, in Chinese."""
    known = _TEXTS.get(code)
    if known is not None:
        return known
    left = tries_left(-code)
    if left is not None:
        return f"外部认证失败，剩余 {left} 次"
    return f"卡片返回状态字 {-code:04X}" if code < -0x6000 else _TEXTS[ResultCode.UNKNOWN]
