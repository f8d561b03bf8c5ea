import os
import sys
import time

from lavamux import Lab, LabError

lab = Lab()
print("token", open(os.environ["LAVA_TOKEN_FILE"]).read()[::-1])
print("has", [board.name for board in lab.reserve("panda", minutes=5).boards])
print("waits:", lab.submit("beagle", minutes=5).why)
for method, path, body in (
    ("PUT", "/users/eve", {"rights": [["*", "control"]]}),
    ("POST", "/users/alice/tokens", {}),
    ("POST", "/ci/rights/run", {}),
    ("POST", "/workers/farm1/poll", {"instance": "1", "number": 1}),
):
    try:
        lab._server.ask(method, path, body)
        print("let in:", path)
    except LabError as error:
        print("refused:", path, error.status)
if sys.argv[1:] == ["sleep"]:
    print("sleeps")
    time.sleep(1000)
sys.exit(3)
