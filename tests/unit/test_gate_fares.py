"""The fare table: what is refused, and how a fare is found."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.fares import sample
from terminal.gate.fares import FareTableError, load_fares, parse_fares

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"flat_fen": -1}, "flat_fen"),
        ({"flat_fen": 2001}, "above single_limit_fen"),
        ({"name": ""}, "name"),
        ({"surprise": 1}, "additionalProperties"),
        ({"distances": [{"up_to_metres": 9, "fen": 1}, {"up_to_metres": 5, "fen": 2}]}, "rise"),
        ({"pairs": [["0101", "0999", 300]]}, "0999"),
        ({"pairs": [["0101", "0102", 300], ["0102", "0101", 400]]}, "two fares"),
        ({"valid_from": "2026-02-30"}, "day"),
    ],
)
def test_a_table_that_is_wrong_says_where(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(FareTableError, match=where):
        parse_fares({**sample("metro"), **changes}, "test")


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_a_file_that_holds_no_table(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "fares.json"
    file.write_bytes(content)
    with pytest.raises(FareTableError):
        load_fares(file)


def test_a_file_that_holds_one(tmp_path: Path) -> None:
    file = tmp_path / "fares.json"
    file.write_text(json.dumps(sample("bus")), "utf-8")
    assert load_fares(file).flat_fen == 200


@pytest.mark.parametrize(
    ("entry", "exit_", "fen"),
    [
        ("0101", "0102", 300),
        ("0103", "0101", 400),
        ("0101", "0101", 300),
        ("0101", "9999", 1500),
    ],
)
def test_fares_by_distance_both_ways_and_the_maximum_where_nothing_is_known(
    entry: str, exit_: str, fen: int
) -> None:
    assert parse_fares(sample("metro"), "test").between(entry, exit_, HOUR) == fen


def test_a_pair_goes_before_the_distance() -> None:
    table = parse_fares({**sample("metro"), "pairs": [["0102", "0101", 250]]}, "test")
    assert table.between("0101", "0102", HOUR) == 250


def test_nobody_knows_how_long_it_took() -> None:
    assert parse_fares(sample("metro"), "test").between("0101", "0102", None) == 1500
