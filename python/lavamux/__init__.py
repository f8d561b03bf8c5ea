"""Boards of a lab, from Python: reserve one, use its console and its power, give it back.

    from lavamux import Lab

    with Lab("http://lab:7000").reserve("panda", hours=1) as board:
        board.power.cycle()
        with board.console() as console:
            console.expect(r"login: ")

Only the standard library is used.
"""

from ._http import LabError, Refused, Unreachable, WrongUse
from .board import Board, Power
from .console import Console, Match, NotSeen
from .lab import Lab, Lease, Request

__all__ = [
    "Board",
    "Console",
    "Lab",
    "LabError",
    "Lease",
    "Match",
    "NotSeen",
    "Power",
    "Refused",
    "Request",
    "Unreachable",
    "WrongUse",
]
