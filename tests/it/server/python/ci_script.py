import sys
import time

from lavamux import Lab

print("given", *sys.argv[1:])
Lab().result("speed", measurement=1.5, units="s")
if sys.argv[1:] == ["wait"]:
    print("waits")
    sys.stdout.flush()
    time.sleep(1000)
