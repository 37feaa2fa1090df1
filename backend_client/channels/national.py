"""The national channel: settling over the national interface (facts 1.3 to 1.6).

A trial is 1101, 2201, 2203, 2204 and 2206; 2207 settles under the operation's own number, which the
centre keeps as `medins_setl_id`. What became of it is asked with 5203, and undone with 2601. The
card is the medium: mdtrt_cert_type 03, its number, and its id in card_sn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from backend_client.calls import same
from backend_client.channels.channel import Reference, Sent, Tried, VisitNumbers
from backend_client.codec import decode
from backend_client.errors import BadMessage, NoAnswer, NoReply, Refused
from backend_client.messages import (
    Bill,
    CardRef,
    ConfirmRequest,
    OperationState,
    Problem,
    ProvisionalVisit,
    Reversal,
    Settlement,
    Split,
    Trial,
    TrialRequest,
)
from backend_client.money_messages import (
    Cancellation,
    CancelRequest,
    DayTotal,
    MoneyState,
    Scope,
    StatementLine,
)
from backend_client.national import statement_file
from backend_client.national.codes import ENGLISH
from backend_client.national.fields import CHINA
from backend_client.national.interface import NationalInterface
from backend_client.national.split import INSUTYPES, exp_content, exp_values, scheme_of, split_of
from backend_client.national.transactions import BY_CARD, BY_ITEM, EQUAL, OUTPATIENT, REFUND

NAME = "national"
TRIAL_GOOD_FOR = timedelta(minutes=15)
"""How long a holder may look at tried amounts. The texts set no end; 2207 works them out anew."""

_INSURED = "1"
_ACCOUNT_USED = "1"
_PARTS = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
_WHOLE = "settlement"
_CLEARING_CLASS = "11"


class NationalChannel:
    """A `SettlementChannel` over one `NationalInterface`."""

    name = NAME
    settles_anew = True

    def __init__(self, interface: NationalInterface) -> None:
        self._interface = interface

    def try_out(self, request: TrialRequest, bill: Bill) -> Tried:
        """See `SettlementChannel`. Raises `Refused` INSURANCE_NOT_IN_FORCE too."""
        try:
            return self._tried(request, bill)
        except NoReply as error:
            raise NoAnswer(str(error)) from None

    def _tried(self, request: TrialRequest, bill: Bill) -> Tried:
        ask, now = self._interface.ask, self._interface.now()
        numbers = iter(self._interface.numbers(5))
        medium = _medium(request.card)
        person = ask("1101", {"data": {**medium, "begntime": now}}, msgid=next(numbers))
        insured = _insurance(person)
        who = {"psn_no": person["baseinfo"]["psn_no"], "insutype": insured["insutype"]}
        area = insured["insuplc_admdvs"]
        at = datetime.combine(bill.date, time(), CHINA)
        visit = ask(
            "2201",
            {"data": {**who, **medium, **_department(bill), "begntime": at}},
            msgid=next(numbers),
            insured_area=area,
        )["data"]
        mine = {"psn_no": who["psn_no"], "mdtrt_id": visit["mdtrt_id"]}
        same(visit["psn_no"], who["psn_no"], "/data/psn_no")
        about = {"mdtrtinfo": {**mine, "med_type": OUTPATIENT, "begntime": at}}
        ask("2203", about, msgid=next(numbers), insured_area=area)
        lines = {"feedetail": [{**mine, **line} for line in _fee_lines(bill, at)]}
        ask("2204", lines, msgid=next(numbers), insured_area=area)
        reference = {
            **who,
            **mine,
            "area": area,
            "chrg_bchno": bill.bill_id,
            "ipt_otp_no": bill.visit_id,
        }
        values = {**medium, **_what(reference, request.total_fen, request.provisional_number)}
        answer = ask("2206", {"data": values}, msgid=next(numbers), insured_area=area)
        info = _own(answer["setlinfo"], reference)
        split = split_of(info)
        same(split.total_fen, request.total_fen, "/setlinfo/medfee_sumamt")
        visit = _provisional(info, request.provisional_number)
        trial = Trial(request.number, request.bill_id, split, now + TRIAL_GOOD_FOR, visit)
        parts = {name: str(info[name]) for name in _PARTS}
        return Tried(trial, {**reference, **parts})

    def confirm(self, request: ConfirmRequest, reference: Reference) -> Settlement:
        """See `SettlementChannel`."""
        parts = {name: int(reference[name]) for name in _PARTS}
        what = _what(reference, request.split.total_fen, request.provisional_number)
        values = {**_medium(request.card), **what, **parts}
        answer = self._interface.ask(
            "2207", {"data": values}, msgid=request.number, insured_area=reference["area"]
        )
        info = _own(answer["setlinfo"], reference)
        same(info.get("medins_setl_id"), request.number, "/setlinfo/medins_setl_id")
        settlement = _settlement(info, reference)
        same(settlement.split, request.split, "/setlinfo")
        told = settlement.provisional_number
        same(told, request.provisional_number, "/setlinfo/exp_content/provisional_number")
        return settlement

    def give_up(self, reference: Reference) -> None:
        """2205 and 2202: no fee lines, no visit. Raises as any transaction does."""
        area = reference["area"]
        mine = {name: reference[name] for name in ("psn_no", "mdtrt_id")}
        lines = {**mine, "chrg_bchno": reference["chrg_bchno"]}
        self._interface.ask("2205", {"data": lines}, insured_area=area)
        visit = {**mine, "ipt_otp_no": reference["ipt_otp_no"]}
        self._interface.ask("2202", {"data": visit}, insured_area=area)

    def cancel(self, request: CancelRequest, reference: Reference) -> Cancellation:
        """See `SettlementChannel`."""
        mine = {name: reference[name] for name in ("psn_no", "mdtrt_id")}
        answer = self._interface.ask(
            "2208",
            {"data": {**mine, "setl_id": request.settlement_id}},
            msgid=request.number,
            insured_area=reference["area"],
        )
        info = _own(answer["setlinfo"], reference)
        same(info.get("medins_setl_id"), request.number, "/setlinfo/medins_setl_id")
        cancellation = _cancellation(info)
        same(cancellation.settlement_id, request.settlement_id, "/setlinfo/exp_content")
        return cancellation

    def query(self, sent: Sent) -> OperationState | MoneyState:
        """5203: the centre has it if one of the visit's settlements carries our number."""
        reference = sent.reference
        mine = {name: reference[name] for name in ("psn_no", "mdtrt_id")}
        answer = self._interface.ask("5203", {"data": mine}, insured_area=reference["area"])
        found = [
            info for info in answer.get("setlinfo", ()) if info.get("medins_setl_id") == sent.number
        ]
        if sent.what == _WHOLE:
            if not found:
                return OperationState(sent.number, "unknown")
            settlement = _settlement(_own(found[0], reference), reference)
            return OperationState(sent.number, "confirmed", settlement=settlement)
        if not found:
            return MoneyState(sent.number, "unknown")
        return MoneyState(sent.number, "confirmed", _cancellation(_own(found[0], reference)))

    def reverse(self, sent: Sent) -> Reversal:
        """2601, with the number and the code of what is undone."""
        code = "2207" if sent.what == _WHOLE else "2208"
        values = {"psn_no": sent.reference["psn_no"], "omsgid": sent.number, "oinfno": code}
        self._interface.ask("2601", {"data": values}, insured_area=sent.reference["area"])
        return Reversal(sent.number, found=False, reversed_at=self._interface.now())

    def agrees(
        self,
        day: date,
        total: DayTotal,
        scope: Scope = "terminal",  # noqa: ARG002 - 3201 knows institutions only
    ) -> bool:
        """3201, by insurance and by settlements or refunds; the whole institution's."""
        answer = self._interface.ask(
            "3201",
            {
                "data": {
                    **_day(day, total.total_fen, total.fund_fen),
                    "insutype": INSUTYPES[total.scheme],
                    "clr_type": _CLEARING_CLASS,
                    "acct_pay": total.account_fen,
                    "fixmedins_setl_cnt": total.count,
                    "refd_setl_flag": REFUND if total.refund else "0",
                }
            },
        )
        return bool(answer["stmtinfo"]["stmt_rslt"] == EQUAL)

    def statement(
        self,
        day: date,
        ours: Sequence[StatementLine],
        scope: Scope = "terminal",  # noqa: ARG002 - 3202 knows institutions only
    ) -> tuple[StatementLine, ...]:
        """9101, 3202 and 9102: our lines as a file, and the file of what differs."""
        ask = self._interface.ask
        name = f"{day:%Y%m%d}.zip"
        file = statement_file.sent(ours)
        sent = ask("9101", {"fsUploadIn": {"in": file, "filename": name}})
        sums = statement_file.sums(ours)
        info = ask(
            "3202",
            {
                "data": {
                    **_day(day, sums.total_fen, sums.fund_fen),
                    "file_qury_no": sent["fsUploadOut"]["file_qury_no"],
                    "cash_payamt": sums.cash_fen,
                    "fixmedins_setl_cnt": len(ours),
                }
            },
        )["fileinfo"]
        wanted = {"file_qury_no": info["file_qury_no"], "filename": info["filename"]}
        got = ask("9102", {"fsDownloadIn": wanted})["fsDownloadOut"]["out"]
        return statement_file.theirs(ours, statement_file.differing(got))

    def visit_of(self, reference: Reference) -> VisitNumbers | None:
        """mdtrt_id and psn_no: 3202 wants them of every line."""
        return VisitNumbers(reference["mdtrt_id"], reference["psn_no"])

    def sign_out(self) -> None:
        """9002. After it there is no further sign-in on that day."""
        self._interface.sign_out()


def _medium(card: CardRef) -> dict[str, str]:
    """The card as the medium of a visit."""
    return {
        "mdtrt_cert_type": BY_CARD,
        "mdtrt_cert_no": card.card_number,
        "card_sn": card.card_id,
    }


def _insurance(person: Mapping[str, Any]) -> Mapping[str, Any]:
    """The medical insurance that is in force. Raises `Refused` where there is none."""
    for each in person["insuinfo"]:
        if each["psn_insu_stas"] == _INSURED:
            insurance: Mapping[str, Any] = each
            return insurance
    raise Refused(
        Problem(
            "about:blank",
            "no insurance is in force",
            422,
            "INSURANCE_NOT_IN_FORCE",
            zh="医疗保险未在参保状态，不能结算。",
            en=ENGLISH["INSURANCE_NOT_IN_FORCE"],
        )
    )


def _department(bill: Bill) -> dict[str, str]:
    """The visit as the hospital has it; a bill names no doctor."""
    return {
        "ipt_otp_no": bill.visit_id,
        "atddr_no": "0",
        "dr_name": bill.department,
        "dept_code": "0",
        "dept_name": bill.department,
        "caty": "0",
    }


def _fee_lines(bill: Bill, at: datetime) -> list[dict[str, Any]]:
    """The bill's lines; the serial of each is unique in a visit of many bills."""
    batch = hashlib.sha256(bill.bill_id.encode()).hexdigest()[:16]
    return [
        {
            "feedetl_sn": f"{batch}-{position}",
            "chrg_bchno": bill.bill_id,
            "fee_ocur_time": at,
            "med_list_codg": line.code,
            "medins_list_codg": line.code,
            "det_item_fee_sumamt": line.amount_fen,
            "cnt": line.quantity,
            "pric": line.unit_price_fen,
        }
        for position, line in enumerate(bill.lines, 1)
    ]


def _what(reference: Reference, total_fen: int, provisional: str | None) -> dict[str, Any]:
    """What 2206 and 2207 have in common, but for the medium."""
    names = ("psn_no", "mdtrt_id", "chrg_bchno", "insutype")
    local = {} if provisional is None else {"exp_content": exp_content(provisional=provisional)}
    return {
        **local,
        **{name: reference[name] for name in names},
        "med_type": OUTPATIENT,
        "medfee_sumamt": total_fen,
        "psn_setlway": BY_ITEM,
        "acct_used_flag": _ACCOUNT_USED,
    }


def _provisional(info: Mapping[str, Any], number: str | None) -> ProvisionalVisit | None:
    """The visit that a trial was asked for, as the centre knows it. Raises `BadMessage`."""
    if number is None:
        return None
    visit = decode(ProvisionalVisit, exp_values(info).get("provisional"))
    same(visit.number, number, "/setlinfo/exp_content/provisional")
    return visit


def _own(info: dict[str, Any], reference: Reference) -> dict[str, Any]:
    """A setlinfo, which must be of this person and visit. Raises `BadMessage`."""
    same(info["psn_no"], reference["psn_no"], "/setlinfo/psn_no")
    same(info["mdtrt_id"], reference["mdtrt_id"], "/setlinfo/mdtrt_id")
    return info


def _after(info: Mapping[str, Any]) -> tuple[int, int]:
    """The balances after it, this year's and past years'; the national field has their sum only."""
    past = exp_values(info).get("past_balance_fen")
    if not isinstance(past, int) or not 0 <= past <= info["balc"]:
        past = 0
    return info["balc"] - past, past


def _settlement(info: Mapping[str, Any], reference: Reference) -> Settlement:
    current, past = _after(info)
    return Settlement(
        number=_named(info, "medins_setl_id"),
        settlement_id=_named(info, "setl_id"),
        bill_id=reference["chrg_bchno"],
        split=split_of(info),
        settled_at=_at(info),
        current_account_after_fen=current,
        past_accounts_after_fen=past,
        scheme=scheme_of(info["insutype"]),
        provisional_number=exp_values(info).get("provisional_number"),
    )


def _cancellation(info: Mapping[str, Any]) -> Cancellation:
    current, past = _after(info)
    of = exp_values(info).get("cancels")
    return Cancellation(
        number=_named(info, "medins_setl_id"),
        cancellation_id=_named(info, "setl_id"),
        settlement_id=of if isinstance(of, str) else "",
        split=_given_back(info),
        cancelled_at=_at(info),
        current_account_after_fen=current,
        past_accounts_after_fen=past,
        scheme=scheme_of(info["insutype"]),
    )


def _given_back(info: Mapping[str, Any]) -> Split:
    """What a refund gives back; its sums come below zero, or as they are."""
    positive = {
        name: abs(value) if isinstance(value, int) else value for name, value in info.items()
    }
    return split_of(positive)


def _named(info: Mapping[str, Any], name: str) -> str:
    if name not in info:
        raise BadMessage(f"/setlinfo/{name}", "required", "setlinfo")
    return str(info[name])


def _at(info: Mapping[str, Any]) -> datetime:
    at = info.get("setl_time")
    if not isinstance(at, datetime):
        raise BadMessage("/setlinfo/setl_time", "required", "setlinfo")
    return at


def _day(day: date, total_fen: int, fund_fen: int) -> dict[str, Any]:
    return {
        "setl_optins": "0",
        "stmt_begndate": day,
        "stmt_enddate": day,
        "medfee_sumamt": total_fen,
        "fund_pay_sumamt": fund_fen,
    }
