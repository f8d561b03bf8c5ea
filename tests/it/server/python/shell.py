"""Commands and files at a board's shell."""

import asyncio
import os

from lavamux import CommandFailed, Lab, Lost
import lavamux._heart
import lavamux.board
from lavamux.aio import AsyncLab

lavamux._heart.BEAT = 0.2
lab = Lab(user="alice")
data = os.urandom(1500)
lease = lab.reserve("name=panda01")
with lease as board:
    board.power.cycle()
    board.wait_ready(timeout=60)
    with board.console() as console:
        console.sendline("root")
        console.expect(r"# $")
        print(console.run("echo one; printf two"))
        print(console.run("exit_with() { return $1; }; exit_with 3", check=False).code)
        print(console.run("exit_with 4; echo \"it's $?\"").output.strip())
        try:
            console.run("if then", timeout=60)
        except CommandFailed as error:
            print("wrong:", error.code)
    board.put(data, "a file")
    print("same:", board.get("a file") == data, board.run("wc -c < 'a file'").output.strip())
    print(*board.ssh_info().command)
    # What the board's shell runs on is this host, whatever that tells of itself.
    first = board.identify()
    print("identity:", board.identify() == {"learned": "same", "nothing": "nothing"}[first])
    server = {"user": "alice", "accept": True, "mac": ["00:1d:7e:00:00:01"], "identity": "A1"}
    lab._server.ask("POST", "/boards/panda01/identity", server)
    told = lavamux.board.IDENTIFY
    for here, there in (("/etc/", "./"), ("/sys/class/net", "net"), ("/sys/", "./none/"), ("/proc/", "./none/")):
        told = told.replace(here, there)
    lavamux.board.IDENTIFY, real = told, lavamux.board.IDENTIFY
    verdicts = [board.identify()]
    board.run("mkdir -p net/eth0/device net/br0; echo A1 > lava-identity; echo 00:1d:7e:00:00:09 > net/br0/address")
    board.run("echo 00:1d:7e:00:00:01 > net/eth0/address")
    verdicts.append(board.identify())
    board.run("echo A2 > lava-identity; echo 00:1d:7e:00:00:02 > net/eth0/address")
    verdicts.append(board.identify())
    print("identities:", *verdicts, lab.board("panda01").info["health"])
    lavamux.board.IDENTIFY = real
    lab._server.ask("POST", "/boards/panda01/health", {"health": "good", "user": "root"})


async def story():
    async with await AsyncLab(user="alice").reserve("name=panda01") as board:
        print("async:", (await board.run("echo $((6 * 7))")).output.strip())
        waits = asyncio.ensure_future(AsyncLab(user="bob").reserve("name=panda01"))
        while not [one for one in lab._server.ask("GET", "/requests") if one["user"] == "bob"]:
            await asyncio.sleep(0.05)
        waits.cancel()
        try:
            await waits
        except asyncio.CancelledError:
            print("bob:", [one for one in lab._server.ask("GET", "/requests") if one["user"] == "bob"])


asyncio.run(story())
lease = lab.reserve("name=panda01")
with lease as board, board.console() as console:
    path = f"/requests/{lease.id}?user=root&force=true&reason=test"
    lab._server.ask("DELETE", path)
    try:
        console.expect("never", timeout=60)
    except Lost as error:
        print("lost:", error)
