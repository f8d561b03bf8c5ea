"""Jobs: LAVA's, handed in and followed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Generator, Iterator, List, NamedTuple, Optional, Union
from urllib.parse import quote

from ._http import LabError, WrongUse

if TYPE_CHECKING:
    from .lab import Lab

# A server says something every 5 s while a log is followed.
SILENCE = 30.0
# So often a job is looked at that is waited for, in seconds.
LOOK = 2.0


class Result(NamedTuple):
    """What one test case gave."""

    suite: str
    case: str
    result: str
    """``pass``, ``fail``, ``skip`` or ``unknown``."""
    measurement: Optional[float]
    units: Optional[str]


class Job:
    """A job of a server, as it was heard of last."""

    def __init__(self, lab: "Lab", info: Dict[str, Any]) -> None:
        self._lab = lab
        self.info = info

    @property
    def id(self) -> int:
        return int(self.info["id"])

    @property
    def state(self) -> str:
        """``submitted``, ``scheduling``, ``scheduled``, ``running``, ``canceling`` or ``finished``."""
        return str(self.info["state"])

    @property
    def health(self) -> str:
        """``unknown`` until it has ended; then ``complete``, ``incomplete`` or ``canceled``."""
        return str(self.info["health"])

    @property
    def error(self) -> Optional[str]:
        """Why it is incomplete: LAVA's class of error, and what went wrong."""
        told = self.info.get("error_msg")
        return None if told is None else f"{self.info.get('error_type')}: {told}"

    @property
    def boards(self) -> List[str]:
        """The boards that it has or has had."""
        return [str(board["name"]) for board in self.info.get("boards") or []]

    def look(self) -> "Job":
        """Asks where it stands."""
        self.info = self._ask("GET", self._path())
        return self

    def wait(
        self,
        timeout: Optional[float] = None,
        progress: Optional[Callable[["Job"], None]] = None,
    ) -> "Job":
        """Waits for its end, and goes on doing so while the server is away. ``progress`` is called whenever it stands
        otherwise. After ``timeout`` seconds :class:`TimeoutError` is raised, and the job goes on."""
        stood: Any = None

        def tell() -> None:
            nonlocal stood
            stands = (self.state, self.info.get("waiting"))
            if progress is not None and stands != stood:
                progress(self)
            stood = stands

        for pause in self._looks(timeout):
            tell()
            time.sleep(pause)
        tell()
        return self

    def _looks(self, timeout: Optional[float]) -> Iterator[float]:
        """Looks until it has ended, and gives each time how long to wait before the next look."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                self.look()
            except LabError as error:
                if not error.may_pass:
                    raise
            else:
                if self.state == "finished":
                    return
            left = LOOK if end is None else min(LOOK, end - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"job {self.id} is {self.state} still")
            yield left

    def cancel(self) -> "Job":
        """Has it end in good order: its board is powered off and given back."""
        self.info = self._ask("POST", self._path("/cancel"), {"user": self._lab.user})
        return self

    def resubmit(self) -> "Job":
        """The same once more, as a job of its own."""
        return Job(self._lab, self._ask("POST", self._path("/resubmit"), {"user": self._lab.user}))

    def results(self, board: Optional[str] = None) -> List[Result]:
        """What its tests gave so far; of a job for several boards the first one's, unless one is named."""
        report = self._ask("GET", self._path("/results", board=board))
        return [
            Result(suite["name"], case["case"], case["result"], case.get("measurement"), case.get("units"))
            for suite in report["suites"]
            for case in suite["cases"]
        ]

    def junit(self, board: Optional[str] = None) -> str:
        """The same as JUnit XML, for what reads that."""
        return self._lab._server.text(self._path("/results", board=board, format="junit"))

    def log(self, line: int = 0, board: Optional[str] = None) -> Iterator[Dict[str, Any]]:
        """Each line of its log from one on, as they come, until the job has ended: ``lvl``, ``msg``, ``dt``. A server that is
        away for a while is waited for, and the log goes on where it was."""
        for entry in self._lines(line, board):
            if entry is not None:
                yield entry

    def _lines(self, line: int, board: Optional[str]) -> "Generator[Optional[Dict[str, Any]], None, None]":
        """What :meth:`log` gives, and ``None`` at signs of life."""
        next_line = line
        while True:
            path = self._path("/log/follow", board=board, line=str(next_line))
            try:
                for entry in self._lab._server.events(path, lambda: SILENCE):
                    yield entry
                    next_line += entry is not None
                if self.look().state == "finished":
                    return
            except LabError as error:
                if not error.may_pass:
                    raise
                yield None
            time.sleep(0.5)

    def _path(self, rest: str = "", **query: Optional[str]) -> str:
        query["user"] = self._lab.user
        words = [f"{key}={quote(value)}" for key, value in query.items() if value is not None]
        return f"/jobs/{self.id}{rest}?{'&'.join(words)}"

    def _ask(self, method: str, path: str, body: Optional[Any] = None) -> Any:
        return self._lab._server.ask(method, path, body)

    def __repr__(self) -> str:
        return f"Job({self.id}, {self.state!r}, {self.health!r})"


def definition(job: Union[str, Path]) -> "Dict[str, str]":
    """A job's text as it is handed in: of a file, or as it stands."""
    if isinstance(job, Path):
        return {"definition": job.read_text(), "file": job.name}
    if "\n" not in job:
        raise WrongUse(f"{job!r} is no job definition; of a file: Path({job!r})")
    return {"definition": job}
