"""The matrix of facts appendix C, the functions called in this process."""

from __future__ import annotations

import pytest

from tests.conformance.driver_bench import in_process
from tests.conformance.driver_matrix import Row, cases, run


@pytest.mark.parametrize(("row", "version", "module"), cases())
def test_matrix(row: Row, version: str, module: str) -> None:
    run(row, version, module, in_process)
