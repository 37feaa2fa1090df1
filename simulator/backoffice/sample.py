"""A small fictitious city: a back office on a movable clock, and hands to fill and use it.

For tests, benchmarks and trying things out. Persons, region 990100 and institutions are invented.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from sqlalchemy import Engine

from backend_client.calls import Calls
from backend_client.client import BackendClient
from backend_client.messages import CardRef, Enrolment, EnrolmentRequest, Profile, Role
from simulator.backoffice import seed
from simulator.backoffice.api import Api
from simulator.backoffice.authority import Authority
from simulator.backoffice.backoffice import BackOffice, Rules
from simulator.backoffice.clocks import MovableClock
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.records import (
    AccountRecord,
    BillLineRecord,
    BillRecord,
    CardRecord,
    HolderRecord,
    InsuranceRecord,
)

HOSPITAL = "990100000101"
CHILDRENS_HOSPITAL = "990100000102"
ADMIN_TOKEN = "sample-administrator"  # noqa: S105  # of a fictitious city
_MEDICAL = InsuranceRecord("medical", "insured", date(2012, 7, 1), 160)


class SampleCity:
    """One back office with its interface; `api` answers terminals and staff."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: MovableClock,
        random: Callable[[int], bytes],
        rules: Rules | None = None,
        sealing_key: bytes = bytes(32),
        authority: Authority | None = None,
    ) -> None:
        self.clock = clock
        self.backoffice = BackOffice(
            engine,
            now=clock.now,
            random=random,
            sealing_key=sealing_key,
            rules=rules,
            authority=authority,
        )
        seed.add_sample_institutions(self.backoffice)
        self.api = Api(self.backoffice, admin_token=ADMIN_TOKEN, advance=clock.advance, strict=True)
        self._random = random
        self._numbers = 0

    def card(
        self,
        serial: int,
        *,
        state: str = "active",
        insured_as: str = "employee",
        insurances: Sequence[InsuranceRecord] = (_MEDICAL,),
        current_fen: int = 0,
        past_fen: int = 0,
        bills: Sequence[BillRecord] = (),
        financial_active: bool = False,
    ) -> CardRef:
        """Register person and card number `serial` (below 100000)."""
        ref = sample_ref(serial)
        seed.register(
            self.backoffice,
            holder=HolderRecord(
                f"样本{serial}", f"9901001990010{serial:05d}", insured_as, tuple(insurances)
            ),
            card=CardRecord(ref.card_id, ref.card_number, state, financial_active),
            accounts=AccountRecord(current_fen, past_fen),
            bills=bills,
        )
        return ref

    def terminal(self, profile: Profile = "kiosk", institution: str = HOSPITAL) -> BackendClient:
        """The client of a newly enrolled terminal."""
        return self.client(self.enrolled(profile, institution).token)

    def enrolled(
        self,
        profile: Profile,
        institution: str = HOSPITAL,
        *,
        role: Role | None = None,
        previous_token: str | None = None,
    ) -> Enrolment:
        """Enrol a terminal, or one that has `previous_token` once more; `role` is the profile's."""
        code, _ = self.backoffice.staff.create_enrolment_code(institution, profile, role)
        request = EnrolmentRequest(code, profile, previous_token=previous_token)
        return self.client(None).enrol(request)

    def client(self, token: str | None) -> BackendClient:
        """A client that shows this token."""
        return BackendClient(
            Calls(
                InProcessTransport(self.api),
                token=token,
                now=self.clock.now,
                sleep=lambda seconds: self.clock.advance(timedelta(seconds=seconds)),
                random=self._random,
            )
        )

    def number(self, institution: str = HOSPITAL) -> str:
        """A new operation number."""
        self._numbers += 1
        return f"{institution}{self.backoffice.now():%Y%m%d%H%M%S}{self._numbers:04d}"


def sample_ref(serial: int) -> CardRef:
    """Card id and card number of card `serial`."""
    return CardRef(f"990100d156000005{serial:08x}ffffffff", f"S{serial:08d}")


def sample_bill(
    bill_id: str, *amounts_fen: int, uncovered_fen: int = 0, institution: str = HOSPITAL
) -> BillRecord:
    """A bill with one covered line for each amount, and one that is not covered."""
    lines = [
        BillLineRecord(f"11020000{position}", f"样本项目{position}", 1, amount)
        for position, amount in enumerate(amounts_fen, 1)
    ]
    if uncovered_fen:
        lines.append(BillLineRecord("ZF0001", "样本自费项目", 1, uncovered_fen, is_covered=False))
    return BillRecord(bill_id, f"V-{bill_id}", institution, "内科", date(2026, 3, 10), tuple(lines))
