"""Build on a virtual x86 machine, test on an arm64 board: both are asked for at once, booted side by side with what
one wants on them, and given back whatever happens.

    python3 build_and_test.py --disk builder --kernel linux --ramdisk rootfs --key ~/.ssh/id_ed25519

The images are the server's (lava image put): the disk of a machine that has gcc for arm64 and takes a key from its
seed, as cloud images do; kernel and ramdisk of the board. The results are printed, and told to lava ci where that
runs it.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from lavamux import Board, Lab, Request

# It needs no library, so that it runs on whatever the board boots.
SOURCE = r"""
static long call(long number, long first, long second, long third) {
    register long x8 asm("x8") = number, x0 asm("x0") = first;
    register long x1 asm("x1") = second, x2 asm("x2") = third;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

void _start(void) {
    char text[24], *at = text + sizeof text;
    long sum = 0;
    for (long number = 2; number < 10000; number++) {
        long divisor = 2;
        while (divisor * divisor <= number && number % divisor != 0)
            divisor++;
        if (divisor * divisor > number)
            sum += number;
    }
    *--at = '\n';
    do
        *--at = '0' + sum % 10;
    while (sum /= 10);
    call(64, 1, (long)at, text + sizeof text - at); /* write */
    call(93, 0, 0, 0);                              /* exit */
}
"""
COMPILE = "aarch64-linux-gnu-gcc -O2 -Wall -static -nostdlib -ffreestanding -o /tmp/primes /tmp/primes.c"
# The sum of the primes below 10,000.
SUM = "5736396"


def waiting(request: Request) -> None:
    print(f"number {request.position} in the queue: {request.why}", flush=True)


def by_ssh(board: Board, key: Path, command: str) -> str:
    program, *where = board.ssh_info().command
    # A machine that was made a minute ago has a key of its own that nobody knows yet.
    options = ["-i", str(key), "-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
    options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    done = subprocess.run([program, *options, *where, command], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="type=vm-x86", help="what to build on")
    parser.add_argument("--test", default="arch=aarch64", help="what to test on")
    for image in ("--disk", "--kernel", "--ramdisk"):
        parser.add_argument(image, required=True)
    parser.add_argument("--key", type=Path, required=True, help="a private SSH key, with its public one in KEY.pub")
    args = parser.parse_args()

    lab, failed = Lab(), False
    with lab.reserve(specs=[args.build, args.test], hours=1, progress=waiting) as (build, test):
        print("have", build.name, "and", test.name, flush=True)
        build.boot(args.disk, login="root", ssh_key=Path(f"{args.key}.pub").read_text())
        test.boot(args.kernel, ramdisk=args.ramdisk, login="root")
        for board in (build, test):
            board.wait_ready(timeout=1800)
            print(board.name, "is ready", flush=True)
        print("by SSH:", by_ssh(build, args.key, "uname -m"), flush=True)

        build.put(SOURCE.encode(), "/tmp/primes.c")
        compiled = build.run(COMPILE, timeout=300, check=False)
        lab.result("compile", "pass" if compiled.code == 0 else "fail")
        if compiled.code != 0:
            print(compiled.output, file=sys.stderr)
            return 1
        program = build.get("/tmp/primes")
        print("built", len(program), "bytes", flush=True)

        test.put(program, "/tmp/primes")
        said = test.run("chmod +x /tmp/primes && uname -m && /tmp/primes", timeout=300).output.split()
        failed = said != ["aarch64", SUM]
        lab.result("primes", "fail" if failed else "pass", said=" ".join(said))
    print("gave them back", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
