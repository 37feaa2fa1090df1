"""Every error of the three families is explained: code, sentence in two languages, remedy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apdu.status import CardError, CardRemoved, NotAuthentic, PinWrong
from backend_client.errors import BackendError, Refused, Unreachable
from backend_client.messages import Problem
from terminal.errors import StoreFull, TerminalError, explain


def family(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for kind in base.__subclasses__():
        yield from family(kind)


def is_ours(kind: type[Exception]) -> bool:
    return kind.__module__.split(".")[0] in ("apdu", "backend_client", "terminal")


@pytest.mark.parametrize("base", [CardError, BackendError, TerminalError])
def test_codes_are_unique_and_sentences_there(base: type[Exception]) -> None:
    kinds = [kind for kind in family(base) if is_ours(kind)]
    codes = [vars(kind).get("code") for kind in kinds]
    assert None not in codes
    assert len(set(codes)) == len(codes)
    for kind in kinds:
        for name in ("zh", "en", "remedy"):
            assert getattr(kind, name), f"{kind.__name__} has no {name}"


def test_an_explanation_carries_code_sentence_and_remedy() -> None:
    told = explain(StoreFull("the database failed: SQLITE_FULL"))
    assert told.code == "STORE_FULL"
    assert told.text.zh == StoreFull.zh
    assert "disk" in told.remedy
    assert told.detail == "the database failed: SQLITE_FULL"
    assert explain(CardRemoved("gone")).article is None
    assert explain(Unreachable("no route")).code == "BACKEND_UNREACHABLE"


@pytest.mark.article(26)
def test_a_forged_card_rests_on_article_26() -> None:
    assert explain(NotAuthentic("wrong answer")).article == 26


def test_a_refusal_speaks_with_the_centres_own_words() -> None:
    problem = Problem("about:blank", "no", 409, "BILL_SETTLED", zh="账单已结算。", en="Settled.")
    told = explain(Refused(problem))
    assert (told.text.zh, told.text.en) == ("账单已结算。", "Settled.")


@pytest.mark.parametrize(("left", "said"), [(5, "5次"), (1, "锁定")])
def test_a_wrong_pin_says_what_is_left(left: int, said: str) -> None:
    assert said in explain(PinWrong(left)).text.zh


def test_an_unexpected_error_tells_nothing_but_its_type() -> None:
    told = explain(KeyError("990100199001011234"))
    assert told.code == "INTERNAL_ERROR"
    assert told.detail == "KeyError"
    assert "990100" not in repr(told)
