"""What the agent's description says is what it does, whatever is asked.

Calls are made from the OpenAPI document that the agent serves, well-formed ones and ones that break
it, with and without a token, while a session holds a card. No answer is a 500, none has a media
type or a body that is not declared, and afterwards the session still reads. SSCT_FUZZ_REQUESTS sets
how many calls each operation gets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import content_type_conformance, response_schema_conformance
from schemathesis.schemas import BaseSchema

from terminal.agent.openapi import document
from terminal.agent.operations import OPERATIONS, Endpoint
from tests.unit.agent_bench import AgentBench, agent_bench

REQUESTS = int(os.environ.get("SSCT_FUZZ_REQUESTS", "8"))
Case = schemathesis.Case[Any]
CHECKS = [content_type_conformance, response_schema_conformance]
QUIET = {"suppress_health_check": list(HealthCheck), "deadline": None, "database": None}
MAY_FAIL = {502, 503}
"""The card or the centre did not do its part; a fault of the program is 500."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    directory = tmp_path_factory.mktemp("agent")
    with agent_bench(directory, calls_per_minute=100_000) as made:
        made.insert()
        yield made


@cache
def described() -> BaseSchema:
    return schemathesis.openapi.from_dict(document("test"))


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_calls_from_the_description(
    operation: Endpoint, mode: GenerationMode, bench: AgentBench
) -> None:
    made = described()[operation.path][operation.method].as_strategy(generation_mode=mode)

    with bench.client.session() as card:

        @settings(max_examples=REQUESTS, **QUIET)  # type: ignore[arg-type]
        @given(made)
        def ask(case: Case) -> None:
            if "session" in case.path_parameters and operation.method != "DELETE":
                case.path_parameters["session"] = card.id
            case.headers["authorization"] = f"Bearer {bench.token}"
            answer = case.call(base_url=bench.origin)
            assert answer.status_code < 500 or answer.status_code in MAY_FAIL, answer.text
            if answer.status_code > 400:
                assert answer.json()["code"]
                case.validate_response(answer, checks=CHECKS)

        ask()
        assert card.basic()["authentic"]
