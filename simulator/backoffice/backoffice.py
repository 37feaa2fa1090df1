"""The reference back office: its parts put together.

`BackOffice` composes register, publisher, ledger and the rest over one database. `desk`, `life`,
`lists`, `money` and `national` are what terminals may ask, `staff` and `clerks` what staff may do;
`deadlines` is what a `DeadlineWatch` works with. Time, randomness, database and the sealing key are
handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from apdu.tac import TacModule
from apdu.transit_sam import DEVELOPMENT_TAC_KEY
from backend_client.messages import PublicKey
from simulator.backoffice.applications import Applications
from simulator.backoffice.authority import Authority
from simulator.backoffice.bell import Bell
from simulator.backoffice.bills import Bills
from simulator.backoffice.clerks import Clerks
from simulator.backoffice.database import Database
from simulator.backoffice.days import Counting, local
from simulator.backoffice.deadlines import Deadlines
from simulator.backoffice.desk import TerminalDesk
from simulator.backoffice.ecards import Ecards
from simulator.backoffice.errors import StartupError
from simulator.backoffice.figures import Figures, load_figures
from simulator.backoffice.hsm_desk import HsmDesk
from simulator.backoffice.ledger import Ledger
from simulator.backoffice.life_desk import LifeDesk
from simulator.backoffice.list_desk import ListDesk
from simulator.backoffice.list_keys import ListKeys
from simulator.backoffice.money_desk import MoneyDesk
from simulator.backoffice.national.desk import NationalDesk
from simulator.backoffice.neighbours import Neighbours
from simulator.backoffice.operations import Operations
from simulator.backoffice.overdue import Overdue
from simulator.backoffice.proofs import Proofs
from simulator.backoffice.publisher import ListPolicy, Publisher
from simulator.backoffice.register import Register
from simulator.backoffice.staff import StaffDesk
from simulator.backoffice.terminals import DevelopmentCode, Terminals
from simulator.backoffice.transit import TransitDesk
from simulator.backoffice.uploads import Uploads
from simulator.backoffice.vault import Vault
from simulator.backoffice.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be set: list policy, how long a trial is good, how loss days are counted.

    `development_code` enrols any number of terminals; leave it out anywhere but in development.
    `tac_module` checks the cryptograms of uploaded debits; without one they are kept unchecked.
    """

    blacklist: ListPolicy = field(default_factory=ListPolicy)
    trial_lifetime: timedelta = timedelta(minutes=15)
    counting: Counting = Counting.CALENDAR_DAYS
    development_code: DevelopmentCode | None = None
    tac_module: TacModule | None = None
    transit_tac_key: bytes = field(default=DEVELOPMENT_TAC_KEY, repr=False)


class BackOffice:
    """One back office over one database. Safe to share between threads; close it at the end."""

    def __init__(
        self,
        engine: Engine,
        *,
        now: Callable[[], datetime],
        random: Callable[[int], bytes],
        sealing_key: bytes,
        figures: Figures | None = None,
        rules: Rules | None = None,
        authority: Authority | None = None,
    ) -> None:
        """Compose over an engine of `database.open_engine`.

        `now` gives timezone-aware instants, `random(n)` n unpredictable bytes, `sealing_key` is 32
        bytes that are not in the database; the keys that sign the blacklist lie there, sealed. With
        `authority` terminals get certificates and have to show them. Raises `StartupError`.
        """
        rules = rules or Rules()
        self.figures = figures or load_figures()
        self.database = Database(engine)
        vault = Vault(sealing_key, random)
        keys = ListKeys(rules.blacklist.issuer, vault, random)
        try:
            with self.database.transaction() as session:
                keys.ring(session)
        except StartupError:
            self.database.close()
            raise
        bell, deadlines = Bell(), Bell()
        self._now = now
        self.bills = Bills(vault)
        self.register = Register(vault, rules.counting, deadlines)
        self.publisher = Publisher(rules.blacklist, keys, self.register, vault, bell)
        overdue = Overdue(self.figures.calendar, deadlines)
        applications = Applications(self.register, self.publisher, self.figures, vault, overdue)
        self.deadlines = Deadlines(
            self.database, now=self.now, register=self.register, overdue=overdue, bell=deadlines
        )
        ecards = Ecards(vault, random)
        terminals = Terminals(vault, self.publisher, random, rules.development_code, authority)
        self.hsm = HsmDesk(self.database)
        self.mutual_tls = authority is not None
        self.staff = StaffDesk(
            self.database,
            now=self.now,
            register=self.register,
            publisher=self.publisher,
            terminals=terminals,
            calendar=self.figures.calendar,
            applications=applications,
            vault=vault,
        )
        self.clerks = Clerks(
            self.database,
            now=self.now,
            register=self.register,
            applications=applications,
            ecards=ecards,
        )
        self.life = LifeDesk(
            self.database,
            now=self.now,
            register=self.register,
            publisher=self.publisher,
            applications=applications,
            ecards=ecards,
            proofs=Proofs(self.register, applications, ecards, vault),
            wishes=Wishes(self.database, vault, self.now),
        )
        if rules.development_code is not None:
            code = rules.development_code
            self.staff.add_institution(code.institution, code.institution_name, code.tier)
        operations = Operations(self.database, vault, self.now)
        ledger = Ledger(self.bills, self.figures, vault, rules.trial_lifetime)
        self.desk = TerminalDesk(
            self.database,
            now=self.now,
            register=self.register,
            terminals=terminals,
            operations=operations,
            bills=self.bills,
            ledger=ledger,
            figures=self.figures,
        )
        self.money = MoneyDesk(
            self.database,
            now=self.now,
            register=self.register,
            operations=operations,
            ledger=ledger,
            uploads=Uploads(vault, rules.tac_module),
        )
        self.transit = TransitDesk(self.database, vault, self.now, rules.transit_tac_key)
        self.national = NationalDesk(
            self.database,
            now=self.now,
            register=self.register,
            operations=operations,
            bills=self.bills,
            ledger=ledger,
            figures=self.figures,
            vault=vault,
            random=random,
        )
        self.lists = ListDesk(
            self.database,
            now=self.now,
            publisher=self.publisher,
            terminals=terminals,
            vault=vault,
            bell=bell,
        )

    @property
    def public_key(self) -> PublicKey:
        """The key that signs the blacklist now."""
        with self.database.transaction() as session:
            return self.publisher.keys.ring(session).trusted[-1]

    def now(self) -> datetime:
        """The present instant, in Shanghai time."""
        return local(self._now())

    def neighbours(self) -> Neighbours:
        """A context in which versions that other processes publish are heard of too."""
        return Neighbours(self.database.engine, self.lists.bell)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def __enter__(self) -> BackOffice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
