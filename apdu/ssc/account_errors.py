"""What the medical account refuses, one error for each of its status words (facts 5.1)."""

from __future__ import annotations

from typing import ClassVar

from apdu.ssc.entitlement import PinNeeded
from apdu.status import CardError, StatusError, StatusWord


class AccountError(CardError):
    """The medical account did not carry out a command. Nothing was debited or credited."""

    code: ClassVar[str] = "ACCOUNT_ERROR"
    zh: ClassVar[str] = "卡内医疗账户操作失败，账户金额未变动。"
    en: ClassVar[str] = "The card's medical account refused; its balance has not changed."
    remedy: ClassVar[str] = "Begin again; if it fails again, settle another way."


class InsufficientBalance(AccountError):
    """9401: the account holds less than the purchase takes from it."""

    code = "ACCOUNT_INSUFFICIENT_BALANCE"
    zh = "卡内医疗账户余额不足。"
    en = "There is not enough money in the card's medical account."
    remedy = "Let the holder pay the difference another way."


class CounterExhausted(AccountError):
    """9402: the account's transaction counter is at its maximum."""

    code = "ACCOUNT_COUNTER_EXHAUSTED"
    zh = "卡片交易次数已达上限，请到社区受理网点办理换领。"
    en = "The card has made all the transactions it can. Please have it exchanged."
    remedy = "The counter never goes back; the holder needs an exchange."


class KeyIndexNotSupported(AccountError):
    """9403: the card has no key of the index that was asked for."""

    code = "ACCOUNT_KEY_INDEX_NOT_SUPPORTED"
    remedy = "Use a key index that both the card and the security module hold (1 to 3)."


class TransactionMacRefused(AccountError):
    """9302: the card found the terminal's MAC1, or the host's MAC2, wrong."""

    code = "ACCOUNT_MAC_REFUSED"
    zh = "交易校验未通过，未扣款。请联系工作人员。"
    en = "The transaction's check failed; nothing was charged. Please ask the staff."
    remedy = "Check that the security module holds the purchase keys of this card's issuer."


class WrongTransactionState(AccountError):
    """6901: a command out of its order; the account is idle again."""

    code = "ACCOUNT_WRONG_STATE"
    remedy = "Another program used the account in between: use the reader exclusively."


class ProofNotAvailable(AccountError):
    """9406: the card keeps no proof of this transaction."""

    code = "ACCOUNT_PROOF_NOT_AVAILABLE"
    remedy = "The balance did not change by this transaction, unless another one followed it."


class AccountNotAvailable(AccountError):
    """6A82, 6985 or 6A81: this card has no medical account, or its issuer does not use it."""

    code = "ACCOUNT_NOT_AVAILABLE"
    zh = "此卡未启用卡内医疗账户。"
    en = "This card's medical account is not in use."
    remedy = "Settle through the centre; the card holds no money."


class CardCryptogramWrong(CardError):
    """The card's MAC1 does not prove the balance that it says it has."""

    code = "ACCOUNT_CRYPTOGRAM_WRONG"
    zh = "卡片账户校验未通过，不能充值。请联系工作人员。"
    en = "The card's account did not prove itself; it cannot be loaded. Please ask the staff."
    remedy = "Check the security module's load keys if many cards fail; else report the card."


_ERRORS: dict[int, type[AccountError]] = {
    StatusWord.INSUFFICIENT_BALANCE: InsufficientBalance,
    StatusWord.COUNTER_AT_MAXIMUM: CounterExhausted,
    StatusWord.KEY_INDEX_NOT_SUPPORTED: KeyIndexNotSupported,
    StatusWord.MAC_INVALID: TransactionMacRefused,
    StatusWord.WRONG_STATE: WrongTransactionState,
    StatusWord.PROOF_NOT_AVAILABLE: ProofNotAvailable,
    StatusWord.FILE_NOT_FOUND: AccountNotAvailable,
    StatusWord.CONDITIONS_NOT_SATISFIED: AccountNotAvailable,
    StatusWord.NOT_SUPPORTED_OR_LOCKED: AccountNotAvailable,
    StatusWord.CLA_NOT_SUPPORTED: AccountNotAvailable,
    StatusWord.INS_NOT_SUPPORTED: AccountNotAvailable,
}

NOT_BOOKED = frozenset(
    {
        StatusWord.INSUFFICIENT_BALANCE,
        StatusWord.COUNTER_AT_MAXIMUM,
        StatusWord.KEY_INDEX_NOT_SUPPORTED,
        StatusWord.MAC_INVALID,
        StatusWord.WRONG_STATE,
        StatusWord.SECURITY_STATUS_NOT_SATISFIED,
        StatusWord.CONDITIONS_NOT_SATISFIED,
    }
)
"""With these the card has refused DEBIT or CREDIT. Any other word may come from fetching the answer
over T=0, or tell of a failing memory: then only the card's proof can say whether it has booked."""


def account_error(error: StatusError) -> CardError:
    """The error that a status word of the account means; `error` itself for any other."""
    if error.sw == StatusWord.SECURITY_STATUS_NOT_SATISFIED:
        return PinNeeded(str(error))
    kind = _ERRORS.get(error.sw)
    return kind(str(error)) if kind else error
