"""`ssct simulate`: worlds in which anything may go wrong. They live in the simulator."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module
from typing import Any

from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `simulate`."""
    _command().add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Let worlds live; `REFUSED` when something does not hold in one of them."""
    return ExitCode.OK if _command().run(args) else ExitCode.REFUSED


def _command() -> Any:  # noqa: ANN401  # a module
    # By name: the terminal does not depend on the simulator, and runs without it.
    return import_module("simulator.world.command")
