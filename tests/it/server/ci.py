import os
import sys

from lavamux import Lab

lab = Lab()
kept = lab.reserve("beagle", minutes=5)
with lab.reserve("panda", minutes=5) as board:
    board.power.cycle()
    board.wait_ready(timeout=60)
    with board.console() as console:
        console.sendline("root")
        console.expect(r"# $")
    board.put(b"hello\n", "greeting")
    said = board.run("cat greeting").output.strip()
    lab.result("greeting", "pass" if said == "hello" else "fail")
lab.result("speed", measurement=1.5, units="s")
print("given", *sys.argv[2:])
print("token", open(os.environ["LAVA_TOKEN_FILE"]).read())
for what, mode in ((sys.argv[1], "r"), ("../../../stray", "w")):
    try:
        open(what, mode)
        print("not confined:", what)
    except OSError as error:
        print("confined:", type(error).__name__)
