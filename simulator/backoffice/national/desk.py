"""The transactions of the national interface, done over register, bills and ledger.

Field names are the interface's; what is booked is what the direct interface books. 2207 and 2208
are accepted once by their msgid, which is the terminal's operation number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.codec import canonical, encode
from backend_client.messages import CardRef, Scheme, Settlement
from backend_client.money_messages import Cancellation
from backend_client.national.envelope import Asked
from backend_client.national.fields import write
from backend_client.national.split import (
    INSUTYPES,
    exp_content,
    exp_values,
    parts_of,
    scheme_of,
    setlinfo_of,
)
from backend_client.national.transactions import REFUND
from simulator.backoffice.accounts import account_of
from simulator.backoffice.bills import Bills
from simulator.backoffice.database import Database
from simulator.backoffice.days import local
from simulator.backoffice.errors import Refused
from simulator.backoffice.figures import Figures
from simulator.backoffice.ledger import Due, Ledger, cancellation_id, settlement_id
from simulator.backoffice.listings import card_in_use
from simulator.backoffice.money_schema import (
    NationalSignInRow,
    UploadRow,
    VisitRow,
    VisitSettlementRow,
)
from simulator.backoffice.national.reconciling import Reconciling
from simulator.backoffice.national.visits import Visits, person_no, visit_no
from simulator.backoffice.operations import Operations
from simulator.backoffice.provisional import as_message, open_visit
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import Register
from simulator.backoffice.schema import (
    BillRow,
    Card,
    Holder,
    InsuranceRow,
    Operation,
    SettlementRow,
)
from simulator.backoffice.terminals import Caller
from simulator.backoffice.vault import Vault

_INSURED, _NOT_INSURED = "1", "2"
Output = dict[str, Any]


class NationalDesk:
    """One method a transaction. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        register: Register,
        operations: Operations,
        bills: Bills,
        ledger: Ledger,
        figures: Figures,
        vault: Vault,
        random: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._now = now
        self._register = register
        self._operations = operations
        self._bills = bills
        self._ledger = ledger
        self._figures = figures
        self._vault = vault
        self._random = random
        self._visits = Visits(bills, vault)
        reconciling = Reconciling(database, now, vault)
        self._answers: Mapping[str, Callable[[Caller, Asked], Output]] = {
            "9001": self._sign_in,
            "9002": self._sign_out,
            "1101": self._person,
            "2201": self._visit,
            "2202": self._visit_revoked,
            "2203": self._visit_described,
            "2204": self._lines,
            "2205": self._lines_revoked,
            "2206": self._trial,
            "2207": self._settle,
            "2208": self._cancel,
            "2601": self._reverse,
            "3201": reconciling.totals,
            "3202": reconciling.compare,
            "5203": self._settlements,
            "9101": reconciling.take_file,
            "9102": reconciling.give_file,
        }

    def answer(self, caller: Caller, asked: Asked) -> Output:
        """Do one transaction. Raises `Refused`."""
        return self._answers[asked.transaction.code](caller, asked)

    def require_sign_in(self, caller: Caller, sign_no: str, now: datetime) -> None:
        """Raise `Refused` unless the terminal has signed in today and not out again."""
        with self._database.transaction() as session:
            row = session.get(NationalSignInRow, (caller.owner, local(now).date()))
            if row is None or row.sign_no != sign_no:
                raise Refused(Refusal.CENTRE_NOT_SIGNED_IN)
            if row.signed_out_at is not None:
                raise Refused(Refusal.CENTRE_SIGNED_OUT_TODAY)

    def _sign_in(self, caller: Caller, _asked: Asked) -> Output:
        """9001: one sign-in a day; after the sign-out none any more."""
        with self._database.transaction() as session:
            now = self._now()
            row = session.get(NationalSignInRow, (caller.owner, local(now).date()))
            if row is None:
                row = NationalSignInRow(
                    owner=caller.owner,
                    day=local(now).date(),
                    sign_no=self._random(12).hex(),
                    signed_in_at=now,
                )
                session.add(row)
            if row.signed_out_at is not None:
                raise Refused(Refusal.CENTRE_SIGNED_OUT_TODAY)
            return {"signinoutb": {"sign_time": row.signed_in_at, "sign_no": row.sign_no}}

    def _sign_out(self, caller: Caller, _asked: Asked) -> Output:
        """9002."""
        with self._database.transaction() as session:
            now = self._now()
            row = session.get_one(NationalSignInRow, (caller.owner, local(now).date()))
            row.signed_out_at = now
            return {"signoutoutb": {"sign_time": now}}

    def _person(self, _caller: Caller, asked: Asked) -> Output:
        """1101."""
        values = asked.input["data"]
        with self._database.transaction() as session:
            now = self._now()
            card = self._card(session, values, now)
            holder = session.get_one(Holder, card.holder)
            sealed = self._vault.open(holder.sealed, "holders", holder.ssn_index)
            personal = cast(dict[str, str], sealed)
            medical = session.get(InsuranceRow, (holder.id, "medical"))
            year = self._figures.medical_year(local(now).date())
            account = account_of(session, holder.id, year)
            insured = medical is not None and medical.status == "insured"
            insurance = {
                "balc": account.current_fen + account.past_fen,
                "insutype": INSUTYPES[self._scheme(holder, now)],
                "psn_type": holder.insured_as[:6],
                "psn_insu_stas": _INSURED if insured else _NOT_INSURED,
                "insuplc_admdvs": values["card_sn"][:6],
            }
            return {
                "baseinfo": {
                    "psn_no": person_no(holder.id),
                    "certno": personal["ssn"],
                    "psn_name": personal["name"],
                },
                "insuinfo": [insurance] if medical is not None else [],
            }

    def _scheme(self, holder: Holder, now: datetime) -> Scheme:
        """The medical insurance of a holder, by the rules of today. Raises `Refused` NO_TARIFF."""
        rules = self._figures.tariff_on(local(now).date()).groups.get(holder.insured_as)
        if rules is None:
            raise Refused(Refusal.NO_TARIFF, detail="no rules for this group of insured")
        return rules.scheme

    def _visit(self, caller: Caller, asked: Asked) -> Output:
        """2201."""
        values = asked.input["data"]
        with self._database.transaction() as session:
            now = self._now()
            card = self._card(session, values, now)
            number = values["ipt_otp_no"]
            visit = self._visits.register(session, card, caller.institution, number, now)
            mine = {"mdtrt_id": visit_no(visit), "psn_no": person_no(visit.holder)}
            return {"data": {**mine, "ipt_otp_no": number}}

    def _visit_revoked(self, caller: Caller, asked: Asked) -> Output:
        """2202."""
        with self._database.transaction() as session:
            visit = self._visits.find(session, asked.input["data"], caller.institution)
            self._visits.revoke(session, visit, self._now())
        return {}

    def _visit_described(self, caller: Caller, asked: Asked) -> Output:
        """2203."""
        with self._database.transaction() as session:
            visit = self._visits.find(session, asked.input["mdtrtinfo"], caller.institution)
            visit.described = True
        return {}

    def _lines(self, caller: Caller, asked: Asked) -> Output:
        """2204: the lines of one charge batch, which is one bill."""
        lines = asked.input["feedetail"]
        if not lines or any(_batch_of(line) != _batch_of(lines[0]) for line in lines):
            raise Refused(Refusal.FEE_LINES_DIFFER)
        with self._database.transaction() as session:
            visit = self._visits.find(session, lines[0], caller.institution)
            bill = self._open_bill(session, caller, visit, lines[0]["chrg_bchno"])
            return {"result": self._visits.upload(session, visit, bill, lines, self._now())}

    def _lines_revoked(self, caller: Caller, asked: Asked) -> Output:
        """2205."""
        values = asked.input["data"]
        with self._database.transaction() as session:
            visit = self._visits.find(session, values, caller.institution)
            self._visits.revoke_batch(session, visit, values["chrg_bchno"], self._now())
        return {}

    def _trial(self, caller: Caller, asked: Asked) -> Output:
        """2206: books nothing."""
        values = asked.input["data"]
        with self._database.transaction() as session:
            now = self._now()
            visit, _, bill, due = self._due(session, caller, values, now)
            info = setlinfo_of(due.split, due.covered_fen, due.deductible_fen)
            registered = _provisional(session, bill, values)
            if registered is not None:
                told = exp_values(info)
                info["exp_content"] = exp_content(
                    **told, provisional=encode(as_message(registered))
                )
            year = self._figures.medical_year(local(now).date())
            account = account_of(session, visit.holder, year)
            info["balc"] = account.current_fen + account.past_fen
            return {"setlinfo": {**_whose(visit, INSUTYPES[due.scheme]), **info}}

    def _settle(self, caller: Caller, asked: Asked) -> Output:
        """2207, accepted once by its msgid."""
        values = asked.input["data"]

        def work(session: Session, operation: Operation, now: datetime) -> Settlement:
            visit, card, bill, due = self._due(session, caller, values, now)
            wanted = parts_of(due.split.total_fen, due.covered_fen)
            if any(values[name] != fen for name, fen in wanted.items()):
                raise Refused(Refusal.SPLIT_DIFFERS)
            registered = _provisional(session, bill, values)
            booked = self._ledger.book(session, operation, card, bill, due, now, registered)
            session.add(
                VisitSettlementRow(
                    operation=operation.id,
                    visit=visit.id,
                    settlement=booked.row.id,
                    is_refund=False,
                )
            )
            return Settlement(
                number=asked.msgid,
                settlement_id=settlement_id(booked.row),
                bill_id=bill.bill_id,
                split=due.split,
                settled_at=now,
                current_account_after_fen=booked.current_account_fen,
                past_accounts_after_fen=booked.past_accounts_fen,
                scheme=due.scheme,
                provisional_number=None if registered is None else registered.number,
            )

        made = self._operations.once(caller, asked.msgid, _request(asked), Settlement, work)
        return {"setlinfo": self._made(caller, made)}

    def _cancel(self, caller: Caller, asked: Asked) -> Output:
        """2208, accepted once by its msgid."""
        values = asked.input["data"]

        def work(session: Session, operation: Operation, now: datetime) -> Cancellation:
            visit = self._visits.find(session, values, caller.institution)
            row = self._settled(session, visit, caller, values["setl_id"])
            if row.reversed_at is not None:
                raise Refused(Refusal.SETTLEMENT_CANCELLED)
            split = self._ledger.split_of(session, row)
            booked = self._ledger.take_back(session, operation, row, now)
            session.add(
                VisitSettlementRow(
                    operation=operation.id, visit=visit.id, settlement=row.id, is_refund=True
                )
            )
            return Cancellation(
                number=asked.msgid,
                cancellation_id=cancellation_id(operation, now),
                settlement_id=settlement_id(row),
                split=split,
                cancelled_at=now,
                current_account_after_fen=booked.current_account_fen,
                past_accounts_after_fen=booked.past_accounts_fen,
                scheme=scheme_of(INSUTYPES[cast(Any, row.scheme)]),
            )

        made = self._operations.once(caller, asked.msgid, _request(asked), Cancellation, work)
        return {"setlinfo": self._made(caller, made)}

    def _reverse(self, caller: Caller, asked: Asked) -> Output:
        """2601: undone, or forbidden if it has not arrived yet."""
        self._operations.reverse(caller, asked.input["data"]["omsgid"], self._ledger.undo)
        return {}

    def _settlements(self, caller: Caller, asked: Asked) -> Output:
        """5203: what the terminal has settled and taken back for a visit."""
        with self._database.transaction() as session:
            visit = self._visits.find(session, asked.input["data"], caller.institution)
            numbers = [
                operation.number
                for _, operation, _ in self._visits.operations(session, visit, caller.owner)
            ]
        found = [self._operations.found(caller, number).made for number in numbers]
        made = [each for each in found if isinstance(each, Settlement | Cancellation)]
        return {"setlinfo": [self._made(caller, each) for each in made]}

    def _card(self, session: Session, values: Mapping[str, Any], now: datetime) -> Card:
        """The card that is the medium. Raises `Refused`."""
        ref = CardRef(values["card_sn"], values["mdtrt_cert_no"])
        return card_in_use(self._register, session, ref, now)

    def _open_bill(
        self, session: Session, caller: Caller, visit: VisitRow, bill_id: str
    ) -> BillRow:
        own = caller.institution if caller.role.own_bills_only else None
        return self._bills.open_one(session, visit.holder, bill_id, own)

    def _due(
        self, session: Session, caller: Caller, values: Mapping[str, Any], now: datetime
    ) -> tuple[VisitRow, Card, BillRow, Due]:
        """What settling the visit's uploaded bill comes to. Raises `Refused`."""
        visit = self._visits.find(session, values, caller.institution)
        card = self._card(session, values, now)
        if card.holder != visit.holder:
            raise Refused(Refusal.VISIT_UNKNOWN)
        self._visits.uploaded(session, visit, values["chrg_bchno"])
        bill = self._open_bill(session, caller, visit, values["chrg_bchno"])
        if bill.total_fen != values["medfee_sumamt"]:
            raise Refused(Refusal.BILL_CHANGED)
        due = self._ledger.due(session, bill, now)
        if INSUTYPES[due.scheme] != values["insutype"]:
            raise Refused(Refusal.INSURANCE_NOT_IN_FORCE)
        return visit, card, bill, due

    def _settled(
        self, session: Session, visit: VisitRow, caller: Caller, setl_id: str
    ) -> SettlementRow:
        for link, _, row in self._visits.operations(session, visit, caller.owner):
            if not link.is_refund and settlement_id(row) == setl_id:
                return row
        raise Refused(Refusal.SETTLEMENT_UNKNOWN)

    def _made(self, caller: Caller, made: Settlement | Cancellation) -> Output:
        """A settlement or its cancellation as a setlinfo; a refund's sums are below zero."""
        with self._database.transaction() as session:
            link, row, visit = self._link(session, caller, made.number)
            covered = self._bills.charge(session, session.get_one(BillRow, row.bill)).covered_fen
            info = setlinfo_of(made.split, covered, row.deductible_fen)
            info["balc"] = made.current_account_after_fen + made.past_accounts_after_fen
            local_values = {
                "past_accounts_fen": made.split.past_accounts_fen,
                "bands": [encode(band) for band in made.split.bands],
                "past_balance_fen": made.past_accounts_after_fen,
            }
            if isinstance(made, Cancellation):
                info = {name: _negative(name, value) for name, value in info.items()}
                local_values["cancels"] = made.settlement_id
            else:
                local_values["provisional_number"] = made.provisional_number
            info["exp_content"] = exp_content(**local_values)
            return {
                **_whose(visit, INSUTYPES[made.scheme]),
                **info,
                "setl_id": (
                    made.cancellation_id if link.is_refund else made.settlement_id  # type: ignore[union-attr]
                ),
                "medins_setl_id": made.number,
                "setl_time": (
                    made.cancelled_at if isinstance(made, Cancellation) else made.settled_at
                ),
                "refd_setl_flag": REFUND if link.is_refund else "0",
            }

    def _link(
        self, session: Session, caller: Caller, number: str
    ) -> tuple[VisitSettlementRow, SettlementRow, VisitRow]:
        query = (
            select(VisitSettlementRow, SettlementRow, VisitRow)
            .join(Operation, VisitSettlementRow.operation == Operation.id)
            .join(SettlementRow, VisitSettlementRow.settlement == SettlementRow.id)
            .join(VisitRow, VisitSettlementRow.visit == VisitRow.id)
            .where(Operation.owner == caller.owner, Operation.number == number)
        )
        link, row, visit = session.execute(query).one()
        return link, row, visit


def _provisional(session: Session, bill: BillRow, values: Mapping[str, Any]) -> UploadRow | None:
    """The provisional visit that `exp_content` names, if any. Raises `Refused`."""
    number = exp_values(values).get("provisional")
    if number is None:
        return None
    if not isinstance(number, str):
        raise Refused(Refusal.BAD_REQUEST, detail="exp_content: provisional is a number's text")
    return open_visit(session, bill, number)


def _request(asked: Asked) -> bytes:
    """32 bytes that tell one 2207 or 2208 from another."""
    written = write(asked.transaction.input, asked.input, asked.transaction.code)
    return hashlib.sha256(asked.transaction.code.encode() + canonical(written)).digest()


def _batch_of(line: Mapping[str, Any]) -> tuple[str, ...]:
    return line["mdtrt_id"], line["psn_no"], line["chrg_bchno"]


def _whose(visit: VisitRow, insutype: str) -> Output:
    return {
        "psn_no": person_no(visit.holder),
        "mdtrt_id": visit_no(visit),
        "insutype": insutype,
    }


def _negative(name: str, value: object) -> object:
    return -value if isinstance(value, int) and name != "balc" else value
