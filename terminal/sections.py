"""Facts laid out as rows of a screen: the card, its status, the account, a bill, a split.

Pure: values in, `Section`s out. What identifies the holder is marked `personal`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from apdu.ssc.basic import BasicData
from backend_client.messages import (
    AccountOverview,
    Bill,
    CardState,
    CardStatus,
    Insurance,
    InsuranceKind,
    InsuranceStatus,
    Split,
)
from terminal.clock import local
from terminal.receipt import ReceiptLine, money, yuan
from terminal.screens import Row, Section
from terminal.text import Text, same, until

_UNKNOWN = Text("未记录", "not recorded")
_OPEN_ENDED = Text("长期", "no end date")

STATES: dict[CardState, Text] = {
    "not_activated": Text("未开通", "not yet active"),
    "active": Text("正常", "active"),
    "temporarily_lost": Text("临时挂失", "temporarily reported lost"),
    "formally_lost": Text("正式挂失", "formally reported lost"),
    "void": Text("已作废", "void"),
    "stopped": Text("已停用", "stopped"),
}
_INSURANCE_STATUS: dict[InsuranceStatus, Text] = {
    "insured": Text("参保", "insured"),
    "suspended": Text("暂停", "suspended"),
    "ended": Text("终止", "ended"),
}

KINDS: dict[InsuranceKind, Text] = {
    "pension": Text("养老保险", "Pension insurance"),
    "medical": Text("医疗保险", "Medical insurance"),
    "work_injury": Text("工伤保险", "Work injury insurance"),
    "unemployment": Text("失业保险", "Unemployment insurance"),
    "maternity": Text("生育保险", "Maternity insurance"),
}


def card_section(basic: BasicData) -> Section:
    """The card's face data and validity (Article 4)."""
    return Section(
        Text("社会保障卡", "Social security card"),
        (
            _personal(Text("姓名", "Name"), basic.name),
            _personal(Text("社会保障号码", "Social security number"), basic.ssn),
            _personal(Text("卡号", "Card number"), basic.card_number),
            _personal(Text("卡识别码", "Card id"), basic.card_id.hex().upper()),
            Row(Text("规范版本", "Specification version"), same(basic.version)),
            Row(Text("发卡日期", "Issued"), _date(basic.issued, _UNKNOWN)),
            Row(Text("有效期至", "Valid until"), _date(basic.expires, _OPEN_ENDED)),
        ),
    )


def status_section(status: CardStatus) -> Section:
    """The states of the card's functions, as the service centre knows them."""
    state = STATES[status.state]
    rows = [Row(Text("社会保障功能", "Social security function"), state)]
    if status.state_until is not None:
        rows.append(Row(Text("挂失有效期至", "Loss lasts until"), until(status.state_until)))
    bank = Text("已开通", "active") if status.financial_active else Text("未开通", "not active")
    rows.append(Row(Text("金融功能", "Bank function"), bank))
    rows.append(_as_of(status))
    return Section(Text("卡状态", "Card status"), tuple(rows))


def account_sections(account: AccountOverview) -> tuple[Section, ...]:
    """Medical account, insurances, and the last contributions."""
    medical = Section(
        Text("医疗保险个人账户", "Medical account"),
        (
            Row(Text("当年账户", "This year's money"), money(account.current_account_fen)),
            Row(Text("历年账户", "Past years' money"), money(account.past_accounts_fen)),
        ),
    )
    insurances = Section(
        Text("参保情况", "Insurances"), tuple(_insurance(one) for one in account.insurances)
    )
    contributions = Section(
        Text("最近缴费（个人 / 单位）", "Recent contributions (own / employer's)"),
        tuple(
            Row(
                _contribution_label(account, one.kind, one.month),
                same(f"¥ {yuan(one.person_fen)} / ¥ {yuan(one.employer_fen)}"),
            )
            for one in account.contributions
        ),
    )
    return tuple(section for section in (medical, insurances, contributions) if section.rows)


def bill_section(bill: Bill) -> Section:
    """A hospital bill, line by line."""
    lines = tuple(
        Row(same(f"{line.name} × {line.quantity}"), money(line.amount_fen)) for line in bill.lines
    )
    title = Text(
        f"{bill.department}，{bill.date:%Y-%m-%d}", f"{bill.department}, {bill.date:%Y-%m-%d}"
    )
    return Section(title, (*lines, Row(Text("合计", "Total"), money(bill.total_fen))))


_Labels = tuple[tuple[str, Text], ...]
"""The parts of a split, each with what it is called; the holder's own money last."""

_PAYERS: _Labels = (
    ("current_account_fen", Text("当年账户支付", "From this year's account")),
    ("past_accounts_fen", Text("历年账户支付", "From past years' account")),
    ("fund_fen", Text("统筹基金支付", "Paid by the pooled fund")),
    ("supplementary_fen", Text("附加基金支付", "Paid by the supplementary fund")),
    ("other_fund_fen", Text("其他基金支付", "Paid by other funds")),
    ("cash_fen", Text("个人现金支付", "To be paid by you")),
)


_RECIPIENTS: _Labels = (
    ("current_account_fen", Text("退回当年账户", "Back to this year's account")),
    ("past_accounts_fen", Text("退回历年账户", "Back to past years' account")),
    ("fund_fen", Text("退回统筹基金", "Back to the pooled fund")),
    ("supplementary_fen", Text("退回附加基金", "Back to the supplementary fund")),
    ("other_fund_fen", Text("退回其他基金", "Back to other funds")),
    ("cash_fen", Text("退还个人现金", "To be given back to you")),
)
"""The same, of a settlement that is taken back."""


def split_sections(split: Split) -> tuple[Section, ...]:
    """Who pays what, then the same by band: amount = fund + account + own money."""
    return (
        Section(
            Text("费用分担", "Who pays what"),
            tuple(Row(label, money(fen)) for label, fen in _parts(split, _PAYERS)),
        ),
        Section(
            Text("分段明细（基金 / 账户 / 现金）", "By band (fund / account / own money)"),
            tuple(
                Row(
                    Text(f"{band.name_zh} ¥ {yuan(band.amount_fen)}", band.name_en),
                    same(
                        f"{yuan(band.fund_fen)} / {yuan(band.account_fen)} / {yuan(band.cash_fen)}"
                    ),
                )
                for band in split.bands
                if band.amount_fen
            ),
        ),
    )


def split_amounts(split: Split) -> tuple[Row, ...]:
    """What the holder wants to know first: what it costs, and what is left to pay."""
    return (
        Row(Text("费用总额", "Total"), money(split.total_fen)),
        Row(Text("您需支付", "You pay"), money(split.cash_fen)),
    )


def given_back_section(split: Split) -> Section:
    """Who gets back what of a settlement that is taken back."""
    parts = _parts(split, _RECIPIENTS)
    return Section(
        Text("退款去向", "Where it goes"), tuple(Row(label, money(fen)) for label, fen in parts)
    )


def split_lines(split: Split) -> tuple[ReceiptLine, ...]:
    """Who paid what, for a receipt."""
    return _lines(Text("费用总额", "Total"), split, _PAYERS)


def given_back_lines(split: Split) -> tuple[ReceiptLine, ...]:
    """Who got back what, for a receipt."""
    return _lines(Text("撤销总额", "Taken back in all"), split, _RECIPIENTS)


def _lines(total: Text, split: Split, labels: _Labels) -> tuple[ReceiptLine, ...]:
    own = labels[-1][1]
    return (
        ReceiptLine.amount(total, split.total_fen),
        *(
            ReceiptLine.amount(label, fen, strong=label is own)
            for label, fen in _parts(split, labels)
        ),
    )


def _parts(split: Split, labels: _Labels) -> Iterable[tuple[Text, int]]:
    """Every part that is not zero, and the holder's own part always."""
    for name, label in labels:
        fen: int = getattr(split, name)
        if fen or name == "cash_fen":
            yield label, fen


def _personal(label: Text, value: str) -> Row:
    return Row(label, same(value) if value else _UNKNOWN, personal=bool(value))


def _date(value: date | None, otherwise: Text) -> Text:
    return otherwise if value is None else same(value.isoformat())


def _as_of(status: CardStatus) -> Row:
    return Row(Text("状态时间", "As of"), same(local(status.as_of).strftime("%Y-%m-%d %H:%M")))


def _insurance(insurance: Insurance) -> Row:
    status = _INSURANCE_STATUS[insurance.status]
    return Row(
        Text(insurance.name_zh, insurance.name_en),
        Text(
            f"{status.zh}，累计缴费 {insurance.months_paid} 个月",
            f"{status.en}, {insurance.months_paid} months paid",
        ),
    )


def _contribution_label(account: AccountOverview, kind: str, month: str) -> Text:
    for insurance in account.insurances:
        if insurance.kind == kind:
            return Text(f"{month} {insurance.name_zh}", f"{month} {insurance.name_en}")
    return same(month)
