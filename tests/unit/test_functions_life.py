"""The functions about the life of a card, played by holders on the real parts in this process."""

from __future__ import annotations

import random

import pytest

from backend_client.errors import NoReply
from backend_client.errors import Refused as RefusedByCentre
from backend_client.life_messages import SignInRequest
from simulator.backoffice.application import Department
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile, replacement
from simulator.city import card_ref
from simulator.network import Fault
from simulator.scene import Scene
from terminal.drivers.scripted import Scripted, ScriptedDriver
from terminal.flow import drive
from terminal.functions import ERRANDS, FUNCTIONS
from terminal.outcome import Cancelled, Done, Failed, Outcome, Refused, Stopped
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.screens import (
    AskIdentity,
    AskPin,
    AskScan,
    Confirm,
    Details,
    Identity,
    Screen,
    ShowQr,
)

ADULT = load_profile("adult-3.0")
REF = card_ref(ADULT)
PIN = "246810"
ECARD_PIN = "135790"
ME = Identity(ADULT.holder.name, ADULT.holder.ssn)


class Holder:
    """Somebody with a card and an electronic one, at a terminal."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.chip = SimulatedCard(ADULT, random=random.Random(9).randbytes)
        self.screens: list[Screen] = []

    def serve(self, function: Function, *answers: Scripted) -> Outcome:
        return self.scene.serve(self.chip, function, *answers)

    def errand(self, name: str, *answers: Scripted) -> Outcome:
        driver = ScriptedDriver(answers)
        self.screens = driver.screens
        return drive(ERRANDS[name].flow(self.scene.terminal.errand("test")), driver)

    def gets_ecard(self) -> None:
        done(self.serve(Function.ECARD, PIN, "issue", True, ECARD_PIN, ECARD_PIN))

    def code(self) -> str:
        """What the holder's telephone shows."""
        return self.scene.office.ecard_code(REF)

    def state(self) -> str:
        return self.scene.terminal.client.card_status(REF).state


def done(outcome: Outcome) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


@pytest.fixture
def holder(scene: Scene) -> Holder:
    return Holder(scene)


# Loss and release


@pytest.mark.article(18)
def test_a_temporary_loss_takes_name_and_number_and_nothing_else(holder: Holder) -> None:
    outcome = done(holder.errand("loss", "temporary", ME, True))
    assert "2026年3月21日24时" in outcome.text.zh
    assert "24:00 on 21 March 2026" in outcome.text.en
    assert holder.state() == "temporarily_lost"
    refused = holder.serve(Function.QUERY)
    assert isinstance(refused, Refused)
    assert refused.code == Reason.LISTED_TEMPORARY_LOSS


@pytest.mark.article(18)
def test_a_wrong_name_may_be_corrected_and_a_number_has_its_form(holder: Holder) -> None:
    outcome = holder.errand(
        "loss",
        "temporary",
        Identity(ME.name, "123"),
        Identity("李四", ME.ssn),
        True,
        Identity(f" {ME.name} ", ME.ssn.lower()),
        True,
    )
    done(outcome)
    notes = [screen.note for screen in holder.screens if isinstance(screen, AskIdentity)]
    assert notes[0] is None
    assert notes[1] is not None
    assert "18" in notes[1].zh
    assert notes[2] is not None
    assert "不符" in notes[2].zh


@pytest.mark.article(18)
def test_a_loss_is_reported_only_when_it_is_agreed_to(holder: Holder) -> None:
    for answer in (False, Cancelled()):
        outcome = holder.errand("loss", "temporary", ME, answer)
        assert isinstance(outcome, Stopped)
    assert holder.state() == "active"


@pytest.mark.article(18)
@pytest.mark.article(31)
def test_a_formal_loss_takes_the_electronic_card(holder: Holder) -> None:
    holder.gets_ecard()
    outcome = done(holder.errand("loss", "formal", holder.code(), ECARD_PIN, True))
    assert "正式挂失" in outcome.text.zh
    assert holder.state() == "formally_lost"


@pytest.mark.article(19)
@pytest.mark.parametrize("kind", ["temporary", "formal"])
def test_the_card_that_was_found_releases_its_loss(kind: str, holder: Holder) -> None:
    holder.gets_ecard()
    answers: dict[str, tuple[Scripted, ...]] = {
        "temporary": (ME, True),
        "formal": (holder.code(), ECARD_PIN, True),
    }
    done(holder.errand("loss", kind, *answers[kind]))
    refused = holder.serve(Function.QUERY)
    assert isinstance(refused, Refused)
    outcome = done(holder.serve(Function.RELEASE, PIN, True))
    assert "正常" in outcome.text.zh
    done(holder.serve(Function.QUERY, PIN))


@pytest.mark.article(19)
def test_a_loss_is_released_without_the_card_as_well(holder: Holder) -> None:
    holder.gets_ecard()
    done(holder.errand("loss", "temporary", ME, True))
    done(holder.errand("release", holder.code(), ECARD_PIN, True))
    assert holder.state() == "active"


@pytest.mark.article(19)
def test_a_card_that_is_not_lost_is_not_released(holder: Holder) -> None:
    refused = holder.serve(Function.RELEASE)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.article) == (Reason.NOT_LOST, 19)


def test_a_lost_answer_is_asked_for_again_and_the_loss_reported_once(holder: Holder) -> None:
    network = holder.scene.network
    network.fail("/v1/losses", Fault.ANSWER_LOST, Fault.SENT_TWICE)
    done(holder.errand("loss", "temporary", ME, True))
    assert network.paths.count("/v1/losses") == 2
    assert holder.state() == "temporarily_lost"


def test_a_loss_whose_answer_never_comes_may_be_reported_again(holder: Holder) -> None:
    holder.scene.network.fail("/v1/losses", *[Fault.ANSWER_LOST] * 3)
    outcome = holder.errand("loss", "temporary", ME, True)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NoReply)
    again = holder.errand("loss", "temporary", ME, True)
    assert isinstance(again, Refused)
    assert again.code == "CARD_TEMPORARILY_LOST"


# Signing in


@pytest.mark.article(31)
def test_a_wrong_code_and_a_wrong_pin_may_be_tried_again(holder: Holder) -> None:
    holder.gets_ecard()
    outcome = holder.errand(
        "standing",
        "https://example.org",
        "SSCT1:NOTTHATONE",
        ECARD_PIN,
        holder.code(),
        "1234567",
        "000009",
        ECARD_PIN,
    )
    done(outcome)
    scans = [screen.note for screen in holder.screens if isinstance(screen, AskScan)]
    assert [note is not None for note in scans] == [False, True, True]
    pins = [screen.note for screen in holder.screens if isinstance(screen, AskPin)]
    assert "密码不正确" in (pins[-1].zh if pins[-1] else "")


@pytest.mark.article(31)
def test_the_qr_code_signs_in_at_another_terminal_and_only_once(
    holder: Holder, scene: Scene
) -> None:
    holder.gets_ecard()
    shown: list[ShowQr] = []
    with scene.card_in(holder.chip) as session:
        driver = ScriptedDriver((PIN, "show"))
        done(drive(FUNCTIONS[Function.ECARD].flow(scene.terminal.visit(session, "test")), driver))
        shown = [screen for screen in driver.screens if isinstance(screen, ShowQr)]
    assert shown[0].valid_until is not None
    assert shown[0].payload not in repr(shown[0])
    client = scene.terminal.client
    assert client.life.sign_in(SignInRequest(shown[0].payload, ECARD_PIN)).name == "张*"
    with pytest.raises(RefusedByCentre):
        client.life.sign_in(SignInRequest(shown[0].payload, ECARD_PIN))


@pytest.mark.article(31)
def test_an_electronic_card_that_is_locked_says_what_to_do(holder: Holder) -> None:
    holder.gets_ecard()
    wrong = ["000009"] * 5
    outcome = holder.errand("standing", holder.code(), *wrong)
    assert isinstance(outcome, Refused)
    assert outcome.code == "ECARD_LOCKED"
    assert "插卡" in outcome.text.zh


@pytest.mark.article(31)
def test_an_easy_pin_is_asked_for_again(holder: Holder) -> None:
    outcome = holder.serve(
        Function.ECARD,
        PIN,
        "issue",
        True,
        "111111",
        "111111",
        ECARD_PIN,
        "135791",
        ECARD_PIN,
        ECARD_PIN,
    )
    done(outcome)
    done(holder.errand("standing", holder.code(), ECARD_PIN))


# Another card


@pytest.mark.article(19)
@pytest.mark.article(23)
@pytest.mark.article(24)
def test_a_lost_card_is_replaced_and_its_progress_told(holder: Holder, scene: Scene) -> None:
    holder.gets_ecard()
    done(holder.errand("loss", "formal", holder.code(), ECARD_PIN, True))
    outcome = done(holder.errand("replacement", holder.code(), ECARD_PIN, "lost", "POINT-1", True))
    confirm = next(screen for screen in holder.screens if isinstance(screen, Confirm))
    said = {row.label.zh: row.value.zh for row in confirm.sections[0].rows}
    assert said["工本费"] == "免费"
    assert said["办理时限"] == "15日内完成"
    assert "失效" in said["原卡"]
    receipt = outcome.receipt
    assert receipt is not None
    on_paper = {line.label.en: line.value for line in receipt.lines}
    assert on_paper["Fee"].zh == "免费"
    assert on_paper["You get it"].en == "Sample community service centre"
    assert on_paper["Address"].zh
    new = replacement(ADULT, issued=scene.clock.now().date())
    scene.office.made(receipt.number, card_ref(new))
    done(holder.errand("standing", holder.code(), ECARD_PIN))
    details = next(screen for screen in holder.screens if isinstance(screen, Details))
    rows = {row.label.zh: row.value.zh for section in details.sections for row in section.rows}
    assert rows["进度"] == "待领取"
    assert rows["社会保障功能"] == "正式挂失"
    scene.office.issued(receipt.number)
    assert holder.state() == "void"


@pytest.mark.article(21)
@pytest.mark.article(24)
def test_a_damaged_card_is_exchanged_with_the_card_in_the_reader(holder: Holder) -> None:
    outcome = done(holder.serve(Function.REPLACEMENT, PIN, "damaged", "mail", True))
    assert outcome.receipt is not None
    assert "邮寄" in {line.value.zh for line in outcome.receipt.lines}
    in_english = [line.value.en for line in outcome.receipt.lines]
    assert all(value.isascii() for value in in_english), in_english
    again = holder.serve(Function.REPLACEMENT, PIN, "damaged", "mail", True)
    assert isinstance(again, Refused)
    assert again.code == "APPLICATION_OPEN"


@pytest.mark.article(10)
@pytest.mark.article(22)
def test_who_is_not_verified_hears_why_at_the_terminal(holder: Holder, scene: Scene) -> None:
    outcome = done(holder.serve(Function.REPLACEMENT, PIN, "name", "POINT-2", True))
    number = outcome.receipt.number if outcome.receipt else ""
    for department in Department:
        why = "户籍登记的姓名没有变更" if department is Department.PUBLIC_SECURITY else ""
        scene.office.verdict(number, department, why)
    holder.gets_ecard()
    done(holder.errand("standing", holder.code(), ECARD_PIN))
    details = next(screen for screen in holder.screens if isinstance(screen, Details))
    rows = {row.label.zh: row.value.zh for section in details.sections for row in section.rows}
    assert rows["进度"] == "核验不通过"
    assert rows["公安部门"] == "户籍登记的姓名没有变更"


@pytest.mark.article(14)
@pytest.mark.article(22)
def test_another_bank_is_chosen_from_the_catalogue(holder: Holder) -> None:
    done(holder.serve(Function.REPLACEMENT, PIN, "bank", "SAMPLE-BANK-2", "mail", True))


@pytest.mark.article(30)
def test_the_back_office_decides_whether_a_cause_fits_the_card(holder: Holder) -> None:
    outcome = holder.serve(Function.REPLACEMENT, PIN, "stopped", "mail", True)
    assert isinstance(outcome, Refused)
    assert outcome.code == "NOT_STOPPED"


# Information


@pytest.mark.article(14)
@pytest.mark.article(20)
def test_the_bank_function_shows_the_bank_and_how_to_open_it(holder: Holder, scene: Scene) -> None:
    scene.office.bank_reports(REF, "report_loss", "SAMPLE-BANK-1")
    with scene.card_in(holder.chip) as session:
        driver = ScriptedDriver((PIN,))
        done(drive(FUNCTIONS[Function.BANK].flow(scene.terminal.visit(session, "test")), driver))
    details = next(screen for screen in driver.screens if isinstance(screen, Details))
    titles = [section.title.zh for section in details.sections]
    assert {"本卡", "示例第一银行", "示例第二银行"} <= set(titles)
    mine = {row.label.zh: row.value.zh for row in details.sections[0].rows}
    assert mine == {"服务银行": "示例第一银行", "金融功能": "已在银行挂失"}
    assert holder.state() == "active"


@pytest.mark.article(15)
def test_the_catalogue_is_shown_offline_as_it_was_last_heard(holder: Holder, scene: Scene) -> None:
    scene.network.connected = False
    refused = holder.errand("catalogue")
    assert isinstance(refused, Refused)
    assert refused.code == "CATALOGUE_MISSING"
    scene.network.connected = True
    done(holder.errand("catalogue", "replacement", "release", "leave"))
    details = [screen for screen in holder.screens if isinstance(screen, Details)]
    rows = {row.label.zh: row.value.zh for row in details[0].sections[0].rows}
    assert "15日" in rows["时限"]
    assert rows["条件"]
    assert rows["流程"]
    scene.network.connected = False
    done(holder.errand("catalogue", "replacement", "leave"))
    done(holder.serve(Function.CATALOGUE, "activation", "leave"))


def test_without_a_network_a_loss_ends_with_a_sentence_and_nothing_changes(
    holder: Holder, scene: Scene
) -> None:
    scene.network.connected = False
    outcome = holder.errand("loss", "temporary", ME, True)
    assert isinstance(outcome, Failed)
    scene.network.connected = True
    assert holder.state() == "active"


@pytest.mark.article(25)
@pytest.mark.article(27)
def test_an_errand_is_in_the_audit_trail_and_names_nobody(holder: Holder, scene: Scene) -> None:
    holder.errand("loss", "temporary", ME, True)
    entry = scene.terminal.audit.latest(1)[0]
    assert (entry.face, entry.function, entry.outcome) == ("test", "loss", "admitted")


@pytest.mark.article(25)
def test_nothing_of_who_somebody_is_reaches_the_log(
    holder: Holder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    holder.gets_ecard()
    code = holder.code()
    holder.errand("loss", "temporary", Identity("李四", ME.ssn), True, ME, True)
    holder.errand("standing", code, ECARD_PIN)
    for secret in (ME.ssn, ME.name, "李四", code, ECARD_PIN, REF.card_id, REF.card_number):
        assert secret not in caplog.text
