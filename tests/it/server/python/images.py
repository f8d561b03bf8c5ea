"""Files are stored over a line that breaks, and come back as they went in. The arguments: the server, and its store."""

import asyncio
import os
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import lavamux.images
from lavamux import Lab, LabError, WrongUse
from lavamux.aio import AsyncLab

server, store = urlsplit(sys.argv[1]), Path(sys.argv[2])
lavamux.images.PIECE = 100_000
lavamux.images.PAUSE = 0.05
# How much went over the line each time that it was cut: the first times, after so many bytes.
cut = []
MOST = 90_000


def serve(client, most):
    upstream = socket.create_connection((server.hostname, server.port))

    def forward(one, other, most):
        sent = 0
        try:
            while True:
                data = one.recv(65536)
                sent += len(data)
                if not data or (most is not None and sent > most):
                    if data:
                        cut.append(sent)
                    break
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    threading.Thread(target=forward, args=(upstream, client, None), daemon=True).start()
    forward(client, upstream, most)


def accept(listener):
    while True:
        client, _ = listener.accept()
        # An upload's first words are a connection of their own, which is no longer than that.
        threading.Thread(target=serve, args=(client, MOST if len(cut) < 3 else None), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
lab = Lab(f"http://127.0.0.1:{listener.getsockname()[1]}", user="alice")
data = os.urandom(64 * 1024) * 16
Path("root.img").write_bytes(data)

# This process has been ended meanwhile.
try:
    lab.images.put("root.img", progress=lambda sent, size: 1 / (sent == 0))
    raise AssertionError("it is not ended")
except ZeroDivisionError:
    pass
told = []
image = lab.images.put("root.img", keep="30d", note="nightly", progress=lambda sent, size: told.append((sent, size)))
print("stored:", image.name, image.size, image.user, image.note, round((image.until - image.made) / 86_400), "days")
print("cut:", len(cut), "went on:", 0 < told[0][0] < image.size and told == sorted(told) and told[-1] == (image.size, image.size))
again = []
image = lab.images.put(data, "rootfs", keep="ever", progress=lambda sent, size: again.append(sent))
print("not sent again:", again == [image.size], image.until)
print("read:", lab.images.read("rootfs") == data, lab.images.get("rootfs") == Path("rootfs"), Path("rootfs").read_bytes() == data)
print("listed:", sorted(image.name for image in lab.images.list()), lab.images.find("root.img").sha256 == image.sha256)
lab.images.remove("root.img")
for wrong in (
    lambda: lab.images.read("root.img"),
    lambda: lab.images.put(b"x"),
    lambda: lab.images.put(b"x", "x", keep="long"),
    lambda: lab.images.put(b"x", "../x"),
):
    try:
        wrong()
        raise AssertionError("it is right")
    except WrongUse as error:
        print("wrong:", error)


async def story():
    images = AsyncLab(user="alice").images
    steps = []
    image = await images.put(b"hello" * 1000, "hello", progress=lambda sent, size: steps.append(sent))
    print("async:", image.size, await images.read("hello") == b"hello" * 1000, [one.name for one in await images.list()])
    await images.get("hello", Path("here"))
    # Nobody waits for it any more: it goes no further.
    went = asyncio.Event()
    put = asyncio.ensure_future(images.put(os.urandom(3_000_000), "more", progress=lambda sent, size: went.set()))
    await went.wait()
    put.cancel()
    try:
        await put
    except asyncio.CancelledError:
        print("cancelled")
    await images.remove("hello")


asyncio.run(story())
stored = store / image.sha256[:2] / image.sha256
damaged = bytearray(stored.read_bytes())
damaged[500_000] ^= 1
stored.write_bytes(damaged)
try:
    lab.images.get("rootfs", "damaged")
    raise AssertionError("it is damaged")
except LabError as error:
    print("damaged:", error, list(Path().glob("damaged*")))
