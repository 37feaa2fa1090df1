"""The agent's operations, over HTTP, with real cards of the simulator and a real back office."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from websockets.sync.client import connect

from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.account import MedicalAccount
from apdu.ssc.driver import Driver, PinCancelled, PinPrompt, PinTimeout, call
from apdu.ssc.transactions import PurchaseOrder
from apdu.status import CardRemoved, ReaderError
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.pin_pad import SimulatedPlainPad
from simulator.story import BEGINS
from terminal.agent.client import AgentClient, AgentProblem, Ldt33Client, Ldt33Result
from terminal.agent.guard import Caller
from terminal.agent.openapi import document
from terminal.agent.operations import OPERATIONS
from terminal.agent.pad import WaitingPad
from terminal.agent.point_of_use import PointOfUse
from terminal.agent.readers import NamedReaders
from terminal.agent.scopes import Scope
from terminal.devices.pin_pad import Listener, open_pin_pad
from terminal.devices.protocols import PinPad
from terminal.errors import PinPadError
from terminal.functions import FUNCTIONS
from terminal.session import CardSession
from terminal.settings import PinPadSettings
from terminal.store.journal import Evidence, Kind, State
from tests.unit.agent_bench import MINUTE, AgentBench, agent_bench, until

PIN = "246810"
ADULT = load_profile("adult-3.0")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[AgentBench]:
    with agent_bench(tmp_path) as made:
        yield made


def refused(problem: pytest.ExceptionInfo[AgentProblem]) -> tuple[int, str]:
    return problem.value.status, problem.value.code


def test_a_card_is_read_and_given_back(bench: AgentBench) -> None:
    bench.insert()
    assert bench.client.readers() == [{"name": "embedded", "card": True}]
    with bench.client.session() as card:
        assert card.reader == "embedded"
        basic = card.basic()
        assert (basic["name"], basic["ssn"]) == (ADULT.holder.name, ADULT.holder.ssn)
        assert basic["authentic"] is True
        files = card.files("SSSEEF05", "DF01EF0A", "DF04EF05")
        version = next(item for item in files[0]["items"] if item["place"] == "03")
        assert version["value"]["en"] == "3.00"
        assert bytes.fromhex(version["raw"]) == b"3.00"
        assert card.admission("settlement")["admitted"] is True
        assert card.renew()["lease"] == 60
    bench.slot.connect(exclusive=True).close()
    head = bench.scene.terminal.blacklist.head()
    assert head is not None
    assert bench.client.blacklist()["version"] == head.version


@pytest.mark.article(25)
@pytest.mark.article(27)
def test_every_read_stands_in_the_audit_trail_with_its_caller(bench: AgentBench) -> None:
    bench.insert()
    token_id = bench.token.split("_")[1]
    with bench.client.session() as card:
        card.basic()
        card.files("DF01EF0A")
        card.verify_pin(PIN)
    entries = bench.scene.terminal.audit.latest(card_id=ADULT.card.card_id.hex())
    assert {entry.face for entry in entries} == {f"agent:{token_id}"}
    functions = [entry.function for entry in reversed(entries)]
    assert functions == ["read", "read", "read", "read DF01EF0A", "read", "verify PIN"]


@pytest.mark.article(26)
def test_a_card_that_is_not_admitted_is_not_read(bench: AgentBench) -> None:
    bench.insert("forged")
    with pytest.raises(AgentProblem) as problem, bench.client.session():
        pass
    assert refused(problem) == (403, "AGENT_NOT_ADMITTED")
    assert problem.value.problem["reason"] == "NOT_AUTHENTIC"
    assert problem.value.problem["article"] == 26
    bench.slot.connect(exclusive=True).close()


def test_a_card_is_waited_for(bench: AgentBench) -> None:
    with pytest.raises(AgentProblem) as problem, bench.client.session(wait=0):
        pass
    assert refused(problem) == (409, "CARD_NONE")
    with ThreadPoolExecutor() as threads:

        def read() -> str:
            with bench.client.session(wait=30) as card:
                return str(card.basic()["name"])

        reading = threads.submit(read)
        bench.insert()
        assert reading.result() == ADULT.holder.name


def test_one_reader_one_session(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session():
        with pytest.raises(AgentProblem) as problem, bench.client.session():
            pass
        assert refused(problem) == (409, "AGENT_READER_TAKEN")
    with pytest.raises(AgentProblem) as unknown, bench.client.session("no such reader"):
        pass
    assert refused(unknown) == (404, "READER_NOT_FOUND")


def test_another_callers_session_does_not_exist(bench: AgentBench) -> None:
    bench.insert()
    with AgentClient(bench.origin, bench.token_for(Scope.READ)) as other, other.session() as card:
        answer = bench.http("GET", f"/v1/sessions/{card.id}/card")
        assert answer.status_code == 404
        assert answer.json()["code"] == "AGENT_SESSION_UNKNOWN"
        assert card.basic()["name"] == ADULT.holder.name


def test_a_caller_that_crashed_loses_the_card_when_its_lease_runs_out(bench: AgentBench) -> None:
    bench.insert()
    opened = bench.http("POST", "/v1/sessions", json={"lease": 1}).json()
    assert opened["lease"] == 1
    bench.scene.clock.advance(MINUTE)
    _freed(bench)
    with bench.client.session() as card:
        assert card.basic()["name"] == ADULT.holder.name
    gone = bench.http("GET", f"/v1/sessions/{opened['session']}/card")
    assert gone.json()["code"] == "AGENT_SESSION_UNKNOWN"


def _freed(bench: AgentBench) -> None:
    """Wait until no session is open any more."""
    assert until(lambda: not bench.running.sessions.busy)


def test_a_card_that_is_pulled_ends_its_session_and_the_next_is_served(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        bench.slot.remove()
        _freed(bench)
        with pytest.raises(AgentProblem) as problem:
            card.basic()
        assert refused(problem) == (404, "AGENT_SESSION_UNKNOWN")
    bench.insert("child")
    with bench.client.session() as card:
        assert card.basic()["name"] == load_profile("child").holder.name


def test_events_tell_what_is_there_and_what_happens(bench: AgentBench) -> None:
    bench.insert()
    _until(bench, card=True)
    events = bench.client.events()
    assert [next(events)["event"] for _ in range(2)] == ["reader_added", "inserted"]
    bench.slot.remove()
    assert next(events) == {"event": "removed", "reader": "embedded"}
    bench.insert()
    assert next(events)["event"] == "inserted"


def _until(bench: AgentBench, *, card: bool) -> None:
    for event in bench.client.events():
        if (event["event"] == "inserted") is card:
            return


def test_files_are_written_and_read_back(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        card.write_items("DF01EF07", {"29": "2"})
        card.write_row("DF02EF07", ["1010101", "2020-01-01", "2022-12-31", "示例科技有限公司"])
        told = {file["file"]: file for file in card.files("DF01EF07", "DF02EF07")}
        places = {item["place"]: item["raw"] for item in told["DF01EF07"]["items"]}
        assert bytes.fromhex(places["29"]).strip(b"\x00") == b"2"
        assert "示例科技有限公司" in json.dumps(told["DF02EF07"], ensure_ascii=False)


def test_the_photograph_or_that_there_is_none(bench: AgentBench) -> None:
    image = b"BM" + (60).to_bytes(4, "little") + bytes(54)
    bench.insert()
    with bench.client.session() as card:
        with pytest.raises(AgentProblem) as none:
            card.photo()
        assert none.value.status == 404
        card.write_content("SSSEEF08", image)
        assert card.photo() == image


UNWRITABLE: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("DF01EF07", {"items": {"FF": "1"}}, "AGENT_BODY_INVALID"),
    ("DF01EF07", {"items": {"29": "x" * 400}}, "CARD_VALUE_TOO_LONG"),
    ("DF01EF07", {"row": ["1"]}, "AGENT_BODY_INVALID"),
    ("DF01EF07", {"content": "00"}, "AGENT_BODY_INVALID"),
    ("DF01EF07", {"content": "0"}, "AGENT_BODY_INVALID"),
    ("DF01EF07", {}, "AGENT_BODY_INVALID"),
    ("DF01EF99", {"items": {"29": "1"}}, "AGENT_BODY_INVALID"),
    ("nonsense", {"items": {"29": "1"}}, "AGENT_BODY_INVALID"),
    ("DF04EF08", {"row": [None] * 8}, "AGENT_BODY_INVALID"),
    ("DF02EF07", {"row": ["1", "no date", None, None]}, "AGENT_BODY_INVALID"),
)


def test_what_cannot_be_written_says_why_and_the_session_goes_on(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        for file, body, code in UNWRITABLE:
            answer = bench.http("PUT", f"/v1/sessions/{card.id}/files/{file}", json=body)
            assert (file, body, answer.status_code, answer.json()["code"]) == (
                file,
                body,
                422,
                code,
            )
            assert answer.headers["content-type"] == "application/problem+json"
        assert card.basic()["authentic"]


def test_pin_operations(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        assert card.pin_state() == {"set": True, "tries_left": 3, "verified": False}
        with pytest.raises(AgentProblem) as wrong:
            card.verify_pin("111111")
        assert refused(wrong) == (403, "CARD_PIN_WRONG")
        assert wrong.value.problem["tries_left"] == 2
        assert "111111" not in str(wrong.value.problem)
        card.verify_pin(PIN)
        assert card.pin_state()["verified"] is True
        with pytest.raises(AgentProblem) as short:
            card.change_pin(PIN, "1234")
        assert refused(short) == (422, "AGENT_BODY_INVALID")
        with pytest.raises(AgentProblem) as initial:
            card.change_pin(PIN, "123456")
        assert refused(initial) == (422, "AGENT_BODY_INVALID")
        card.change_pin(PIN, "864209")
        for _ in range(3):
            with pytest.raises(AgentProblem):
                card.verify_pin(PIN)
        assert card.pin_state()["tries_left"] == 0
        card.unblock_pin()
        card.verify_pin("864209")
        card.reload_pin("975310")
        assert card.verify_pin("975310") == {"verified": True}


def test_a_settlement_is_tried_agreed_and_looked_up(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        asked = card.start("settlement")
        assert asked["question"]["kind"] == "pin"
        asked = card.answer(pin=PIN)
        assert asked["question"]["kind"] == "choose"
        bill = asked["question"]["options"][0]["key"]
        with pytest.raises(AgentProblem) as unfit:
            card.answer(agree=True)
        assert refused(unfit) == (422, "AGENT_ANSWER_UNFIT")
        with pytest.raises(AgentProblem) as running:
            card.basic()
        assert refused(running) == (409, "AGENT_FUNCTION_RUNNING")
        trial = card.answer(choice=bill)
        assert trial["question"]["kind"] == "confirm"
        assert "250.20" in json.dumps(trial["question"])
        done = card.answer(agree=True)
        assert done["state"] == "ended"
        assert done["outcome"]["result"] == "done"
        number = done["outcome"]["receipt"]["number"]
        said = {line["label"]["en"]: line["value"] for line in done["outcome"]["receipt"]["lines"]}
        assert said["Total"] == {"zh": "¥ 250.20", "en": "¥ 250.20"}
        with pytest.raises(AgentProblem) as nothing:
            card.answer(agree=True)
        assert refused(nothing) == (409, "AGENT_NOTHING_ASKED")
    found = bench.client.operation(number)
    assert (found["state"], found["open"]) == ("confirmed", False)
    assert found["result"]["split"]["total_fen"] == 25020
    assert bench.client.resolve(number) == found
    with bench.client.session() as card:
        where = card.start("cancel")
        while where["state"] == "asking":
            assert where["shown"] == [], "the receipt was told when the settlement ended"
            kind = where["question"]["kind"]
            given: dict[str, Any] = {"pin": PIN} if kind == "pin" else {"agree": True}
            if kind == "choose":
                given = {"choice": where["question"]["options"][0]["key"]}
            where = card.answer(**given)
        assert where["outcome"]["result"] == "done"
        back = where["outcome"]["receipt"]["number"]
    assert bench.client.operation(back)["kind"] != found["kind"]
    with pytest.raises(AgentProblem) as unknown:
        bench.client.operation("0" * 30)
    assert refused(unknown) == (404, "AGENT_OPERATION_UNKNOWN")


def test_what_a_visit_has_in_its_hands_is_not_resolved_beneath_it(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        card.start("settlement")
        bill = card.answer(pin=PIN)["question"]["options"][0]["key"]
        card.answer(choice=bill)
        (prepared,) = bench.scene.terminal.journal.open_operations()
        assert bench.client.resolve(prepared.number)["state"] == "prepared"
        assert card.answer(agree=True)["outcome"]["result"] == "done"


def test_a_settlement_that_is_cancelled_or_given_up_books_nothing(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        card.start("settlement")
        card.answer(pin=PIN)
        ended = card.answer(cancel=True)
        assert ended["outcome"]["result"] == "stopped"
        card.start("settlement")  # the PIN has been given: it asks for the bill
    _freed(bench)
    assert bench.scene.terminal.journal.open_operations() == ()
    with bench.client.session() as card:
        assert card.basic()["authentic"]


def test_a_function_that_needs_no_answer_ends_at_once(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        read = card.start("read")
        assert read["outcome"]["result"] == "done"
        assert read["shown"][0]["kind"] == "details"
        with pytest.raises(AgentProblem) as none:
            card.start("nonsense")
        assert refused(none) == (404, "AGENT_NOT_FOUND")


def test_every_function_of_the_terminal_can_be_started(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        for function in FUNCTIONS:
            where = card.start(function.value)
            if where["state"] == "asking":
                where = card.answer(cancel=True)
            assert where["state"] == "ended"


def test_the_account_is_debited_once_and_its_log_read(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        with pytest.raises(AgentProblem) as no_pin:
            card.account()
        assert refused(no_pin) == (409, "AGENT_PIN_MISSING")
        card.verify_pin(PIN)
        before = card.account()["balance_fen"]
        done = card.debit(1234, self_pay_fen=100, fund_fen=5)
        assert done["balance_after_fen"] == before - 1234
        assert len(done["tac"]) == 8
        after = card.account()
        assert after["balance_fen"] == before - 1234
        assert after["records"][0]["account_fen"] == 1234
        assert after["records"][0]["kind"] == "settlement"
        with pytest.raises(AgentProblem) as too_much:
            card.debit(before)
        assert refused(too_much) == (409, "ACCOUNT_INSUFFICIENT_BALANCE")


class Pulled:
    """A card that is pulled right after it has booked a debit: the answer is lost."""

    def __init__(self, chip: SimulatedCard) -> None:
        self.chip = chip
        self.armed = False

    def power_on(self) -> bytes:
        return self.chip.power_on()

    def power_off(self) -> None:
        self.chip.power_off()

    def transmit(self, command: bytes) -> bytes:
        answer = self.chip.transmit(command)
        if self.armed and command[:2] == b"\xb0\x2c":
            self.armed = False
            raise CardRemoved("pulled")
        return answer


def test_a_debit_whose_answer_was_lost_is_found_by_the_same_card_and_not_repeated(
    bench: AgentBench,
) -> None:
    chip = Pulled(SimulatedCard(ADULT, random=bytes))
    bench.slot.insert(chip)
    with bench.client.session() as card:
        card.verify_pin(PIN)
        before = card.account()["balance_fen"]
        chip.armed = True
        with pytest.raises(AgentProblem) as lost:
            card.debit(500)
        assert refused(lost) == (409, "ACCOUNT_TRANSACTION_UNCERTAIN")
    _freed(bench)
    with bench.client.session() as card:
        card.verify_pin(PIN)
        found = card.debit(500)
        assert found["earlier"] is True
        assert found["balance_after_fen"] == before - 500
        assert card.account()["balance_fen"] == before - 500
        assert card.debit(500)["earlier"] is False
        assert card.account()["balance_fen"] == before - 1000


def test_no_pin_and_no_name_in_the_logs(
    bench: AgentBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    bench.insert()
    with bench.client.session() as card:
        card.verify_pin(PIN)
        card.basic()
        card.start("query")
    with bench.client.ldt33() as functions:
        assert functions.call("iReadCardBas", iType=3).code == 0
        assert functions.call("iVerifyPIN", iType=3, pins=[PIN]).code == 0
    assert bench.token not in caplog.text
    assert PIN not in caplog.text
    assert ADULT.holder.name not in caplog.text
    assert ADULT.holder.ssn not in caplog.text


def test_the_description_names_every_operation_and_its_forms_are_schemas(bench: AgentBench) -> None:
    told = bench.http("GET", "/v1/openapi.json").json()
    assert told == document(told["info"]["version"])
    assert told["openapi"].startswith("3.1.")
    for operation in OPERATIONS:
        assert operation.method.lower() in told["paths"][operation.path]
    for schema in told["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = [part.split('"')[0] for part in json.dumps(told).split('"$ref": "#/')[1:]]
    for reference in references:
        place = told
        for name in reference.split("/"):
            place = place[name]
    names = [one["operationId"] for path in told["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


def test_ldt33_in_the_form_of_existing_pages(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.ldt33() as functions:
        code, line = functions.call("iReadCardBas", iType=3)
        assert code == 0
        assert line.split("|")[1:5] == [
            ADULT.holder.ssn,
            ADULT.card.number,
            ADULT.card.card_id.hex().upper(),
            ADULT.holder.name,
        ]
        info = f"{ADULT.card.card_id.hex().upper()}|{ADULT.card.number}|"
        assert functions.call("iVerifyPIN", iType=3).code == -13, "there is no PIN pad"
        assert functions.call("iVerifyPIN", iType=3, pins=["111111"]) == (-51, "2")
        assert functions.call("iVerifyPIN", iType=3, pins=[PIN]) == (0, "")
        assert functions.call("iVerifyPIN", iType=3, pins=[]).code == -32
        pay = "1.00|0.50|20260102030405|"
        debit = functions.call("iDoDebit", iType=3, pCardInfo=info, pPayInfo=pay, pins=[PIN])
        assert debit.code == 0
        records = functions.call("iReadDebitRecord", iType=3, pins=[PIN])
        assert records.out.split("^")[3] == "1.00"
        bench.slot.remove()
        assert functions.call("iReadCardBas", iType=3) == (-2, "无卡")
    entries = bench.scene.terminal.audit.latest()
    assert any(entry.reason == "LDT33_-2" for entry in entries)
    own = bench.scene.terminal.audit.latest(card_id=ADULT.card.card_id.hex())
    assert "iReadCardBas" in [entry.function for entry in own]


def test_a_message_that_is_none_gets_a_code_and_the_next_is_answered(bench: AgentBench) -> None:
    bench.insert()
    headers = {"authorization": f"Bearer {bench.token}"}
    none = ("", "nonsense", "[]", "[" * 5000, '{"function": 1}', '{"function": "iNone"}', "{}")
    with connect(bench.origin.replace("http", "ws"), additional_headers=headers) as line:
        for message in (*none, b"\x00\xff"):
            line.send(message)
            assert json.loads(line.recv())["success"] == -13
        line.send('{"function": "iReadCardBas", "iType": 3}')
        assert json.loads(line.recv())["success"] == 0


def test_a_page_that_dies_in_the_middle_of_an_hsm_form_frees_the_card(bench: AgentBench) -> None:
    bench.insert()
    headers = {"authorization": f"Bearer {bench.token}"}
    with connect(bench.origin.replace("http", "ws"), additional_headers=headers) as line:
        line.send('{"function": "iReadCardBas_HSM_Step1", "iType": 3}')
        assert json.loads(line.recv())["success"] == 0
        line.socket.shutdown(socket.SHUT_RDWR)  # as a killed process leaves it

    def reads() -> bool:
        with bench.client.ldt33() as functions:
            return functions.call("iReadCardBas", iType=3).code == 0

    assert until(reads)


@pytest.mark.article(26)
def test_a_listed_card_is_not_debited_by_a_page_either(bench: AgentBench) -> None:
    bench.insert("forged")
    forged = load_profile("forged").card
    info = f"{forged.card_id.hex().upper()}|{forged.number}|"
    with bench.client.ldt33() as functions:
        code, told = functions.call(
            "iDoDebit", iType=3, pCardInfo=info, pPayInfo="1.00|0.50|20260102030405|", pins=[PIN]
        )
    assert code == -0x6982
    assert "真伪" in told


PAYMENT = "7.00|0.50|20260102030405|"
INFO = f"{ADULT.card.card_id.hex().upper()}|{ADULT.card.number}|"


def pay(functions: Ldt33Client) -> Ldt33Result:
    return functions.call("iDoDebit", iType=3, pCardInfo=INFO, pPayInfo=PAYMENT, pins=[PIN])


def settlements(functions: Ldt33Client) -> int:
    return functions.call("iReadDebitRecord", iType=3, pins=[PIN]).out.count("20260102030405")


def test_a_page_that_was_loaded_anew_after_a_lost_debit_does_not_charge_twice(
    bench: AgentBench,
) -> None:
    chip = Pulled(SimulatedCard(ADULT, random=bytes))
    bench.slot.insert(chip)
    chip.armed = True
    with bench.client.ldt33() as functions:
        assert pay(functions).code != 0
    with bench.client.ldt33() as functions:
        assert pay(functions).code == 0
        assert settlements(functions) == 1


def test_nor_does_an_agent_that_was_started_anew(bench: AgentBench) -> None:
    chip = Pulled(SimulatedCard(ADULT, random=bytes))
    bench.slot.insert(chip)
    chip.armed = True
    with bench.client.ldt33() as functions:
        assert pay(functions).code != 0
    terminal = bench.scene.terminal
    anew = PointOfUse(terminal, NamedReaders([bench.slot]), bytes)
    caller = Caller("his", "his", frozenset(Scope))
    arguments = {"iType": 3, "pCardInfo": INFO, "pPayInfo": PAYMENT}
    assert anew.gate(caller, "iDoDebit", arguments) is None
    pad = Typed([Pin(PIN)])
    devices = replace(anew.devices(), pin_pad=pad)
    result = call(Driver(devices, debits=anew.debits), "iDoDebit", arguments)
    assert result.ok
    anew.witness(caller, "iDoDebit", arguments, result)
    assert terminal.journal.open_operations() == ()
    with bench.client.ldt33() as functions:
        assert settlements(functions) == 1


def debits_of(bench: AgentBench) -> list[tuple[State, Evidence | None]]:
    found = bench.scene.terminal.journal.every()
    return [(one.state, one.evidence) for one in found if one.kind is Kind.DEBIT]


def test_a_callers_debit_stands_in_the_journal_and_is_handed_in_with_its_tac(
    bench: AgentBench,
) -> None:
    bench.insert()
    with bench.client.session() as card:
        card.verify_pin(PIN)
        done = card.debit(500, self_pay_fen=3)
    with bench.client.ldt33() as functions:
        assert pay(functions).code == 0
    assert debits_of(bench) == [(State.CONFIRMED, Evidence.CARD)] * 2
    terminal = bench.scene.terminal
    first, second = terminal.journal.every()
    assert first.result is not None
    assert first.result["tac"] == done["tac"].lower()
    assert (first.payload["account_fen"], first.payload["self_pay_fen"]) == (500, 3)
    assert second.payload["self_pay_fen"] == 700
    assert (terminal.upload().taken, terminal.outbox.waiting().count) == (2, 0)
    known = terminal.client.money.records(card_ref(ADULT)).debits
    assert {one.number for one in known} == {first.number, second.number}
    assert terminal.journal.untold(ADULT.card.card_id.hex()) == ()


def test_a_torn_debit_of_a_caller_is_unknown_until_its_card_proves_it(bench: AgentBench) -> None:
    chip = Pulled(SimulatedCard(ADULT, random=bytes))
    bench.slot.insert(chip)
    chip.armed = True
    with bench.client.ldt33() as functions:
        assert pay(functions).code != 0
        assert debits_of(bench) == [(State.UNKNOWN, None)]
        assert pay(functions).code == 0
    assert debits_of(bench) == [(State.CONFIRMED, Evidence.PROOF)]
    assert bench.scene.terminal.upload().waiting == 0


def test_a_debit_that_one_caller_lost_is_settled_for_whoever_asks_next(bench: AgentBench) -> None:
    chip = Pulled(SimulatedCard(ADULT, random=bytes))
    bench.slot.insert(chip)
    chip.armed = True
    with bench.client.ldt33() as functions:
        assert pay(functions).code != 0
    with bench.client.session() as card:
        card.verify_pin(PIN)
        done = card.debit(500)
        assert done["earlier"] is False
        assert done["settled_before"]["tac"]
    assert [state for state, _ in debits_of(bench)] == [State.CONFIRMED] * 2


def test_a_proof_that_takes_the_pin_lets_the_function_in_and_admission_is_asked_again(
    bench: AgentBench,
) -> None:
    chip = Pulled(SimulatedCard(ADULT, random=bytes))
    bench.slot.insert(chip)
    chip.armed = True
    other = PAYMENT.replace("7.00", "6.00")

    def asks(payment: str) -> int:
        with bench.client.ldt33() as functions:
            return functions.call(
                "iDoDebit", iType=3, pCardInfo=INFO, pPayInfo=payment, pins=[PIN]
            ).code

    assert asks(PAYMENT) != 0
    pay_elsewhere(chip)
    terminal = bench.scene.terminal
    point = PointOfUse(terminal, NamedReaders([bench.slot]), bytes)
    arguments = {"iType": 3, "pCardInfo": INFO, "pPayInfo": other}
    caller = Caller("his", "his", frozenset(Scope))
    assert point.gate(caller, "iDoDebit", arguments) is None
    bench.scene.office.report_temporary_loss(card_ref(ADULT))
    devices = replace(point.devices(), pin_pad=Typed([Pin(PIN)]))
    driver = Driver(devices, debits=point.debits)
    assert call(driver, "iDoDebit", arguments).code == -0x6982
    assert debits_of(bench) == [(State.CONFIRMED, Evidence.PROOF)]


def test_a_card_that_was_let_in_for_its_proof_is_admitted_once_it_has_given_it(
    bench: AgentBench,
) -> None:
    point = PointOfUse(bench.scene.terminal, NamedReaders([bench.slot]), bytes)
    bench.insert()
    caller = Caller("his", "his", frozenset(Scope))
    arguments = {"iType": 3, "pCardInfo": INFO, "pPayInfo": PAYMENT}
    point.debits.let_in(ADULT.card.card_id, lambda: "不能办理")
    assert point.gate(caller, "iDoDebit", arguments) is None
    devices = replace(point.devices(), pin_pad=Typed([Pin(PIN)]))
    assert call(Driver(devices, debits=point.debits), "iDoDebit", arguments).ok


def pay_elsewhere(chip: Pulled) -> None:
    """Another terminal debits the card, which replaces the proof of the torn debit."""
    slot = InProcessReader("elsewhere")
    slot.insert(chip)
    sam = SoftwareSam.development(bytes, terminal_number="990100000099")
    with CardSession.open(slot, sam) as session, Pin(PIN) as pin:
        session.card.verify_pin(pin)
        order = PurchaseOrder(100, BEGINS)
        MedicalAccount(session.card).purchase(order, sam, keep=lambda _: None)


class Typed:
    """A pad on which PINs were typed before."""

    def __init__(self, pins: list[Pin]) -> None:
        self.pins = pins

    def read_pin(self, prompt: PinPrompt) -> Pin:
        return self.pins.pop(0)


class Pad:
    """A device on which something happens as soon as it is asked."""

    def __init__(self, listener: Listener, happens: Callable[[Listener], None]) -> None:
        self._listener = listener
        self._happens = happens
        self.stopped = 0

    def ask(self, shortest: int, longest: int) -> None:
        threading.Thread(target=self._happens, args=(self._listener,)).start()

    def stop(self) -> None:
        self.stopped += 1


@pytest.mark.parametrize(
    ("happens", "error"),
    [
        (lambda listener: listener.cancelled(), PinCancelled),
        (lambda listener: listener.failed(PinPadError("no answer")), ReaderError),
        (lambda listener: listener.keys(3), PinTimeout),
    ],
)
def test_what_happens_on_the_pad(
    happens: Callable[[Listener], None], error: type[Exception]
) -> None:
    pad = WaitingPad(lambda listener: Pad(listener, happens), seconds=0.2)
    with pytest.raises(error):
        pad.read_pin(PinPrompt.PIN)


def test_a_pin_from_the_pad_and_a_late_one_wiped() -> None:
    late = Pin(PIN)
    pad = WaitingPad(
        lambda listener: Pad(listener, lambda heard: heard.pin(Pin("864209"))), seconds=9
    )
    pad.pin(late)
    with pad.read_pin(PinPrompt.PIN) as typed:
        assert typed.matches(Pin("864209"))
    assert late.length == 0


def test_the_pad_on_its_line_serves_the_functions(tmp_path: Path) -> None:
    device = SimulatedPlainPad()
    settings = PinPadSettings("plain", device.device, 9600, None, True, MINUTE)

    def made(listener: Listener) -> PinPad:
        pad = open_pin_pad(settings, listener, bytes)
        assert pad is not None
        return pad

    with agent_bench(tmp_path, pin_pad=WaitingPad(made, seconds=20)) as bench:
        bench.insert()
        with bench.client.ldt33() as functions, ThreadPoolExecutor() as threads:
            typing = threads.submit(device.type, PIN)
            assert functions.call("iVerifyPIN", iType=3) == (0, "")
            typing.result()
    device.close()


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b'{"surprise": 1}', b'"x"', b"NaN"])
def test_a_body_where_none_is_taken_is_not_overheard(bench: AgentBench, body: bytes) -> None:
    bench.insert()
    with bench.client.session() as card:
        at = f"/v1/sessions/{card.id}"
        for method, path in (
            ("GET", "/v1/readers"),
            ("POST", f"{at}/lease"),
            ("POST", f"{at}/pin/unblock"),
            ("POST", f"{at}/functions/settlement"),
            ("DELETE", at),
        ):
            answer = bench.http(method, path, content=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "AGENT_BODY_INVALID")
        assert card.basic()["authentic"], "nothing was done, the session least of all ended"
        for empty in (b"", b"{}", b" {} "):
            assert bench.http("POST", f"{at}/lease", content=empty).status_code == 200


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_json_does_not_have(bench: AgentBench, constant: bytes) -> None:
    answer = bench.http("POST", "/v1/sessions", content=b'{"wait": %s}' % constant)
    assert (answer.status_code, answer.json()["code"]) == (422, "AGENT_BODY_INVALID")


def test_a_pin_in_the_address_is_refused_and_costs_no_try(
    bench: AgentBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    bench.insert()
    with bench.client.session() as card:
        for pin in (PIN, "111111"):
            for body in ({}, {"pin": pin}):
                answer = bench.http(
                    "POST", f"/v1/sessions/{card.id}/pin/verify?pin={pin}", json=body
                )
                assert (answer.status_code, answer.json()["code"]) == (400, "AGENT_QUERY_REFUSED")
                assert pin not in answer.text
        state = card.pin_state()
        assert (state["verified"], state["tries_left"]) == (False, 3)
    # The client's log is its own, and that of addresses is off wherever no test listens.
    others = ("http", "uvicorn.access")
    own = [one.getMessage() for one in caplog.records if not one.name.startswith(others)]
    assert not any("?pin" in line for line in own)


def test_a_debit_of_nothing_is_refused_before_the_card_is_asked(bench: AgentBench) -> None:
    bench.insert()
    with bench.client.session() as card:
        card.verify_pin(PIN)
        before = card.account()
        with pytest.raises(AgentProblem) as nothing:
            card.debit(0)
        assert refused(nothing) == (422, "AGENT_BODY_INVALID")
        assert card.account() == before
        assert card.debit(0, self_pay_fen=1)["earlier"] is False


@pytest.mark.parametrize("pins", ["246810", 246810, {}, [246810], [PIN] * 4, False])
def test_what_was_typed_comes_as_a_list_of_texts(bench: AgentBench, pins: object) -> None:
    bench.insert()
    with bench.client.ldt33() as functions:
        assert functions.call("iVerifyPIN", iType=3, pins=pins).code == -14
        assert functions.call("iVerifyPIN", iType=3, pins=[PIN]).code == 0
