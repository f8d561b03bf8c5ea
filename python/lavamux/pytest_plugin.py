"""Fixtures for pytest: ``lab``, ``lease`` and ``board``.

``pytest --lava-board "panda ram>=1GB"`` reserves one board for the whole run, as soon as it is its turn; ``lava_board`` in
the configuration of pytest does the same. ``--lava-hours`` says for how long, ``--lava-wait`` how many seconds its turn is
waited for.
"""

from __future__ import annotations

from typing import Iterator

import pytest

from .board import Board
from .lab import Lab, Lease


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lavamux", "boards of a lab")
    group.addoption("--lava-board", metavar="SPEC", help="the board that the fixture 'board' is, as 'panda ram>=1GB'")
    group.addoption("--lava-hours", type=float, default=2.0, help="for how long it is reserved (2)")
    group.addoption("--lava-wait", type=float, default=None, help="how many seconds its turn is waited for")
    parser.addini("lava_board", "the board that the fixture 'board' is")


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab that $LAVA_SERVER names."""
    return Lab()


@pytest.fixture(scope="session")
def lease(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lease]:
    """The board that is reserved while the tests run."""
    config = request.config
    spec = config.getoption("--lava-board") or config.getini("lava_board")
    if not spec:
        pytest.fail("say what board it is to be: --lava-board SPEC, or lava_board in pytest.ini", pytrace=False)
    hours, wait = config.getoption("--lava-hours"), config.getoption("--lava-wait")
    lease = lab.reserve(str(spec), hours=hours, timeout=wait, reason="pytest")
    with lease:
        yield lease


@pytest.fixture(scope="session")
def board(lease: Lease) -> Board:
    """A board of one's own."""
    return lease.board
