"""A console outlives its daemon, and no flood outlives a time-out."""

import os
import signal
import socket
import subprocess
import threading

from lavamux import NotSeen
from lavamux._http import Endpoint
from lavamux.console import Console


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Serial:
    def __init__(self, program):
        self.address = f"127.0.0.1:{port()}"
        self.args = ["--name", "c", "--port", program, "--http", self.address, "--capture", f"captures-{program[5:8]}"]
        self.start()

    def start(self):
        self.process = subprocess.Popen(os.environ["LAVA_SERIAL"].split("\n") + self.args, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert "ready" in line, line

    def stop(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()

    def attach(self, since="head"):
        return Console(Endpoint("http://" + self.address), "/consoles/c", "alice", since, False)


flood = Serial("exec:yes")
try:
    with flood.attach() as console:
        try:
            console.expect("never", timeout=0.5)
        except NotSeen:
            print("the flood was left in time")
        assert "y" in console.read(0.2)
        print("and once more")
finally:
    flood.stop()

echo = Serial("exec:cat")
try:
    with echo.attach() as console:
        console.sendline("before")
        console.expect("before")
        echo.stop()
        restart = threading.Timer(0.5, echo.start)
        restart.start()
        # What was echoed before was taken; now somebody else types.
        threading.Thread(target=lambda: (restart.join(), echo.attach().sendline("after"))).start()
        assert "before\r\nbefore" not in console.expect("after", timeout=60).before
        print("went on")
finally:
    echo.stop()
