"""The end of a simulated process, in the middle of whatever it was doing."""

from __future__ import annotations


class Killed(BaseException):
    """The process ended here, without a last word.

    Not an `Exception`: what catches errors must not catch this. Code that runs all the same while
    this unwinds, in a `finally` or an `except BaseException`, finds disk, network and card gone.
    """
