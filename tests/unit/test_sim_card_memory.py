"""The card's memory: commits are whole or nothing, whatever byte the power fails at (facts 7.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.card.memory import BackupFull, Change, Memory, PowerLost

SIZE = 24


def fresh() -> tuple[Memory, int]:
    memory = Memory()
    return memory, memory.allocate(bytes(range(SIZE)))


changes = st.lists(
    st.integers(0, SIZE - 1).flatmap(
        lambda at: st.tuples(st.just(at), st.binary(min_size=0, max_size=SIZE - at))
    ),
    max_size=4,
)


def at(base: int, relative: list[Change]) -> list[Change]:
    return [(base + offset, data) for offset, data in relative]


@given(changes)
def test_a_commit_writes_its_changes_in_their_order(relative: list[Change]) -> None:
    memory, base = fresh()
    expected = bytearray(range(SIZE))
    for offset, data in relative:
        expected[offset : offset + len(data)] = data
    memory.commit(at(base, relative))
    memory.restore()
    assert memory.read(base, SIZE) == expected


@given(changes)
def test_torn_at_any_byte_the_memory_is_old_or_new(relative: list[Change]) -> None:
    memory, base = fresh()
    before = memory.byte_writes
    memory.commit(at(base, relative))
    total, new = memory.byte_writes - before, memory.read(base, SIZE)
    seen = set()
    for fuse in range(total + 1):
        memory, base = fresh()
        memory.tear_after(fuse)
        with pytest.raises(PowerLost):
            memory.commit(at(base, relative))
        memory.restore()
        seen.add(memory.read(base, SIZE))
    assert seen == {bytes(range(SIZE)), new}


def test_torn_while_restoring_the_next_power_up_finishes() -> None:
    for second_fuse in range(18):
        memory, base = fresh()
        memory.tear_after(35)  # in the second half of the writing
        with pytest.raises(PowerLost):
            memory.commit([(base, b"\xaa" * 8), (base + 8, b"\xbb" * 8)])
        memory.tear_after(second_fuse)
        with pytest.raises(PowerLost):
            memory.restore()
        memory.restore()
        assert memory.read(base, SIZE) == bytes(range(SIZE))


def test_the_fuse_blows_once_and_only_when_its_bytes_are_written() -> None:
    memory, base = fresh()
    memory.tear_after(1000)
    memory.commit([(base, b"\xaa")])
    assert memory.byte(base) == 0xAA
    memory.tear_after(0)
    with pytest.raises(PowerLost):
        memory.commit([(base, b"\xbb")])
    memory.restore()
    memory.commit([(base, b"\xcc")])
    assert memory.byte(base) == 0xCC


def test_restoring_without_a_torn_commit_changes_nothing() -> None:
    memory, base = fresh()
    memory.commit([(base, b"\xaa")])
    writes = memory.byte_writes
    memory.restore()
    assert (memory.byte(base), memory.byte_writes) == (0xAA, writes)


def test_a_commit_too_large_for_the_backup_writes_nothing() -> None:
    memory = Memory()
    base = memory.allocate(bytes(16 * 1024))
    with pytest.raises(BackupFull):
        memory.commit([(base, b"\xff" * 16 * 1024)])
    assert memory.read(base, 16 * 1024) == bytes(16 * 1024)
