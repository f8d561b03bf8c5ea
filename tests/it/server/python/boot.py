"""Boards boot what is asked for, and tell how far they are. The arguments: a kernel and a ramdisk."""

import asyncio
import sys
import threading
import time

from lavamux import Lab, Refused, Unreachable, WrongUse
from lavamux.aio import AsyncLab

lab = Lab(user="alice")
for file, name in zip(sys.argv[1:], ("linux", "rootfs")):
    lab.images.put(file, name)
heard = []


def listen():
    try:
        for event in lab.events():
            if event["about"] == "job":
                heard.append((event["id"], event["what"], event.get("boot")))
    except Unreachable:
        pass


def in_order(states):
    way = ["queued", "deploying", "booting", "login", "ready"]
    at = [way.index(state) for state in states]
    # However slow those are who tell of it, it did not come up at once.
    return at == sorted(set(at)) and states[-1] == "ready" and bool(set(states) & set(way[1:4]))


def until_heard(what):
    end = time.monotonic() + 60
    while what not in heard:
        assert time.monotonic() < end, (what, heard)
        time.sleep(0.05)


threading.Thread(target=listen, daemon=True).start()
with lab.reserve("name=panda01", hours=1) as board:
    boot = board.boot("linux", ramdisk="rootfs", login="root")
    try:
        board.wait_ready(timeout=0.0)
    except TimeoutError as error:
        print("not yet:", str(error).split(" is")[0])
    try:
        board.boot("linux", ramdisk="rootfs")
    except Refused as error:
        print("refused:", error)
    states = list(boot.follow())
    print("states:", in_order(states), states)
    # It is, and so says at once.
    board.wait_ready(timeout=60)
    print("kernel:", board.run("uname -s").output, boot.wait_ready().state)
    until_heard(("1", "finished", "ready"))
    stages = [stage for id, _, stage in heard if id == "1"]
    print("streamed:", in_order(list(dict.fromkeys(stages))), stages)


async def story():
    lab = AsyncLab(user="bob")
    async with await lab.reserve("name=panda02", hours=1) as board:
        boot = await board.boot("linux", ramdisk="rootfs", login="root")
        # Whoever stops listening is let go, and so is who waits no more.
        async for state in boot.follow():
            break
        try:
            await asyncio.wait_for(boot.wait_ready(), 0.001)
        except asyncio.TimeoutError:
            print("waits no more")
        states = [state async for state in boot.follow()]
        print("async states:", in_order(states), boot.state)
        await asyncio.gather(boot.wait_ready(60), board.wait_ready(timeout=60))
        print("async kernel:", (await board.run("uname -s")).output)
        events = lab.events()
        first = asyncio.ensure_future(events.__anext__())
        # It may not listen yet.
        while not first.done():
            async with await lab.reserve("name=panda01", minutes=5):
                pass
        boot = await board.boot("http://127.0.0.1:1/Image", ramdisk="rootfs")
        async for event in events:
            if (event["about"], event["id"], event.get("boot")) == ("job", str(boot.id), "failed"):
                break
        try:
            await boot.wait_ready()
        except Refused as error:
            print("failed:", "http://127.0.0.1:1/Image" in str(error), boot.state)
        try:
            await board.boot("nosuch")
        except WrongUse as error:
            print("wrong:", error)
        job = await lab.job(boot.id)
        log = [line async for line in job.log()]
        async for line in job.log(len(log) - 1):
            print("log:", line == log[-1], job.health)


asyncio.run(story())
