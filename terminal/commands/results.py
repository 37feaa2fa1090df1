"""What a flow's outcome means for the command line."""

from __future__ import annotations

import sys

from terminal.commands.failures import exit_code
from terminal.errors import explain
from terminal.exit_codes import ExitCode
from terminal.outcome import Done, Failed, Outcome, Refused, Stopped, Unknown


def outcome_code(outcome: Outcome) -> ExitCode:
    """The exit code; for an error also the remedy, which the holder's screen does not show."""
    match outcome:
        case Done():
            return ExitCode.OK
        case Refused():
            return ExitCode.REFUSED
        case Stopped():
            return ExitCode.INTERRUPTED
        case Unknown():
            return ExitCode.UNKNOWN_OUTCOME
        case Failed(error=error):
            told = explain(error)
            if told.detail:
                print(f"ssct: {told.detail}", file=sys.stderr)
            print(f"ssct: [{told.code}] {told.remedy}", file=sys.stderr)
            return exit_code(error)
