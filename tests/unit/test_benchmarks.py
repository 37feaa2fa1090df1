"""The benchmarks run, say why they skip, and the basic read stays at the least possible."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from simulator import pcscd

Import = Callable[[str], ModuleType]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Import:
    """Imports a module of `benchmarks`, which is not installed with the packages."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    return lambda name: import_module(f"benchmarks.{name}")


def test_a_basic_read_takes_the_least_possible_commands_and_bytes(bench: Import) -> None:
    table = bench("reading").tables()[0]
    basic = [row for row in table.rows if row[2] == "basic"]
    assert [row[0] for row in basic] == ["adult-1.0", "adult-2.0", "adult-3.0", "contactless-3.0"]
    for card, _, _, commands, least_commands, _, size, least_size, _ in basic:
        assert (card, commands, size) == (card, least_commands, least_size)


def test_parsing_is_measured(bench: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = bench("codec")
    monkeypatch.setattr(codec, "ROUNDS", 1)
    (table,) = codec.tables()
    assert len(table.rows) == 2


def test_without_pcscd_the_reason_is_printed(
    bench: Import, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pcscd, "missing", lambda: "pcscd is not installed (apt install pcscd)")
    monkeypatch.setattr(bench("pcsc"), "ROUNDS", 1)
    assert bench("__main__").main(["pcsc"]) == 0
    printed = capsys.readouterr().out
    assert "skipped: pcscd is not installed" in printed
    assert "READ RECORD 32 bytes" in printed


def test_the_cost_of_a_mac_is_measured_for_both_algorithms(
    bench: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    secured = bench("secured")
    monkeypatch.setattr(secured, "ROUNDS", 1)
    (table,) = secured.tables()
    assert [row[0] for row in table.rows] == ["DES", "SM4"]


def test_an_unknown_benchmark_is_refused_with_the_known_ones(
    bench: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("__main__").main(["nothing"]) == 2
    assert "reading" in capsys.readouterr().out


def test_a_table_aligns_words_left_and_numbers_right(bench: Import) -> None:
    table_of = bench("table").Table
    table = table_of("T", ("name", "n"), [("a", 1.25), ("long name", 100)], ("a note",))
    assert table.render().splitlines() == [
        "T",
        "=",
        "name         n",
        "---------  ---",
        "a          1.2",
        "long name  100",
        "  a note",
    ]
    assert table_of("T", notes=("skipped",)).render().splitlines() == ["T", "=", "  skipped"]
