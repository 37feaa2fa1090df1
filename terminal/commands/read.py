"""`ssct read`: the card's face data, as text or JSON. Personal values are masked unless asked."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from terminal.commands.options import add_common, add_json, add_personal, add_reader
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.admission import Decision
    from terminal.session import CardSession


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `read`."""
    add_json(parser)
    add_reader(parser)
    add_personal(parser)
    add_common(parser)
    parser.set_defaults(run=run, function="read")


def run(args: Namespace) -> ExitCode:
    """Read the card in the reader."""
    if not args.json:
        from terminal.commands.serve import run as serve

        return serve(args)
    return _print_json(args)


def _print_json(args: Namespace) -> ExitCode:
    import json

    from terminal.admission import Admitted
    from terminal.commands.opening import open_session, open_settings, open_terminal
    from terminal.policy import Function

    settings = open_settings(args)
    with open_terminal(settings) as terminal, open_session(args, settings, terminal) as session:
        decision = terminal.admit(session.facts, Function.READ, "console")
    document = _document(session, decision, show_personal=args.show_personal)
    print(json.dumps(document, ensure_ascii=False, indent=2))
    return ExitCode.OK if isinstance(decision, Admitted) else ExitCode.REFUSED


def _document(session: CardSession, decision: Decision, *, show_personal: bool) -> dict[str, Any]:
    """What a program gets: the decision, and the card's data if it is admitted."""
    from terminal.admission import Refused

    if isinstance(decision, Refused):
        return {
            "admitted": False,
            "reason": decision.reason.value,
            "article": decision.article,
            "text": {"zh": decision.text.zh, "en": decision.text.en},
            "advice": {"zh": decision.advice.zh, "en": decision.advice.en},
        }
    return {
        "admitted": True,
        "remarks": [{"zh": remark.zh, "en": remark.en} for remark in decision.remarks],
        "personal_shown": show_personal,
        "card": _card(session, show_personal=show_personal),
    }


def _card(session: CardSession, *, show_personal: bool) -> dict[str, Any]:
    from terminal.mask import mask

    basic = session.basic

    def personal(value: str) -> str:
        return value if show_personal else mask(value)

    return {
        "name": personal(basic.name),
        "ssn": personal(basic.ssn),
        "card_number": personal(basic.card_number),
        "card_id": personal(basic.card_id.hex().upper()),
        "birth_date": personal(basic.birth_date.isoformat()) if basic.birth_date else None,
        "region": basic.region,
        "card_class": basic.card_class,
        "version": basic.version,
        "algorithm": session.card.algorithm.name,
        "initialiser": basic.initialiser.hex().upper(),
        "issued": basic.issued.isoformat() if basic.issued else None,
        "expires": basic.expires.isoformat() if basic.expires else None,
        "historical_bytes": personal(basic.historical.hex().upper()),
        "authentic": session.facts.authentic,
        "warnings": list(basic.warnings),
    }
