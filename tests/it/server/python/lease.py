"""A lease is extended and shared, who waits has an estimate, and all of it is told as it happens."""

import threading
import time

from lavamux import Lab, Refused, Unreachable, WrongUse

lab, bob = Lab(user="alice"), Lab(user="bob")
heard = []


def listen():
    try:
        for event in lab.events():
            heard.append((event["about"], event["id"], event["what"]))
    except Unreachable:
        pass


def until(what, is_so):
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def news(about, id, what):
    until(heard, lambda: (about, str(id), what) in heard)
    print("told:", about, what)


def may(board):
    try:
        board.power.on()
        return True
    except Refused:
        return False


threading.Thread(target=listen, daemon=True).start()
# It may not listen yet.
while not heard:
    with lab.reserve("name=panda02", minutes=5):
        pass
for nothing in (0, -1, float("nan"), float("inf")):
    try:
        lab.submit("name=panda01", hours=nothing)
        print("had for no time:", nothing)
    except WrongUse:
        pass
lease = lab.reserve("name=panda01", minutes=10)
news("board", "panda01", "reserved")
before = lease.until
lease.extend(hours=1)
print("extended:", round((lease.until - before) / 60), "min", lease.until == lab.board("panda01").info["lease"]["until_us"] / 1e6)
waits = bob.submit("name=panda01", minutes=5)
waits.look()
print("estimate:", abs(waits.estimate - lease.until) < 60, waits.position)
panda = bob.board("panda01")
print("alone:", may(lease.board), may(panda))
lease.share("bob")
until("bob may, too", lambda: may(panda))
print("shared:", lease.request.info["shared_with"])
lease.unshare("bob")
until("bob may not any more", lambda: not may(panda))
lease.release()
print("released", lease.request.state)
news("request", lease.id, "ended")
with waits.wait(60) as board:
    news("request", waits.id, "ready")
    print("bob has", board.name, waits.estimate)
given = lab.reserve("name=panda02", minutes=5)
with given:
    given.hand_over("bob")
print("given:", given.lost, lab.board("panda02").info["lease"]["holder"])
