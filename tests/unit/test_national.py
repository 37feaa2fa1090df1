"""The national interface: its envelope and fields, and settling over it, whatever gets lost."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.channels.channel import SettlementChannel
from backend_client.errors import BadMessage, BadRequest, NoAnswer, NoReply, Refused
from backend_client.messages import ConfirmRequest, TrialRequest
from backend_client.money_messages import CancelRequest, DayTotal, StatementLine
from backend_client.national import statement_file
from backend_client.national.amounts import to_fen, to_yuan
from backend_client.national.codes import CODES, ENGLISH, INFCODES
from backend_client.national.envelope import PATH, read_reply
from backend_client.national.fields import amount, day, group, read, several, text, time, write
from backend_client.national.split import split_of
from backend_client.national.transactions import TRANSACTIONS
from backend_client.transport import Reply, Request
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.network import Fault
from simulator.scene import Scene
from simulator.story import BEGINS
from terminal.outcome import Done, Failed, Stopped, Unknown
from terminal.policy import Function
from terminal.store.journal import Evidence, State

ADULT = load_profile("adult-3.0")
CARD = card_ref(ADULT)
PIN, BILL, BILL_FEN = "246810", "B2026031000001", 25020
PATHS = {code: PATH + code for code in TRANSACTIONS}


@pytest.fixture
def scene(tmp_path: Path, stored_database_url: str) -> Iterator[Scene]:
    chance = random.Random(5).randbytes
    national = {"SSCT_SETTLEMENT_CHANNEL": "national"}
    with embedded_scene(
        tmp_path,
        clock=SimulatedClock(BEGINS),
        random=chance,
        environ=national,
        database_url=stored_database_url,
    ) as ready:
        ready.terminal.enrol(DEVELOPMENT_CODE.code)
        assert ready.terminal.sync().error is None
        ready.network.paths.clear()
        yield ready


def chip() -> SimulatedCard:
    return SimulatedCard(ADULT, random=random.Random(9).randbytes)


def settle(scene: Scene, *answers: str | bool | Exception) -> object:
    return scene.serve(chip(), Function.SETTLEMENT, *(answers or (PIN, BILL, True)))


def money(scene: Scene) -> int:
    account = scene.terminal.client.account(CARD)
    return account.current_account_fen + account.past_accounts_fen


def codes(scene: Scene) -> list[str]:
    return [path[-4:] for path in scene.network.paths if path.startswith(PATH)]


def channel(scene: Scene) -> SettlementChannel:
    return scene.terminal.centre.channel


def settled(scene: Scene) -> tuple[ConfirmRequest, dict[str, str], str]:
    """A bill settled over the channel itself: the request, the reference, the settlement's id."""
    number = scene.terminal.journal.reserve(1)[0]
    (bill,) = scene.terminal.client.bills(CARD).bills
    tried = channel(scene).try_out(TrialRequest(number, CARD, BILL, BILL_FEN), bill)
    request = ConfirmRequest(number, CARD, BILL, tried.trial.split)
    made = channel(scene).confirm(request, tried.reference)
    return request, dict(tried.reference), made.settlement_id


# Amounts and fields


@pytest.mark.parametrize(
    ("value", "fen"),
    [("12.34", 1234), ("-0.05", -5), ("7", 700), (7, 700), ("0.1", 10), ("1.500000", 150)],
)
def test_yuan_becomes_fen_exactly(value: object, fen: int) -> None:
    assert to_fen(value) == fen


@pytest.mark.parametrize("value", ["1.005", "1e3", "", "NaN", "１", True, None, 1.5, "1,000.00"])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"amount|fen"):
        to_fen(value)


@given(st.integers(-(10**14), 10**14))
def test_an_amount_comes_back_as_it_went(fen: int) -> None:
    written = to_yuan(fen)
    assert written.partition(".")[2].isdecimal()
    assert len(written.partition(".")[2]) == 2
    assert to_fen(written) == fen


FIELDS = (
    text("name", 5),
    amount("sum"),
    time("at", required=False),
    day("on", required=False),
    several("lines", group("inner", text("code", 2)), required=False),
)


def test_declared_fields_are_read_typed_and_the_rest_is_ignored() -> None:
    document = {
        "name": "张三",
        "sum": "1.20",
        "at": "2026-03-16 09:00:00",
        "on": "2026-03-16",
        "lines": [{"inner": {"code": "a", "own": 1}}],
        "provinces_own": {},
    }
    found = read(FIELDS, document, "test")
    assert found["sum"] == 120
    assert found["at"] == datetime(2026, 3, 16, 1, tzinfo=UTC)
    assert found["on"] == date(2026, 3, 16)
    assert found["lines"] == [{"inner": {"code": "a"}}]
    assert write(FIELDS, found, "test")["at"] == "2026-03-16 09:00:00"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "六个字的名字"}, "/name"),
        ({"name": "a\u202e"}, "/name"),
        ({"name": None}, "/name"),
        ({"sum": "0.001"}, "/sum"),
        ({"at": "2026-02-30 00:00:00"}, "/at"),
        ({"on": 20260316}, "/on"),
        ({"lines": {}}, "/lines"),
        ({"lines": [{"inner": {}}]}, "/lines/0/inner/code"),
    ],
)
def test_a_field_that_breaks_its_declaration_is_named(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read(FIELDS, {"name": "a", "sum": "1", **change}, "test")
    assert caught.value.pointer == pointer


def test_an_undeclared_field_is_not_written() -> None:
    with pytest.raises(BadRequest):
        write(FIELDS, {"name": "a", "sum": 1, "typo": 2}, "test")


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_reply_or_a_bad_message(body: bytes) -> None:
    with contextlib.suppress(BadMessage):
        read_reply(body)


def test_every_refusal_that_a_centre_gives_has_one_infcode() -> None:
    assert len(INFCODES) == len(CODES)
    assert set(CODES.values()) <= {refusal.value for refusal in Refusal}


def test_what_a_holder_must_know_of_a_refusal_is_said_in_english_too(scene: Scene) -> None:
    assert set(ENGLISH) <= set(CODES.values())
    (bill,) = scene.terminal.client.bills(CARD).bills
    assert isinstance(settle(scene), Done)
    with pytest.raises(Refused) as caught:
        channel(scene).try_out(TrialRequest("9" * 30, CARD, BILL, BILL_FEN), bill)
    assert caught.value.problem.code == "BILL_SETTLED"
    assert "Do not pay again" in caught.value.en


# Who pays what

INFO = {
    "psn_no": "P1",
    "medfee_sumamt": 10_000,
    "inscp_scp_amt": 9_000,
    "fund_pay_sumamt": 6_000,
    "hifp_pay": 5_000,
    "hifob_pay": 500,
    "psn_part_amt": 4_000,
    "acct_pay": 1_500,
    "psn_cash_pay": 2_500,
    "hosp_part_amt": 0,
}


def test_a_setlinfo_without_local_values_adds_up() -> None:
    split = split_of(INFO)
    assert split.adds_up()
    assert (split.fund_fen, split.supplementary_fen, split.other_fund_fen) == (5_000, 500, 500)
    assert (split.current_account_fen, split.cash_fen) == (1_500, 2_500)
    assert [band.amount_fen for band in split.bands] == [9_000, 1_000]


def test_what_the_hospital_bears_is_no_burden_of_the_holder() -> None:
    split = split_of({**INFO, "fund_pay_sumamt": 5_900, "hosp_part_amt": 100})
    assert split.adds_up()
    assert split.other_fund_fen == 500


@pytest.mark.parametrize("change", [{"psn_part_amt": 4_001}, {"hifp_pay": 6_000}])
def test_sums_that_contradict_each_other_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(BadMessage):
        split_of({**INFO, **change})


def test_a_total_that_is_not_its_parts_does_not_add_up() -> None:
    assert not split_of({**INFO, "medfee_sumamt": 10_001}).adds_up()


# The flow


@pytest.mark.article(5)
def test_a_bill_is_settled_over_the_national_interface(scene: Scene) -> None:
    before = money(scene)
    outcome = settle(scene)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    assert codes(scene) == ["9001", "1101", "2201", "2203", "2204", "2206", "2207"]
    operation = scene.terminal.journal.find(outcome.receipt.number)
    assert operation is not None
    assert (operation.state, operation.evidence) == (State.CONFIRMED, Evidence.ANSWER)
    assert operation.payload["channel"] == "national"
    assert operation.result is not None
    split = operation.result["split"]
    assert before - money(scene) == split["current_account_fen"] + split["past_accounts_fen"]
    assert sum(band["amount_fen"] for band in split["bands"]) == BILL_FEN


def test_the_envelope_says_who_speaks_and_with_what_medium(scene: Scene) -> None:
    seen: list[Request] = []
    send = scene.network.send

    def listening(request: Request) -> Reply:
        seen.append(request)
        return send(request)

    scene.network.send = listening  # type: ignore[method-assign]
    assert isinstance(settle(scene), Done)
    documents = {r.path[-4:]: json.loads(r.body) for r in seen if r.path.startswith(PATH)}
    settling = documents["2207"]
    assert settling["opter_type"] == "2"
    assert settling["infver"] == "V1.0"
    assert settling["fixmedins_code"] == settling["msgid"][:12]
    assert len({document["msgid"] for document in documents.values()}) == len(documents)
    person = documents["1101"]["input"]["data"]
    assert person["mdtrt_cert_type"] == "03"
    assert (person["mdtrt_cert_no"], person["card_sn"]) == (CARD.card_number, CARD.card_id)
    assert settling["input"]["data"]["medfee_sumamt"] == "250.20"
    assert settling["insuplc_admdvs"] == CARD.card_id[:6]


def test_who_does_not_agree_leaves_no_visit_behind(scene: Scene) -> None:
    before = money(scene)
    assert isinstance(settle(scene, PIN, BILL, False), Stopped)
    assert codes(scene)[-2:] == ["2205", "2202"]
    assert money(scene) == before
    assert isinstance(settle(scene), Done)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
@pytest.mark.parametrize("code", ["9001", "1101", "2201", "2203", "2204", "2206", "2207"])
def test_whatever_message_is_lost_the_bill_is_settled_once(
    scene: Scene, code: str, fault: Fault
) -> None:
    before = money(scene)
    scene.network.fail(PATHS[code], fault)
    outcome = settle(scene)
    scene.network.heal()
    scene.terminal.resolve_unknown()
    assert scene.terminal.journal.open_operations() == ()
    if not isinstance(outcome, Done):
        assert isinstance(outcome, Failed) or code == "2207"
        if scene.terminal.client.bills(CARD).bills:
            assert money(scene) == before
            assert isinstance(settle(scene), Done)
    assert scene.terminal.client.bills(CARD).bills == ()
    booked = scene.terminal.client.money.lines(BEGINS.date())
    assert [line.total_fen for line in booked] == [BILL_FEN]
    assert before - money(scene) == booked[0].account_fen


def test_a_lost_answer_is_asked_for_and_not_sent_again(scene: Scene) -> None:
    scene.network.fail(PATHS["2207"], Fault.ANSWER_LOST)
    assert isinstance(settle(scene), Done)
    assert codes(scene).count("2207") == 1
    assert codes(scene)[-1] == "5203"


@pytest.mark.parametrize("code", ["1101", "2201", "2203", "2204", "2206"])
def test_a_lost_answer_before_the_amounts_are_known_is_no_operation_of_unknown_outcome(
    scene: Scene, code: str
) -> None:
    for _ in range(3):  # some of these are asked again
        scene.network.fail(PATHS[code], Fault.ANSWER_LOST)
    outcome = settle(scene)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NoAnswer)
    assert "2207" not in codes(scene)


def test_a_request_that_was_lost_is_reversed_and_refused_when_it_comes_late(scene: Scene) -> None:
    late: list[Request] = []
    send = scene.network.send

    def lossy(request: Request) -> Reply:
        if request.path == PATHS["2207"] and not late:
            late.append(request)
            raise NoReply("lost")
        return send(request)

    scene.network.send = lossy  # type: ignore[method-assign]
    before = money(scene)
    settle(scene)
    assert codes(scene)[-2:] == ["5203", "2601"]
    reply = json.loads(send(late[0]).body)
    assert reply["infcode"] == INFCODES["NUMBER_REVERSED"]
    assert money(scene) == before


def test_an_answer_with_other_amounts_is_no_answer(scene: Scene) -> None:
    def dearer(reply: Reply) -> Reply:
        document = json.loads(reply.body)
        info = document["output"]["setlinfo"]
        info["psn_cash_pay"] = to_yuan(to_fen(info["psn_cash_pay"]) + 1)
        info["psn_part_amt"] = to_yuan(to_fen(info["psn_part_amt"]) + 1)
        info["medfee_sumamt"] = to_yuan(to_fen(info["medfee_sumamt"]) + 1)
        return Reply(reply.status, json.dumps(document).encode(), reply.headers)

    before = money(scene)
    scene.network.garble(PATHS["2207"], dearer)
    scene.network.fail(PATHS["5203"], *[Fault.REQUEST_LOST] * 3)
    assert isinstance(settle(scene), Unknown)
    scene.terminal.resolve_unknown()
    assert scene.terminal.journal.open_operations() == ()
    (told,) = scene.terminal.journal.untold(CARD.card_id)
    assert told.state is State.CONFIRMED, "the centre had booked what was agreed to"
    assert told.result is not None
    split = told.result["split"]
    assert before - money(scene) == split["current_account_fen"] + split["past_accounts_fen"]


def test_what_is_booked_with_other_amounts_than_agreed_is_undone(scene: Scene) -> None:
    def cheaper(reply: Reply) -> Reply:
        """One fen of the account becomes the fund's: it adds up, and is not what is due."""
        document = json.loads(reply.body)
        info = document["output"]["setlinfo"]
        for name, fen in (("acct_pay", -1), ("psn_part_amt", -1), ("hifp_pay", 1)):
            info[name] = to_yuan(to_fen(info[name]) + fen)
        info["fund_pay_sumamt"] = to_yuan(to_fen(info["fund_pay_sumamt"]) + 1)
        del info["exp_content"]
        return Reply(reply.status, json.dumps(document).encode(), reply.headers)

    before = money(scene)
    scene.network.garble(PATHS["2206"], cheaper)
    settle(scene)
    assert codes(scene)[-3:] == ["2207", "5203", "2601"]
    assert money(scene) == before
    assert scene.terminal.journal.open_operations() == ()
    assert [bill.bill_id for bill in scene.terminal.client.bills(CARD).bills] == [BILL]


def test_a_system_error_is_no_refusal(scene: Scene) -> None:
    failure = json.dumps({"infcode": "-1", "err_msg": "系统错误", "output": None}).encode()
    scene.network.garble(PATHS["2207"], lambda reply: Reply(200, failure, reply.headers))
    assert isinstance(settle(scene), Done), "it was booked, and 5203 said so"


def test_a_clock_that_differs_is_refused_with_its_code(scene: Scene) -> None:
    interface = channel(scene)._interface  # type: ignore[attr-defined]
    interface._now = lambda: scene.clock.now() + timedelta(minutes=6)
    with pytest.raises(Refused) as caught:
        interface.ask("1101", {"data": {**medium(), "begntime": scene.clock.now()}})
    assert caught.value.problem.code == "CENTRE_CLOCK_DIFFERS"


def medium() -> dict[str, str]:
    return {
        "mdtrt_cert_type": "03",
        "mdtrt_cert_no": CARD.card_number,
        "card_sn": CARD.card_id,
    }


# Signing in and out


def test_the_terminal_signs_in_once_a_day(scene: Scene) -> None:
    channel(scene).agrees(BEGINS.date(), DayTotal(False, "employee", 0, 0, 0, 0, 0))
    channel(scene).agrees(BEGINS.date(), DayTotal(False, "employee", 0, 0, 0, 0, 0))
    assert codes(scene) == ["9001", "3201", "3201"]
    scene.wait_until(BEGINS + timedelta(days=1))
    channel(scene).agrees(BEGINS.date(), DayTotal(False, "employee", 0, 0, 0, 0, 0))
    assert codes(scene)[3:] == ["9001", "3201"]


def test_who_asks_while_its_own_sign_in_is_under_way_does_not_wait_for_itself(
    scene: Scene,
) -> None:
    nothing = DayTotal(False, "employee", 0, 0, 0, 0, 0)
    agreed: list[bool] = []

    def meanwhile(reply: Reply) -> Reply:
        agreed.append(channel(scene).agrees(BEGINS.date(), nothing))
        return reply

    scene.network.garble(PATHS["9001"], meanwhile)
    agreed.append(channel(scene).agrees(BEGINS.date(), nothing))

    assert agreed == [True, True]
    assert codes(scene) == ["9001", "9001", "3201", "3201"]


def test_after_the_sign_out_there_is_no_sign_in_that_day(scene: Scene) -> None:
    channel(scene).sign_out()
    with pytest.raises(Refused) as caught:
        channel(scene).agrees(BEGINS.date(), DayTotal(False, "employee", 0, 0, 0, 0, 0))
    assert caught.value.problem.code == "CENTRE_SIGNED_OUT_TODAY"
    scene.wait_until(BEGINS + timedelta(days=1))
    assert channel(scene).agrees(BEGINS.date(), DayTotal(False, "employee", 0, 0, 0, 0, 0))


# Cancelling


def test_a_settlement_is_taken_back_as_a_whole(scene: Scene) -> None:
    before = money(scene)
    request, reference, settlement_id = settled(scene)
    number = scene.terminal.journal.reserve(1)[0]
    cancel = CancelRequest(number, CARD, request.number, settlement_id)
    done = channel(scene).cancel(cancel, reference)
    assert done.split == request.split
    assert done.settlement_id == settlement_id
    assert money(scene) == before
    assert [bill.bill_id for bill in scene.terminal.client.bills(CARD).bills] == [BILL]
    again = CancelRequest(scene.terminal.journal.reserve(1)[0], CARD, request.number, settlement_id)
    with pytest.raises(Refused) as caught:
        channel(scene).cancel(again, reference)
    assert caught.value.problem.code == "SETTLEMENT_CANCELLED"
    assert money(scene) == before


# Reconciliation


def test_both_ledgers_agree_and_differ_to_the_fen(scene: Scene) -> None:
    request, _, settlement_id = settled(scene)
    split = request.split
    funds = split.fund_fen + split.supplementary_fen + split.other_fund_fen
    accounts = split.current_account_fen + split.past_accounts_fen
    line = StatementLine(
        request.number,
        settlement_id,
        False,
        "employee",
        BILL_FEN,
        funds,
        accounts,
        split.cash_fen,
    )
    total = DayTotal(False, "employee", 1, BILL_FEN, funds, accounts, split.cash_fen)
    today = BEGINS.date()
    assert channel(scene).agrees(today, total)
    assert not channel(scene).agrees(today, DayTotal(False, "employee", 0, 0, 0, 0, 0))
    off = DayTotal(False, "employee", 1, BILL_FEN + 1, funds, accounts, split.cash_fen)
    assert not channel(scene).agrees(today, off)
    ours = StatementLine(
        scene.terminal.journal.reserve(1)[0], "S0", False, "resident", 100, 50, 0, 50
    )
    assert channel(scene).statement(today, (line,)) == (line,)
    assert channel(scene).statement(today, (ours,)) == (line,)
    assert channel(scene).statement(today, ()) == (line,)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_file_is_rows_or_a_bad_message(data: bytes) -> None:
    with contextlib.suppress(BadMessage):
        statement_file.differing(data.decode("latin-1"))
