"""`ssct status`: how the terminal stands. It asks nobody; it shows what this machine knows."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from terminal.commands.options import add_common, add_json
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.app import TerminalStatus


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `status`."""
    add_json(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Print the status."""
    from terminal.commands.opening import open_settings, open_terminal

    with open_terminal(open_settings(args), recover=False, proves_cards=False) as terminal:
        document = _document(terminal.status())
    if args.json:
        import json

        print(json.dumps(document, ensure_ascii=False, indent=2))
        return ExitCode.OK
    for name, value in document.items():
        print(f"{name.replace('_', ' '):<23} {'none' if value is None else value}")
    return ExitCode.OK


def _document(status: TerminalStatus) -> dict[str, Any]:
    head, age, refusal = status.blacklist, status.blacklist_age, status.blacklist_refusal
    until, records = status.certificate_until, status.records
    return {
        "profile": status.profile,
        "institution": status.institution,
        "institution_name": status.institution_name,
        "terminal": status.terminal_id,
        "data_directory": str(status.data_dir),
        "back_office": status.backend_url or None,
        "certificate_until": until.isoformat() if until else None,
        "clock_trusted": status.clock_trusted,
        "blacklist_version": head.version if head else None,
        "blacklist_entries": head.entries if head else None,
        "blacklist_issued": head.issued_at.isoformat() if head else None,
        "blacklist_covers": ", ".join(head.coverage.regions) if head else None,
        "blacklist_covers_until": head.coverage.until.isoformat() if head else None,
        "blacklist_age": str(age).partition(".")[0] if age is not None else None,
        "blacklist_refused": f"{refusal.code} at {refusal.at.isoformat()}" if refusal else None,
        "misuse_unsent": status.misuse_unsent,
        "records_unsent": records.count,
        "records_unsent_fen": records.total_fen,
        "records_oldest": records.oldest.isoformat() if records.oldest else None,
        **{f"operations_{state.value}": count for state, count in status.operations.items()},
    }
