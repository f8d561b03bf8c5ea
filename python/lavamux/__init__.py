"""Boards of a lab, from Python: reserve one, use its console and its power, give it back.

    from lavamux import Lab

    with Lab("http://lab:7000").reserve("panda", hours=1) as board:
        board.power.cycle()
        with board.console() as console:
            console.expect(r"login: ")

:mod:`lavamux.aio` is the same for asyncio, and pytest has a fixture ``board``. Only the standard library is used.
"""

from ._http import LabError, Lost, Refused, Unreachable, WrongUse
from .board import Board, Power, SshInfo
from .boot import Boot
from .console import CommandFailed, Console, Match, NotSeen, Ran
from .images import Image, Images
from .job import Job, Result
from .lab import Lab, Lease, Request

__all__ = [
    "Board",
    "Boot",
    "CommandFailed",
    "Console",
    "Image",
    "Images",
    "Job",
    "Lab",
    "LabError",
    "Lease",
    "Lost",
    "Match",
    "NotSeen",
    "Power",
    "Ran",
    "Refused",
    "Request",
    "Result",
    "SshInfo",
    "Unreachable",
    "WrongUse",
]
