"""`ssct demo`: the story of a card on simulated parts. It lives in the simulator."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `demo`."""
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--fast", action="store_true", help="do not pause between the steps")
    pace.add_argument("--pause", action="store_true", help="wait for Enter after each step")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Play the story; `REFUSED` when a step does not come out as told."""
    from importlib import import_module

    from terminal import logs

    logs.set_up(verbose=args.verbose, traffic=args.traffic)
    # By name: the terminal does not depend on the simulator, and runs without it.
    demo = import_module("simulator.demo")
    told = demo.play(fast=args.fast, pause=args.pause, lang=args.lang)
    return ExitCode.OK if told else ExitCode.REFUSED
