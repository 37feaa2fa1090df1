"""The contract: schemas and classes say the same, and nothing but messages comes in."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import importlib
import json
import pkgutil
import re
import types
import typing
from functools import cache
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

import backend_client
from backend_client import list_messages, messages, validation
from backend_client.codec import MAX_BODY, canonical, parse
from backend_client.errors import BadMessage, BadRequest
from backend_client.messages import Message, decode, dump, encode, load
from backend_client.validation import URN, load_schemas

MODULES = [
    importlib.import_module(f"backend_client.{found.name}")
    for found in pkgutil.iter_modules(backend_client.__path__)
    if found.name.endswith("messages")
]
CLASSES: list[type[Message]] = [
    value
    for module in MODULES
    for name in module.__all__
    if isinstance(value := getattr(module, name), type) and value is not Message
]
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)

CARD = messages.CardRef("00112233445566778899aabbccddeeff", "A12345678")
NUMBER = "99010000000120261123120000" + "0001"
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))
TRIAL_REQUEST = messages.TrialRequest(NUMBER, CARD, "bill-1", 12_300)


def resolve(reference: str, base: str = "") -> dict[str, Any]:
    """The schema that a `$ref` names."""
    name, _, path = reference.partition("#")
    node: dict[str, Any] = load_schemas()[name or base]
    for step in path.split("/")[1:]:
        node = node[step]
    return node


def schema_of(cls: type[Message]) -> dict[str, Any]:
    return resolve(URN + cls.schema)


# Schema and class, both ways


@pytest.mark.parametrize("schema", load_schemas().values(), ids=lambda schema: schema["$id"])
def test_schemas_are_schemas_and_carry_stable_names(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert re.fullmatch(r"urn:ssct:schema:[a-z-]+:[12]", schema["$id"])
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@each_class
def test_fields_are_the_schemas_properties(cls: type[Message]) -> None:
    schema = schema_of(cls)
    fields = dataclasses.fields(typing.cast(Any, cls))
    assert [field.name for field in fields] == list(schema["properties"])
    mandatory = [field.name for field in fields if field.default is dataclasses.MISSING]
    assert mandatory == schema["required"]
    assert schema["additionalProperties"] is False
    assert schema["title"]
    assert schema["description"]


@each_class
def test_field_types_are_the_schemas_types(cls: type[Message]) -> None:
    hints = typing.get_type_hints(cls)
    for name, schema in schema_of(cls)["properties"].items():
        assert_same_type(hints[name], schema, URN + cls.schema.partition("#")[0])


def assert_same_type(hint: object, schema: dict[str, Any], base: str) -> None:
    if "$ref" in schema:
        reference = schema["$ref"]
        name, base = reference, reference.partition("#")[0] or base
        if isinstance(hint, type) and issubclass(hint, Message):
            assert URN + hint.schema == (base + name if name.startswith("#") else name)
        else:
            formats = {"instant": dt.datetime, "date": dt.date, "hash": bytes, "public_key": bytes}
            assert formats.get(name.rpartition("/")[2], hint) is hint
            assert_same_type(hint, resolve(name, base), base)
    elif "anyOf" in schema:
        assert typing.get_origin(hint) in (types.UnionType, typing.Union)
        inner, nothing = typing.get_args(hint)
        assert nothing is types.NoneType
        assert schema["anyOf"][1] == {"type": "null"}
        assert_same_type(inner, schema["anyOf"][0], base)
    elif "enum" in schema:
        assert typing.get_origin(hint) is Literal
        assert list(typing.get_args(hint)) == schema["enum"]
    elif schema["type"] == "array":
        assert typing.get_origin(hint) is tuple
        assert_same_type(typing.get_args(hint)[0], schema["items"], base)
    else:
        texts = (str, bytes, dt.date, dt.datetime)
        allowed = {"string": texts, "integer": (int,), "boolean": (bool,)}
        assert any(hint is each for each in allowed[schema["type"]])


def test_every_object_schema_has_a_class_and_every_value_a_bound() -> None:
    described = {URN + cls.schema for cls in CLASSES}
    for urn, schema in load_schemas().items():
        for where, node in [(urn, schema), *inner_nodes(urn, schema)]:
            match node.get("type"):
                case "object":
                    assert where in described
                case "string":
                    assert "maxLength" in node
                case "integer":
                    assert {"minimum", "maximum"} <= node.keys()
                case "array":
                    assert list(node).index("maxItems") < list(node).index("items")


def inner_nodes(
    urn: str, node: dict[str, Any] | list[Any], path: str = "#"
) -> list[tuple[str, dict[str, Any]]]:
    """All schemas inside a schema but those of `allOf`, which only narrow."""
    children = list(node.items() if isinstance(node, dict) else enumerate(node))
    found = []
    for key, child in children:
        if isinstance(child, dict | list) and key != "allOf":
            where = f"{path}/{key}"
            found += [(urn + where, child)] if isinstance(child, dict) else []
            found += inner_nodes(urn, child, where)
    return found


# Values of every message, made from its schema


INSTANTS = st.datetimes(
    dt.datetime(1901, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    dt.datetime(2199, 12, 30),  # noqa: DTZ001
    timezones=st.timezones(),
).map(lambda instant: instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"))


def values_of(cls: type[Message]) -> st.SearchStrategy[Any]:
    """JSON values that the schema of a message allows."""
    return referred(URN + cls.schema, "")


def values(schema: dict[str, Any], base: str) -> st.SearchStrategy[Any]:
    """JSON values that a schema allows."""
    if "$ref" in schema:
        return referred(schema["$ref"], base)
    if "anyOf" in schema:
        return st.none() | values(schema["anyOf"][0], base)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            properties = {k: values(v, base) for k, v in schema["properties"].items()}
            built = st.fixed_dictionaries(properties)
            return built.map(well_listed) if "allOf" in schema else built
        case "array":
            items = values(schema["items"], base)
            least, most = schema.get("minItems", 0), min(schema["maxItems"], 3)
            unique = repr if schema.get("uniqueItems") else None
            return st.lists(items, min_size=least, max_size=most, unique_by=unique)
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "boolean":
            return st.booleans()
    if "pattern" in schema:
        pattern = schema["pattern"].removesuffix("$") + r"\Z"
        return st.from_regex(pattern).filter(lambda text: len(text) <= schema["maxLength"])
    return st.text(st.characters(categories=["L", "N", "P"]), max_size=20)


@cache
def referred(name: str, base: str) -> st.SearchStrategy[Any]:
    """JSON values of a schema that others refer to."""
    if name.endswith("/instant"):
        return INSTANTS
    if name.endswith("/date"):
        return st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31)).map(dt.date.isoformat)
    return values(resolve(name, base), name.partition("#")[0] or base)


def well_listed(entry: dict[str, Any]) -> dict[str, Any]:
    """A blacklist entry with both bounds or none, naming something."""
    if entry["number_from"] is None or entry["number_to"] is None:
        entry = {**entry, "number_from": None, "number_to": None}
        entry["card_id"] = entry["card_id"] or "0" * 24
    return entry


@each_class
@settings(max_examples=20)
@given(data=st.data())
def test_every_allowed_value_survives_the_way_in_and_out(
    cls: type[Message], data: st.DataObject
) -> None:
    value = data.draw(values_of(cls))
    message = decode(cls, value)
    again = load(cls, dump(message))
    assert again == message
    assert dump(again) == dump(message)
    assert encode(message).keys() == value.keys()


# Accepting quickly what is sound

ABSENT = object()
SLOW = frozenset({"oneOf", "uniqueItems"})
"""The rules that are left to jsonschema."""


@each_class
@settings(max_examples=6)
@given(data=st.data())
def test_what_is_sound_is_accepted_quickly_and_nothing_else(
    cls: type[Message], data: st.DataObject
) -> None:
    """The whole of jsonschema agrees, whatever is put in the place of anything in a message."""
    sound = data.draw(values_of(cls))
    accepts, validator = validation._acceptor(cls.schema), validation._validator(cls.schema)
    if SLOW.isdisjoint(json.dumps(validator.schema).split('"')):
        assert accepts(sound)
    for _ in range(6):
        value = altered(data, sound)
        if accepts(value):
            assert list(validator.iter_errors(value)) == []


def altered(data: st.DataObject, value: Any) -> Any:  # noqa: ANN401
    """The value with something else, or nothing, in one place."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(value)))
        inner = altered(data, value[name])
        kept = {key: each for key, each in value.items() if key != name}
        return kept if inner is ABSENT else {**kept, name: inner}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        return [*value[:-1], *([] if (last := altered(data, value[-1])) is ABSENT else [last])]
    if isinstance(value, str) and data.draw(st.booleans()):
        return data.draw(st.sampled_from([value + "\n", value[:-1], value * 2, "0" + value]))
    if isinstance(value, int) and data.draw(st.booleans()):
        return data.draw(st.sampled_from([-value - 1, value * 10**12, float(value), bool(value)]))
    return data.draw(st.just(ABSENT) | JSON_VALUES) if value is not ABSENT else value


# Hostile input

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@each_class
@settings(max_examples=20)
@given(data=st.data())
def test_any_json_is_a_message_or_refused(cls: type[Message], data: st.DataObject) -> None:
    names = list(schema_of(cls)["properties"])
    shaped = st.dictionaries(st.sampled_from(names), JSON_VALUES)
    value = data.draw(JSON_VALUES | shaped)
    with contextlib.suppress(BadMessage):
        assert isinstance(decode(cls, value), cls)


@each_class
@settings(max_examples=20)
@given(data=st.data())
def test_one_wrong_field_is_refused_and_named(cls: type[Message], data: st.DataObject) -> None:
    value = data.draw(values_of(cls))
    name = data.draw(st.sampled_from(sorted(value)))
    wrong = {"no": ["such", "thing"]}
    with pytest.raises(BadMessage) as caught:
        decode(cls, {**value, name: wrong})
    assert caught.value.pointer == f"/{name}"
    assert "such" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        load(messages.CardRef, body)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "syntax"),
        (b"\xff", "syntax"),
        (b'{"now": }', "syntax"),
        (b"[NaN]", "whole numbers only"),
        (b"[-Infinity]", "whole numbers only"),
        (b"[1.0]", "whole numbers only"),
        (b"[1e400]", "whole numbers only"),
        (b'{"a": 1, "a": 2}', "unique keys"),
        (b"[" * 100_000, "depth"),
        (b'{"a":' * 100_000, "depth"),
        (b"9" * 5000, "syntax"),
        (b" " * (MAX_BODY + 1), "size"),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_json_is_strict_and_bounded(body: bytes, rule: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(body)
    assert caught.value.rule == rule


def test_a_value_too_deep_to_show_is_refused() -> None:
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadMessage):
        decode(messages.CardRef, {"card_id": deep, "card_number": "A12345678"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("card_id", "00112233445566778899AABBCCDDEEFF"),
        ("card_id", "00112233445566778899aabbccddeeff\n"),
        ("card_id", "00112233445566778899aabbccddeef"),
        ("card_number", "A1234567٨"),
        ("card_number", "a12345678"),
        ("card_number", 123456789),
        ("extra", "surplus"),
    ],
)
def test_a_card_reference_is_exact_and_its_error_shows_no_value(field: str, value: object) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(messages.CardRef, {**encode(CARD), field: value})
    assert caught.value.pointer == ("" if field == "extra" else f"/{field}")
    assert str(value) not in str(caught.value)


def test_a_pattern_ends_where_the_text_ends() -> None:
    with pytest.raises(BadMessage) as caught:
        decode(messages.TrialRequest, {**encode(TRIAL_REQUEST), "bill_id": "bill-1\n"})
    assert (caught.value.pointer, caught.value.rule) == ("/bill_id", "pattern")


@pytest.mark.parametrize(
    "instant",
    [
        "2026-13-01T00:00:00+08:00",
        "2026-02-29T00:00:00+08:00",
        "2026-01-01T24:00:00+08:00",
        "2026-01-01T23:59:60+08:00",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00+08:00",
        "20260101T000000+0800",
        "2026-W01-1T00:00:00+08:00",
        "0001-01-01T00:00:00+23:59",
        "2026-01-01T00:00:00+29:00",
    ],
)
def test_a_wrong_instant_is_refused(instant: str) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(messages.ServerTime, {"now": instant})
    assert caught.value.pointer == "/now"


def test_a_number_is_not_a_fraction_and_not_a_truth_value() -> None:
    for amount in (1.0, True, -1, 10**12 + 1, "1"):
        with pytest.raises(BadMessage) as caught:
            decode(messages.TrialRequest, {**encode(TRIAL_REQUEST), "total_fen": amount})
        assert caught.value.pointer == "/total_fen"


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "line\n", "\u202eabc", "\ud800", "x" * 201])
def test_text_to_show_cannot_move_the_cursor_or_the_direction(text: str) -> None:
    problem = {"type": "about:blank", "title": text, "status": 400, "code": "NO"}
    with pytest.raises(BadMessage) as caught:
        decode(messages.Problem, problem)
    assert caught.value.pointer == "/title"


def test_a_wrong_place_deep_inside_is_named() -> None:
    split = messages.Split(1, 0, 0, 0, 0, 0, 1, (messages.Band("现金", "Cash", 1, 0, 0, 1),))
    settlement = messages.Settlement(NUMBER, "s-1", "b-1", split, NOON, 0, 0)
    value = encode(messages.OperationState(NUMBER, "confirmed", settlement))
    value["settlement"]["split"]["bands"][0]["cash_fen"] = -1
    with pytest.raises(BadMessage) as caught:
        decode(messages.OperationState, value)
    assert caught.value.pointer == "/settlement/split/bands/0/cash_fen"
    assert caught.value.rule == "minimum"


# What we send


def test_what_we_send_is_checked_before_it_leaves() -> None:
    with pytest.raises(BadRequest) as caught:
        dump(messages.CardRef(CARD.card_id, "x"))
    assert caught.value.pointer == "/card_number"
    assert caught.value.certainly_not_done


def test_a_naive_instant_is_not_sent() -> None:
    with pytest.raises(BadRequest):
        dump(messages.ServerTime(NOON.replace(tzinfo=None)))


def test_bytes_are_canonical_and_one_instant_has_one_spelling() -> None:
    expected = b'{"now":"2026-11-23T12:00:00+08:00"}'
    assert dump(messages.ServerTime(NOON)) == expected
    assert dump(messages.ServerTime(NOON.astimezone(dt.UTC))) == expected
    assert canonical({"b": "张", "a": [1, None]}) == '{"a":[1,null],"b":"张"}'.encode()
    with pytest.raises(ValueError, match="Out of range"):
        canonical(float("nan"))


def test_reprs_show_neither_card_nor_secret() -> None:
    shown = repr(
        (
            messages.ActivationRequest(NUMBER, CARD, pin_changed=True),
            messages.EnrolmentRequest("SECRET-CODE-1", "kiosk"),
        )
    )
    for secret in (CARD.card_id, CARD.card_number, "SECRET-CODE-1"):
        assert secret not in shown


def test_optional_fields_may_be_left_out() -> None:
    state = decode(messages.OperationState, {"number": NUMBER, "state": "unknown"})
    assert state == messages.OperationState(NUMBER, "unknown", None, None, None)
    assert decode(list_messages.BlacklistUpdate, {}) == list_messages.BlacklistUpdate(None, ())


# Money adds up

amounts = st.integers(0, 10**9)


@given(st.lists(st.tuples(amounts, amounts, amounts), max_size=5), st.data())
def test_a_split_adds_up_exactly_when_every_part_does(
    parts: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    bands = tuple(messages.Band("段", "Band", sum(part), *part) for part in parts)
    fund, account, cash = (sum(part[i] for part in parts) for i in range(3))
    current = data.draw(st.integers(0, account))
    extra = data.draw(st.integers(0, fund))
    split = messages.Split(
        fund + account + cash, current, account - current, fund - extra, extra, 0, cash, bands
    )
    assert split.adds_up()
    field = data.draw(st.sampled_from([f.name for f in dataclasses.fields(split)][:-1]))
    off = data.draw(st.integers(1, 100))
    wrong: dict[str, Any] = {field: getattr(split, field) + off}
    assert not dataclasses.replace(split, **wrong).adds_up()


def test_bands_that_do_not_add_up_are_noticed() -> None:
    band = messages.Band("段", "Band", 100, 50, 20, 30)
    assert band.adds_up()
    assert not dataclasses.replace(band, amount_fen=101).adds_up()
    whole = messages.Split(100, 20, 0, 50, 0, 0, 30, (band,))
    assert whole.adds_up()
    assert not dataclasses.replace(whole, bands=()).adds_up()
    wrong_sum = dataclasses.replace(band, amount_fen=101)
    assert not dataclasses.replace(whole, bands=(wrong_sum,)).adds_up()
    for wrong_part in (
        dataclasses.replace(wrong_sum, fund_fen=51),
        dataclasses.replace(wrong_sum, account_fen=21),
        dataclasses.replace(wrong_sum, cash_fen=31),
        dataclasses.replace(band, fund_fen=51, cash_fen=29),
    ):
        assert wrong_part.adds_up()
        assert not dataclasses.replace(whole, bands=(wrong_part,)).adds_up()


def test_a_bill_adds_up_from_its_lines_reductions_included() -> None:
    lines = (
        messages.BillLine("A01", "挂号费", 1, 2_500, 2_500),
        messages.BillLine("Z09", "减免", 1, -500, -500),
    )
    bill = messages.Bill("b-1", "v-1", "990100000001", "内科", NOON.date(), lines, 2_000)
    assert bill.adds_up()
    assert not dataclasses.replace(bill, total_fen=2_001).adds_up()
    assert json.loads(dump(messages.BillList(CARD, (bill,))))["bills"][0]["date"] == "2026-11-23"
