"""A worker of another version: of words that came later it knows none, and it has some of its own. It says with a log
that was written at once that the job is complete."""

import json
import sys
import time
import urllib.request

server, worker = sys.argv[1:]
number = int(time.time() * 1_000_000)


def post(path, body, kind="application/json"):
    request = urllib.request.Request(server + path, body, {"Content-Type": kind}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def poll(jobs, slots=1):
    global number
    number += 1
    # The least that the first version said, and what no version says yet.
    hello = {"instance": "4711", "number": number, "slots": slots, "jobs": jobs}
    hello.update({"temperature": {"cpu": 71.5}, "moods": ["calm"], "version": "99.0", "protocol": 7})
    orders = post(f"/workers/{worker}/poll", json.dumps(hello).encode())
    assert orders["protocol"] and orders["gone_s"] > 0, orders
    return orders


def log(case, result, **more):
    results = {"definition": "0_old" if not more else "lava", "case": case, "result": result, **more}
    return {"dt": "2026-11-21T10:00:00.000000", "lvl": "results", "msg": results, "aura": "blue"}


def run(work):
    """All of a job, as one that is told in an answer."""
    job, board = work["id"], work["boards"][0]
    assert work["definition"] and board["name"] == "docker01" and board["dictionary"], work
    lines = [
        {"dt": "2026-11-21T10:00:00.000000", "lvl": "shout", "msg": "a level of its own"},
        log("case", "pass"),
        log("job", "pass", job="complete", karma=3),
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path = f"/workers/{worker}/jobs/{job}"
    held = post(f"{path}/log?board={board['name']}&offset=0", text, "application/x-ndjson")
    assert held["held"] == len(text), held
    end = {"logs": {board["name"]: len(text)}, "applause": True}
    post(f"{path}/end", json.dumps(end).encode())


print("ready: worker", flush=True)
while True:
    for work in poll([])["start"]:
        assert poll([work["id"]], slots=1)["start"] == []
        run(work)
        print("has run", work["id"], flush=True)
