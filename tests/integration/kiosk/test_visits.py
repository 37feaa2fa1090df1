"""Whole visits through real Chromium: every state of the kiosk, and what ends it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import expect

from simulator.clock import SimulatedClock
from simulator.kiosk import Fittings, embedded_kiosk
from simulator.kiosk_panel import PanelRefused
from simulator.network import Fault
from terminal.store.journal import State

from .conftest import Stand
from .hall import PORTRAIT, Hall

pytestmark = pytest.mark.integration
PIN = "246810"


@pytest.mark.article(5)
@pytest.mark.article(13)
def test_a_bill_is_settled_from_the_card_to_taking_the_card(hall: Hall) -> None:
    hall.at("attract")
    hall.insert()
    hall.at("menu")
    hall.press("item-settlement")
    hall.enter_slowly(PIN)
    hall.at("choose")
    hall.press("option-1")
    hall.at("confirm")
    assert "¥ 250.20" in hall.text()
    hall.press("yes")
    hall.at("receipt")
    expect(hall.page.locator(".copy svg")).to_be_visible()
    operations = hall.kiosk.scene.terminal.journal.counts()
    assert operations[State.CONFIRMED] == 1
    hall.press("next")
    hall.at("menu")
    hall.press("cancel")
    hall.title("请取回您的卡")
    hall.remove()
    hall.at("attract")


@pytest.mark.article(16)
def test_query_in_english_and_large_type_on_a_portrait_screen(hall: Hall, stand: Stand) -> None:
    with stand(hall.kiosk.running.page_url, PORTRAIT) as page:
        here = Hall(hall.kiosk, hall.clock, page)
        here.press("tool-language")
        here.title("insert or place")
        here.press("tool-large")
        expect(page.locator("html")).to_have_class("large")
        here.insert()
        here.at("menu")
        here.press("item-query")
        here.enter_slowly(PIN)
        here.at("details")
        here.title("My social security card")
        assert "Social security number" in here.text()
        assert "张三" not in here.text()
        here.press("reveal")
        expect(page.locator("main")).to_contain_text("张三")
        here.press("next")
        here.at("menu")
        here.remove()
        here.at("attract")
        here.title("请插入")
        expect(page.locator("html")).not_to_have_class("large")
    expect(hall.page.locator("#lost")).to_be_visible()


def test_of_two_pages_the_one_that_is_touched_shows_the_kiosk(hall: Hall, stand: Stand) -> None:
    with stand(hall.kiosk.running.page_url) as page:
        there = Hall(hall.kiosk, hall.clock, page)
        there.at("attract")
        expect(hall.page.locator("#lost")).to_be_visible()
        hall.page.mouse.click(10, 10)
        hall.at("attract")
        expect(hall.page.locator("#lost")).to_be_hidden()
        expect(page.locator("#lost")).to_be_visible()


def test_the_last_try_is_announced_and_a_blocked_pin_ends_the_function(hall: Hall) -> None:
    hall.insert()
    hall.press("item-query")
    hall.enter("000000")
    expect(hall.page.locator(".note")).to_contain_text("还可再试2次")
    hall.enter("000000")
    expect(hall.page.locator(".note")).to_contain_text("再错将锁定密码")
    hall.enter("000000")
    hall.at("message")
    assert "CARD_PIN_BLOCKED" in hall.text()


@pytest.mark.article(18)
def test_a_lost_card_is_refused_with_the_reason_and_what_to_do(hall: Hall) -> None:
    hall.kiosk.panel.lose("adult-3.0", "temporary")
    hall.insert()
    hall.at("message")
    hall.title("已临时挂失")
    assert "第18条" in hall.text()
    assert "解除挂失" in hall.text()
    hall.press("next")
    hall.at("menu")
    assert set(hall.menu()) == {"standing", "release", "catalogue"}
    hall.press("cancel")
    hall.title("请取回您的卡")
    hall.remove()
    hall.at("attract")


@pytest.mark.article(19)
def test_the_holder_releases_the_loss_of_a_card_that_was_found(hall: Hall) -> None:
    hall.kiosk.panel.lose("adult-3.0", "formal")
    hall.insert()
    hall.title("已正式挂失")
    hall.press("next")
    hall.press_item("release")
    hall.enter("246810")
    hall.at("confirm")
    hall.press("yes")
    hall.title("挂失已解除")
    hall.press("next")
    hall.press_item("query")
    hall.remove()


@pytest.mark.article(15)
@pytest.mark.article(18)
def test_who_has_no_card_reports_a_loss_and_looks_up_services(hall: Hall) -> None:
    hall.at("attract")
    hall.press("without-card")
    hall.at("choose")
    hall.title("没有带卡")
    hall.press("option-5")
    hall.title("服务指南")
    hall.press("option-4")
    hall.at("details")
    assert "临时挂失" in hall.text()
    hall.press("next")
    hall.press("cancel")
    hall.at("attract")
    hall.press("without-card")
    hall.press("option-1")
    hall.title("卡片遗失")
    hall.insert()  # a card that comes meanwhile waits its turn
    hall.press("cancel")
    hall.at("menu")


def test_nothing_moves_under_the_finger_that_scrolls_a_list(hall: Hall) -> None:
    hall.press("without-card")
    hall.press("option-5")
    hall.title("服务指南")
    scroller, below = hall.page.locator(".scroll"), hall.page.locator("#below")
    expect(below).to_be_visible()
    before = scroller.bounding_box()
    scroller.evaluate("one => one.scrollTo(0, one.scrollHeight)")
    expect(below).to_be_hidden()
    assert scroller.bounding_box() == before


@pytest.mark.article(26)
def test_a_forged_card_is_refused(hall: Hall) -> None:
    hall.insert("forged")
    hall.title("没有通过真伪校验")


@pytest.mark.article(12)
def test_a_new_card_is_activated_and_may_then_do_more(hall: Hall) -> None:
    hall.insert("not-active")
    hall.at("menu")
    expect(hall.page.locator("#item-settlement")).to_have_count(0)
    hall.press("why")
    hall.at("details")
    assert "还没有开通" in hall.text()
    hall.press("next")
    hall.press("item-activation")
    hall.press("yes")
    hall.enter("123456")
    hall.title("请输入新密码")
    hall.enter("864209")
    hall.title("请再次输入新密码")
    hall.enter("864209")
    hall.title("已开通")
    hall.press("next")
    hall.at("menu")
    expect(hall.page.locator("#item-settlement")).to_be_visible()


def test_one_touch_stops_the_countdown_and_nobody_there_ends_the_visit(hall: Hall) -> None:
    hall.insert()
    hall.at("menu")
    hall.wait(60)
    expect(hall.page.locator("#warning-seconds")).to_have_text("30")
    hall.wait(10)
    expect(hall.page.locator("#warning-seconds")).to_have_text("20")
    hall.press("warning-stay")
    expect(hall.page.locator("#warning")).to_be_hidden()
    hall.wait(59)
    hall.at("menu")
    hall.wait(31)
    hall.title("请取回您的卡")
    assert hall.kiosk.running.kiosk.alarms == 0
    hall.wait(10)
    hall.title("您的卡还在机器里")
    hall.wait(30)
    expect(hall.page.locator("main")).to_contain_text("请工作人员处理")
    assert hall.kiosk.running.kiosk.alarms == 1
    hall.remove()
    hall.at("attract")


def test_a_card_that_is_pulled_in_the_middle_changes_nothing_and_says_so(hall: Hall) -> None:
    hall.insert()
    hall.press("item-settlement")
    hall.enter(PIN)
    hall.at("choose")
    hall.remove()
    hall.title("卡片已被取出")
    assert hall.kiosk.scene.terminal.journal.counts()[State.CONFIRMED] == 0
    hall.insert()
    hall.at("menu")


def test_a_card_that_is_taken_while_it_is_read_needs_no_words(hall: Hall) -> None:
    hall.insert()
    hall.press("item-read")
    hall.at("details")
    hall.remove()
    hall.at("attract")


def test_without_a_network_the_menu_says_what_is_left_and_later_all_is_back(hall: Hall) -> None:
    hall.insert()
    hall.at("menu")
    hall.remove()
    hall.at("attract")
    hall.kiosk.panel.network(connected=False)
    hall.insert()
    hall.at("menu")
    expect(hall.page.locator("#item-settlement")).to_have_count(0)
    expect(hall.page.locator("#item-query")).to_be_visible()
    hall.remove()
    hall.at("attract")
    hall.kiosk.panel.network(connected=True)
    hall.wait(31)
    hall.insert()
    hall.at("menu")
    expect(hall.page.locator("#item-settlement")).to_be_visible()


def test_a_lost_answer_gives_a_slip_and_the_receipt_comes_when_the_card_is_back(
    hall: Hall,
) -> None:
    network = hall.kiosk.scene.network
    hall.insert()
    hall.press("item-settlement")
    hall.enter(PIN)
    hall.press("option-1")
    hall.at("confirm")
    hall.kiosk.panel.lose_answer("/v1/settlements")
    for path in ("/v1/operations/query", "/v1/operations/reverse"):
        network.fail(path, *[Fault.REFUSED_CONNECTION] * 3)
    hall.press("yes")
    hall.at("receipt")
    assert "请勿重复付款" in hall.text()
    hall.remove()
    hall.at("attract")
    network.heal()
    hall.kiosk.scene.terminal.resolve_unknown()
    hall.insert()
    hall.press("item-settlement")
    hall.enter(PIN)
    hall.title("上一笔结算已完成")


def test_a_receipt_that_was_seen_is_not_shown_again(hall: Hall) -> None:
    hall.insert()
    hall.press_item("settlement")
    hall.enter(PIN)
    hall.press("option-1")
    hall.at("confirm")
    hall.press("yes")
    hall.at("receipt")
    hall.press("next")
    hall.press_item("cancel")
    hall.at("choose")


def test_a_press_on_a_screen_that_has_gone_does_not_count(hall: Hall) -> None:
    hall.insert()
    hall.at("menu")
    stale = hall.kiosk.running.stage.page.revision
    hall.press("item-settlement")
    hall.at("ask_pin")
    status = hall.page.evaluate(
        """revision => fetch("/press", {method: "POST", body: JSON.stringify(
            {revision, press: "cancel", value: null})}).then(answer => answer.status)""",
        stale,
    )
    assert status == 204
    hall.enter(PIN)
    hall.at("choose")


def test_a_list_that_is_too_old_is_told_before_a_card_comes(hall: Hall) -> None:
    hall.kiosk.panel.network(connected=False)
    hall.wait(2 * 24 * 3600)
    expect(hall.page.locator("main")).to_contain_text("挂失名单未及时更新")


def test_keyboard_alone_does_a_visit(hall: Hall) -> None:
    hall.insert()
    hall.at("menu")
    hall.page.locator("#item-query").focus()
    hall.page.keyboard.press("Enter")
    hall.at("ask_pin")
    for typed, digit in enumerate(PIN, 1):
        hall.page.keyboard.press(digit)
        expect(hall.page.locator("#dots")).to_have_text("●" * typed)
    hall.page.keyboard.press("Enter")
    hall.at("details")
    hall.page.keyboard.press("Tab")
    hall.page.locator("#next").press("Enter")
    hall.at("menu")
    hall.page.keyboard.press("Escape")
    hall.title("请取回您的卡")


def test_a_pin_is_typed_on_the_encrypting_pad(
    tmp_path: Path, clock: SimulatedClock, stand: Stand
) -> None:
    random = Random(7).randbytes
    with (
        embedded_kiosk(
            tmp_path, clock=clock, random=random, fittings=Fittings(with_pad=True)
        ) as kiosk,
        stand(kiosk.running.page_url) as page,
    ):
        assert kiosk.pad is not None
        hall = Hall(kiosk, clock, page)
        with pytest.raises(PanelRefused):
            kiosk.panel.key("1")  # nobody is asked for a PIN
        hall.insert()
        hall.press_item("query")
        hall.at("ask_pin")
        expect(page.locator("#key-1")).to_have_count(0)
        expect(page.locator("#count")).to_be_hidden()  # this pad tells nothing before Enter
        kiosk.pad.press(PIN[0])  # waits until the pad takes keys
        for digit in PIN[1:]:
            kiosk.panel.key(digit)
        kiosk.panel.key("enter")
        hall.at("details")


def test_an_amount_is_entered_on_the_screen_and_asked_for_again_when_it_is_none(
    hall: Hall,
) -> None:
    hall.insert()
    hall.at("menu")
    hall.remove()
    hall.at("attract")
    hall.kiosk.panel.network(connected=False)
    hall.insert()
    hall.press_item("provisional")
    hall.enter(PIN)
    hall.at("ask_amount")
    for key in ("point", "5"):
        hall.press(f"type-{key}")
    hall.press("enter-amount")
    hall.goes_on()
    expect(hall.page.locator(".note")).to_contain_text("12.50")
    for key in ("1", "2", "point", "5", "7", "erase"):
        hall.press(f"type-{key}")
    expect(hall.page.locator("#amount")).to_have_value("12.5")
    hall.press("enter-amount")
    hall.at("confirm")
    assert "¥ 12.50" in hall.text()
    hall.press("yes")
    hall.at("receipt")
    (registered,) = hall.kiosk.scene.terminal.journal.every()
    assert registered.payload["paid_fen"] == 1_250


def test_whatever_is_put_into_the_fields_is_refused_in_words_and_shown_nowhere(hall: Hall) -> None:
    hall.press("without-card")
    hall.press("option-1")
    hall.press("option-1")
    hall.at("ask_identity")
    for name, ssn in (("张" * 400, "1" * 400), ("<img src=x>", "' or 1=1 --"), ("", "\u202e")):
        hall.page.evaluate(
            """([name, ssn]) => {
                for (const [id, value] of [["name", name], ["ssn", ssn]]) {
                    const field = document.getElementById(id);
                    field.removeAttribute("maxlength");
                    field.value = value;
                }
                document.querySelector("[data-send]").click();
            }""",
            [name, ssn],
        )
        hall.note("18位", "18 characters")
        assert "<img" not in hall.text()
        assert "or 1=1" not in hall.text()


@pytest.mark.article(13)
def test_double_taps_and_a_reload_while_money_moves_settle_once(hall: Hall) -> None:
    hall.insert()
    hall.at("menu")
    hall.page.locator("#item-settlement").dblclick()
    hall.enter(PIN)
    hall.page.locator("#option-1").dblclick()
    hall.at("confirm")
    hall.page.evaluate("for (const id of ['yes', 'yes', 'no']) document.getElementById(id).click()")
    hall.page.reload()
    hall.at("receipt")
    hall.press("next")
    hall.at("menu")
    counts = hall.kiosk.scene.terminal.journal.counts()
    assert (counts[State.CONFIRMED], sum(counts.values())) == (1, 1)
