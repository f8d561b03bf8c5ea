"""One board: its console and its power."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence
from urllib.parse import quote

from . import _files
from ._http import Endpoint, LabError, Way, WrongUse
from .boot import Boot
from .console import Console, Ran

# A cycle waits, and others may be queued before it.
OPERATION = 600.0


# As lava-identity of jobs has it: a mark and the identity, then the addresses of what is no bridge or VPN.
IDENTIFY = """for f in /etc/lava-identity /sys/devices/soc0/serial_number /proc/device-tree/serial-number \\
/sys/class/dmi/id/product_uuid; do [ -r $f ] && i=$(tr -dc 'A-Za-z0-9._:-' <$f | cut -c1-200) && [ -n "$i" ] && break; done; \\
echo "=$i"; for a in /sys/class/net/*/address; do [ -e ${a%/address}/device ] && cat $a; done; true"""


class SshInfo(NamedTuple):
    """Where a board's SSH server is."""

    host: str
    port: int
    user: str

    @property
    def command(self) -> List[str]:
        """What to run, to log in."""
        return ["ssh", "-p", str(self.port), f"{self.user}@{self.host}"]


class Board:
    """A board, as the server knew it when it was asked."""

    def __init__(
        self,
        info: Dict[str, Any],
        token: Optional[str],
        ca: Optional[str],
        user: str,
        check: Optional[Callable[[], None]] = None,
        server: Optional[Endpoint] = None,
    ) -> None:
        self.info = info
        self._server, self._boot = server, None  # type: Optional[Endpoint], Optional[Boot]
        self._token, self._ca, self._user = token, ca, user
        self._check = check or (lambda: None)

    @property
    def name(self) -> str:
        return str(self.info["name"])

    @property
    def type(self) -> str:
        return str(self.info["type"])

    @property
    def power(self) -> "Power":
        self._check()
        url = self.info.get("outlet_url")
        if not url:
            raise WrongUse(f"{self.name} has no outlet")
        return Power(self._way(url, "console/outlet"), self._user)

    def console(self, *, since: str = "head", exclusive: bool = False) -> Console:
        """Attaches to its console, to be used with ``with``.

        ``since`` is where it begins: ``head``, an offset, a time, an age (``10m``), or ``reset``, which is
        before the last reset.
        """
        self._check()
        url = self.info.get("console_url")
        if not url:
            raise WrongUse(f"{self.name} has no console")
        return Console(self._way(url, "console"), self._user, since, exclusive, self._check)

    def run(self, command: str, *, timeout: float = 60.0, check: bool = True) -> Ran:
        """Runs a command at the shell of its console, as :meth:`Console.run` does."""
        with self.console() as console:
            return console.run(command, timeout=timeout, check=check)

    def put(self, local: "_files.Local", remote: str, *, timeout: float = 600.0) -> None:
        """Writes a file there, as :meth:`Console.put` does."""
        with self.console() as console:
            console.put(local, remote, timeout=timeout)

    def get(self, remote: str, local: "Optional[_files.Path]" = None, *, timeout: float = 600.0) -> bytes:
        """What is in a file there, as :meth:`Console.get` does."""
        with self.console() as console:
            return console.get(remote, local, timeout=timeout)

    def ssh_info(self) -> "SshInfo":
        """How to reach its system by SSH: its attributes ``address``, ``ssh-port`` and ``ssh-user`` say it."""
        attributes = self.info.get("attributes") or {}
        host = attributes.get("address")
        if not host:
            raise WrongUse(f"{self.name} has no address: lava board set {self.name} --attribute address=192.0.2.7")
        return SshInfo(host, int(attributes.get("ssh-port", 22)), attributes.get("ssh-user", "root"))

    def boot(
        self,
        image: str,
        *,
        ramdisk: Optional[str] = None,
        dtb: Optional[str] = None,
        commands: Optional[str] = None,
        append: Optional[str] = None,
        prompts: Sequence[str] = (),
        login: Optional[str] = None,
        ssh_key: Optional[str] = None,
        ssh: Optional[bool] = None,
    ) -> Boot:
        """Begins to boot something, as the board's dictionary says; :meth:`wait_ready` waits for it.

        Files are images of the server's, by name or SHA-256, or URLs. ``image`` is the kernel, or the disk of a
        virtual machine, or of a QEMU without ``ramdisk`` and ``append``. ``login`` is the user to log in as where the
        console asks for one, ``ssh_key`` a public key that may log in from then on. ``ssh`` says whether it is ready
        only when its SSH server answers (:meth:`ssh_info`); a virtual machine with an address is that anyway.
        """
        self._check()
        if self._server is None:
            raise WrongUse("boards are booted by the server that they are leased of")
        asked: Dict[str, Any] = {"image": image, "prompts": list(prompts), "user": self._user}
        more: Dict[str, Any] = {"ramdisk": ramdisk, "dtb": dtb, "commands": commands, "append": append}
        more.update({"login": login, "ssh_key": ssh_key, "ssh": ssh})
        asked.update({key: value for key, value in more.items() if value is not None})
        info = self._server.ask("POST", f"/boards/{quote(self.name)}/boot", asked)
        self._boot = Boot(self._server, self._user, info)
        return self._boot

    def identify(self) -> str:
        """Asks the board at its shell who it is, and has the server compare that with what it knows: ``same``, ``learned``
        (it knew nothing), ``nothing`` (the board has nothing that is its alone), or ``another``: then it is bad now."""
        if self._server is None:
            raise WrongUse("boards are known by the server that they are leased of")
        with self.console() as console:
            words = console.run(IDENTIFY).output.split()
        told = {"mac": words[1:], "identity": words[0][1:], "user": self._user}
        return str(self._server.ask("POST", f"/boards/{quote(self.name)}/identity", told)["verdict"])

    def wait_ready(self, prompt: Optional[str] = None, timeout: float = 300.0, since: str = "reset") -> None:
        """Waits until the board is there: until what :meth:`boot` has begun is done, or else until its console shows
        ``prompt``, which is a login when left out; that is looked for from its last reset on."""
        if self._boot is not None and prompt is None:
            self._boot.wait_ready(timeout)
            return
        prompt = prompt or r"login: ?$"
        with self.console(since=since) as console:
            console.expect(prompt, timeout)

    def _way(self, url: str, there: str) -> Way:
        endpoint, path = Endpoint.split(url, self._token, self._ca)
        return Way(endpoint, path, self._server, f"/boards/{quote(self.name)}/{there}")

    def __repr__(self) -> str:
        return f"Board({self.name!r})"


class Power:
    """An outlet. What it answers was verified at the PDU, where that can be asked."""

    def __init__(self, way: Way, user: str) -> None:
        self._way, self._user = way, user

    def on(self) -> str:
        return self._switch("on")

    def off(self) -> str:
        return self._switch("off")

    def cycle(self) -> str:
        """Off, a wait, and on again."""
        return self._switch("cycle")

    def status(self) -> str:
        return self._ask("GET", f"?user={quote(self._user)}", None)

    def _switch(self, verb: str) -> str:
        return self._ask("POST", f"/{verb}", {"user": self._user})

    def _ask(self, method: str, rest: str, body: Optional[Dict[str, Any]]) -> str:
        while True:
            try:
                report = self._way.endpoint.ask(method, self._way.path + rest, body, timeout=OPERATION)
                return str(report["state"])
            except LabError as error:
                if not self._way.leads(error):
                    raise
