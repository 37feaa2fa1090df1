"""Every function from the menu to its end in real Chromium, the back office being another process.

Each path asks the back office afterwards whether the thing has happened. Both languages, both
orientations, large type and high contrast.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from secrets import token_hex

import pytest
from playwright.sync_api import Browser

from backend_client.client import BackendClient
from backend_client.life_messages import Proof, Standing, StandingQuery
from backend_client.messages import CardRef
from backend_client.transport import HttpTransport
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import scene_over
from simulator.kiosk import BEGINS, EmbeddedKiosk, kiosk_on
from simulator.office import Office
from terminal.functions import ERRANDS, FUNCTIONS
from terminal.policy import Function
from terminal.receipt import yuan
from terminal.store.journal import State

from .hall import LANDSCAPE, PORTRAIT, Hall, standing
from .processes import back_office

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("kiosk-functions"),
]

ECARD_PIN, NEW_PIN, OTHER_PIN = "280314", "864213", "975318"


class SharedClock(SimulatedClock):
    """The terminal's clock; the back office's, in its own process, is moved along."""

    office: Office | None = None

    def advance(self, duration: timedelta) -> None:
        super().advance(duration)
        if self.office is not None:
            self.office.wait_until(self.now())


@dataclass
class Town:
    """A kiosk, who stands before it, and the back office of another process."""

    hall: Hall
    kiosk: EmbeddedKiosk
    office: Office

    @property
    def client(self) -> BackendClient:
        """Asks the back office, whatever became of the kiosk's network."""
        return self.kiosk.scene.terminal.client

    def standing(self, profile: str) -> Standing:
        return self.client.life.standing(StandingQuery(Proof(card=ref(profile))))

    def scans(self, profile: str) -> None:
        """The holder shows the code of the electronic card, and gives its PIN."""
        self.hall.at("ask_scan")
        self.hall.page.locator("#scan").fill(self.office.ecard_code(ref(profile)))
        self.hall.press("enter-scan")
        self.hall.enter(ECARD_PIN)

    def goes_on(self, kind: str, button: str = "next") -> None:
        """Wait for a screen of this kind, and leave it."""
        self.hall.at(kind)
        self.hall.press(button)
        self.hall.goes_on()

    def signs_in(self, function: Function, profile: str, pin: str | None = None) -> None:
        """Put the card in, choose from the menu, and give the PIN where it is asked for."""
        self.hall.insert(profile)
        self.hall.press_item(function)
        if pin is not None:
            self.hall.enter(pin)

    def leaves(self) -> None:
        """Take the card, from whatever stands."""
        self.hall.back_to_menu()
        self.goes_on("menu", "cancel")
        self.hall.remove()
        self.hall.at("attract")

    def chooses(self, number: int) -> None:
        self.goes_on("choose", f"option-{number}")

    def enters(self, amount: str) -> None:
        """Type an amount on the screen's pad."""
        self.hall.at("ask_amount")
        for key in amount:
            self.hall.press(f"type-{'point' if key == '.' else key}")
        self.goes_on("ask_amount", "enter-amount")

    def agrees(self) -> None:
        self.goes_on("confirm", "yes")

    def types(self, pin: str) -> None:
        """Enter a PIN, and wait until something else is asked."""
        self.hall.enter(pin)
        self.hall.goes_on()

    def errand(self, key: str) -> None:
        """Choose without a card."""
        self.hall.at("attract")
        self.goes_on("attract", "without-card")
        self.hall.at("choose")
        self.hall.press(f"option-{list(ERRANDS).index(key) + 1}")


def ref(profile: str) -> CardRef:
    return card_ref(load_profile(profile))


def pin_of(profile: str) -> str:
    pin = load_profile(profile).pin
    assert pin is not None
    return pin.value


@pytest.fixture(
    scope="module",
    params=[
        (LANDSCAPE, ()),
        (PORTRAIT, ("language", "contrast")),
    ],
    ids=["landscape-zh", "portrait-en-contrast"],
)
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("town")
    size, likes = request.param
    clock, random = SharedClock(BEGINS), Random(token_hex(8)).randbytes
    with back_office(directory / "office", "--clock", BEGINS.isoformat()) as url:
        transport = HttpTransport(url, monotonic=time.monotonic)
        token = (directory / "office" / "admin-token").read_text("ascii").strip()
        office = Office(transport, token)
        with (
            scene_over(transport, office, directory, clock=clock, random=random) as scene,
            kiosk_on(scene, clock=clock, random=random) as kiosk,
            standing(browser, kiosk.running.page_url, size) as page,
        ):
            clock.office = office
            hall = Hall(kiosk, clock, page)
            hall.usually(*likes)
            yield Town(hall, kiosk, office)
        transport.close()


def reads_the_card(town: Town) -> None:
    town.signs_in(Function.READ, "adult-3.0")
    town.hall.at("details")
    town.hall.press("reveal")
    town.hall.shows("张三")
    town.leaves()


def asks_for_the_account(town: Town) -> None:
    town.signs_in(Function.QUERY, "adult-3.0", pin_of("adult-3.0"))
    town.hall.at("details")
    town.hall.shows(yuan(town.client.account(ref("adult-3.0")).current_account_fen))
    town.leaves()


def settles_a_bill_and_takes_it_back(town: Town) -> None:
    card, pin = ref("adult-3.0"), pin_of("adult-3.0")
    before, bills = town.client.account(card), town.client.bills(card).bills
    town.signs_in(Function.SETTLEMENT, "adult-3.0", pin)
    town.chooses(1)
    town.agrees()
    town.goes_on("receipt")
    assert len(town.client.bills(card).bills) == len(bills) - 1
    assert town.client.account(card) != before
    town.hall.press_item(Function.RECORDS)
    town.hall.at("details")
    town.hall.shows("250.20")
    town.hall.back_to_menu()
    town.hall.press_item(Function.CANCELLATION)
    town.chooses(1)
    town.agrees()
    town.goes_on("receipt")
    assert town.client.bills(card).bills == bills
    assert town.client.account(card) == before
    town.leaves()


def pays_a_contribution(town: Town) -> None:
    card = ref("adult-3.0")
    bills = town.client.money.contribution_bills(card).bills
    town.signs_in(Function.CONTRIBUTION, "adult-3.0", pin_of("adult-3.0"))
    town.chooses(1)
    town.agrees()
    town.goes_on("receipt")
    assert town.client.money.contribution_bills(card).bills == bills[1:]
    town.leaves()


def confirms_a_benefit(town: Town) -> None:
    town.signs_in(Function.BENEFITS, "adult-3.0", pin_of("adult-3.0"))
    town.goes_on("details")
    town.chooses(1)
    town.agrees()
    town.goes_on("receipt")
    confirmed = [one.confirmed_at for one in town.client.money.benefits(ref("adult-3.0")).benefits]
    assert any(confirmed)
    town.leaves()


def registers_a_visit_while_the_centre_is_away(town: Town) -> None:
    town.kiosk.panel.network(connected=False)
    town.signs_in(Function.PROVISIONAL, "adult-3.0", pin_of("adult-3.0"))
    town.enters("30")
    town.agrees()
    town.goes_on("receipt")
    town.leaves()
    town.kiosk.panel.network(connected=True)
    uploaded = town.kiosk.scene.terminal.upload()
    assert (uploaded.taken, uploaded.waiting) == (1, 0)
    (registered,) = town.client.bills(ref("adult-3.0")).provisional
    assert registered.paid_fen == 3_000


def pays_from_the_card(town: Town) -> None:
    profile = load_profile("adult-3.0")
    permitted = {**profile.files, "DF04EF06": {"90": "1", "92": 0, "93": 0}}
    town.kiosk.scene.slot.insert(SimulatedCard(replace(profile, files=permitted), random=bytes))
    town.hall.press_item(Function.DEBIT)
    town.hall.enter(pin_of("adult-3.0"))
    town.enters("12.5")
    town.agrees()
    town.goes_on("receipt")
    town.leaves()
    town.kiosk.scene.terminal.upload()
    (debit,) = town.client.money.records(ref("adult-3.0")).debits
    assert debit.account_fen == 1_250


def activates_and_changes_the_pin(town: Town) -> None:
    card = ref("not-active")
    assert not town.client.card_status(card).social_active
    town.signs_in(Function.ACTIVATION, "not-active")
    town.agrees()
    for entered in (pin_of("not-active"), NEW_PIN, NEW_PIN):
        town.types(entered)
    town.goes_on("message")
    assert town.client.card_status(card).social_active
    town.leaves()
    town.signs_in(Function.PIN_CHANGE, "not-active")
    for entered in (NEW_PIN, OTHER_PIN, OTHER_PIN):
        town.types(entered)
    town.goes_on("message")
    town.leaves()
    town.signs_in(Function.QUERY, "not-active", OTHER_PIN)
    town.hall.at("details")
    town.leaves()


def gets_an_electronic_card(town: Town) -> None:
    assert not town.standing("adult-3.0").has_ecard
    town.signs_in(Function.ECARD, "adult-3.0", pin_of("adult-3.0"))
    town.chooses(2)
    town.agrees()
    town.types(ECARD_PIN)
    town.types(ECARD_PIN)
    town.goes_on("message")
    assert town.standing("adult-3.0").has_ecard
    town.hall.press_item(Function.ECARD)
    town.chooses(1)
    town.goes_on("show_qr")
    town.leaves()


def looks_at_bank_catalogue_and_purse(town: Town) -> None:
    town.signs_in(Function.BANK, "contactless-3.0", pin_of("contactless-3.0"))
    town.hall.at("details")
    town.hall.shows(town.standing("contactless-3.0").bank)
    town.hall.back_to_menu()
    town.hall.press_item(Function.CATALOGUE)
    town.chooses(1)
    town.goes_on("details")
    town.hall.back_to_menu()
    town.hall.press_item(Function.TRANSIT)
    town.hall.at("details")
    town.leaves()


def applies_for_another_card(town: Town) -> None:
    town.signs_in(Function.REPLACEMENT, "contactless-3.0", pin_of("contactless-3.0"))
    town.chooses(1)
    town.chooses(1)
    town.agrees()
    town.goes_on("receipt")
    (made,) = town.standing("contactless-3.0").applications
    town.hall.press_item(Function.STANDING)
    town.hall.at("details")
    town.hall.shows(made.application_id)
    town.leaves()


def reports_a_temporary_loss_and_releases_it_with_the_card(town: Town) -> None:
    holder, card = load_profile("adult-2.0").holder, ref("adult-2.0")
    town.errand("loss")
    town.chooses(1)
    town.hall.at("ask_identity")
    town.hall.page.locator("#name").fill(holder.name)
    town.hall.page.locator("#ssn").fill(holder.ssn)
    town.hall.press("enter-identity")
    town.agrees()
    town.goes_on("message")
    assert town.client.card_status(card).state == "temporarily_lost"
    town.kiosk.scene.terminal.sync()
    town.hall.at("attract")
    town.hall.insert("adult-2.0")
    town.goes_on("message")
    town.hall.press_item(Function.RELEASE)
    town.hall.enter(pin_of("adult-2.0"))
    town.agrees()
    town.goes_on("message")
    assert town.client.card_status(card).state == "active"
    town.leaves()


def reports_a_formal_loss_and_releases_it_without_the_card(town: Town) -> None:
    card = ref("adult-3.0")
    town.errand("loss")
    town.chooses(2)
    town.scans("adult-3.0")
    town.agrees()
    town.goes_on("message")
    assert town.client.card_status(card).state == "formally_lost"
    town.errand("standing")
    town.scans("adult-3.0")
    town.goes_on("details")
    town.errand("release")
    town.scans("adult-3.0")
    town.agrees()
    town.goes_on("message")
    assert town.client.card_status(card).state == "active"
    town.kiosk.scene.terminal.sync()


def applies_for_a_card_and_looks_up_services_without_one(town: Town) -> None:
    town.errand("replacement")
    town.scans("adult-3.0")
    town.chooses(2)
    town.chooses(1)
    town.agrees()
    town.goes_on("receipt")
    assert len(town.standing("adult-3.0").applications) == 1
    town.errand("catalogue")
    town.chooses(1)
    town.goes_on("details")
    town.hall.press("cancel")
    town.hall.at("attract")


PATHS: dict[Callable[[Town], None], frozenset[str]] = {
    reads_the_card: frozenset({Function.READ}),
    asks_for_the_account: frozenset({Function.QUERY}),
    settles_a_bill_and_takes_it_back: frozenset(
        {Function.SETTLEMENT, Function.RECORDS, Function.CANCELLATION}
    ),
    pays_a_contribution: frozenset({Function.CONTRIBUTION}),
    confirms_a_benefit: frozenset({Function.BENEFITS}),
    pays_from_the_card: frozenset({Function.DEBIT}),
    registers_a_visit_while_the_centre_is_away: frozenset({Function.PROVISIONAL}),
    activates_and_changes_the_pin: frozenset({Function.ACTIVATION, Function.PIN_CHANGE}),
    gets_an_electronic_card: frozenset({Function.ECARD}),
    looks_at_bank_catalogue_and_purse: frozenset(
        {Function.BANK, Function.CATALOGUE, Function.TRANSIT}
    ),
    applies_for_another_card: frozenset({Function.REPLACEMENT, Function.STANDING}),
    reports_a_temporary_loss_and_releases_it_with_the_card: frozenset(
        {"without loss", Function.RELEASE}
    ),
    reports_a_formal_loss_and_releases_it_without_the_card: frozenset(
        {"without loss", "without standing", "without release"}
    ),
    applies_for_a_card_and_looks_up_services_without_one: frozenset(
        {"without replacement", "without catalogue"}
    ),
}
"""Every path, in order, and what of the registry it takes to its end."""


def test_there_is_a_path_for_everything_that_a_holder_can_do() -> None:
    walked = frozenset[str]().union(*PATHS.values())
    assert walked == {*FUNCTIONS, *(f"without {key}" for key in ERRANDS)}


def test_every_function_from_the_menu_to_its_end(town: Town) -> None:
    for path in PATHS:
        path(town)
    counts = town.kiosk.scene.terminal.journal.counts()
    assert counts[State.UNKNOWN] == counts[State.SENT] == counts[State.PREPARED] == 0


def pulls_the_card(town: Town) -> None:
    town.hall.remove()
    town.hall.page.locator("main.message, main.attract").first.wait_for()
    if town.hall.page.locator("main.message").count():
        town.hall.press("next")


def walks_away(town: Town) -> None:
    reads = town.hall.page.locator("main.details").count()
    town.hall.wait(121 if reads else 61)
    town.hall.page.locator("#warning[open]").wait_for()
    town.hall.wait(31)
    town.hall.at("take_card")
    town.hall.remove()


def agrees_while_the_network_is_cut(town: Town) -> None:
    town.kiosk.panel.network(connected=False)
    if town.hall.page.locator("main.confirm").count():
        town.agrees()
        if town.hall.page.locator("#dots").count():
            town.types(ECARD_PIN)
            town.types(ECARD_PIN)
        town.goes_on("message")
    town.kiosk.panel.network(connected=True)
    town.kiosk.scene.terminal.resolve_unknown()
    town.leaves()


@dataclass(frozen=True)
class Middle:
    """How far somebody gets before something happens."""

    function: Function
    stands: str
    choice: int | None = None


MIDDLES = {
    "reads": Middle(Function.QUERY, "details"),
    "changes standing": Middle(Function.ECARD, "confirm", 2),
    "money": Middle(Function.SETTLEMENT, "confirm", 1),
}


@pytest.mark.parametrize(
    "happens",
    [pulls_the_card, walks_away, agrees_while_the_network_is_cut],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("kind", MIDDLES)
def test_what_happens_in_the_middle_leaves_everything_as_it_was(
    town: Town, kind: str, happens: Callable[[Town], None]
) -> None:
    middle, profile = MIDDLES[kind], "contactless-3.0"
    card = ref(profile)

    def known() -> tuple[object, ...]:
        account = town.client.account(card)
        money = account.current_account_fen, account.past_accounts_fen
        return money, town.client.bills(card), town.standing(profile).has_ecard

    before = known()
    town.signs_in(middle.function, profile, pin_of(profile))
    if middle.choice is not None:
        town.chooses(middle.choice)
    town.hall.at(middle.stands)
    happens(town)
    town.hall.at("attract")
    assert known() == before
    assert town.kiosk.scene.terminal.journal.open_operations() == ()
    town.signs_in(Function.QUERY, profile, pin_of(profile))
    town.hall.at("details")
    town.leaves()
