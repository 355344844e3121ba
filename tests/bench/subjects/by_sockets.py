"""The physical floor: sockets without any client. Bytes leave, bytes come, and nobody looks further than
a length.

A call is one `send` and one `recv`, a download moves from socket to file inside the kernel (`os.splice`, on
Linux), and an image in base64 is cut out at known places and decoded. What is saved is saved like the
reference does. A run of many jobs writes each of them into one table, and each image that came.
"""

# ruff: noqa: D103 - `worker.py` says what each function is for

import os
import socket

PIPE = 1_048_576
BODY = b'{"model":"dall-e-2","prompt":"a corgi astronaut"}'


def connect(base):
    """A connected socket, and the path that the base URL leads to."""
    address, _, path = base.removeprefix("http://").partition("/")
    host, _, port = address.partition(":")
    made = socket.create_connection((host, int(port)))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made, f"/{path}"


def ask(method, path, body=b""):
    """A request's bytes."""
    lines = (
        f"{method} {path} HTTP/1.1",
        "Host: bench",
        "Authorization: Bearer sk-test",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def begin(made, request):
    """Send; gives the body's length and what came of it with the head."""
    made.sendall(request)
    got = b""
    while b"\r\n\r\n" not in got:
        got += made.recv(16_384)
    top, _, rest = got.partition(b"\r\n\r\n")
    return int(top.partition(b"content-length: ")[2].partition(b"\r\n")[0]), rest


def caller(base):
    made, path = connect(base)
    request = ask("POST", f"{path}/images/generations", BODY)

    def call():
        made.sendall(request)
        return made.recv(16_384)

    return call


async def crowd(base, at_once):
    import asyncio

    loop, idle = asyncio.get_running_loop(), []
    for _ in range(at_once):
        made, path = connect(base)
        made.setblocking(False)
        idle.append(made)
    request = ask("POST", f"{path}/images/generations", BODY)

    async def call():
        made = idle.pop()
        await loop.sock_sendall(made, request)
        await loop.sock_recv(made, 16_384)
        idle.append(made)

    async def close():
        for made in idle:
            made.close()

    return call, close


def run_of(base, prompts, folder, sent):
    import sqlite3

    from careful import Careful

    os.makedirs(folder)
    db = sqlite3.connect(f"{folder}.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE job (n INTEGER PRIMARY KEY, prompt TEXT NOT NULL, path TEXT)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO job (prompt) VALUES (?)", ((prompt,) for prompt in prompts))
    db.execute("COMMIT")
    made, path = connect(base)
    call = ask("POST", f"{path}/images/generations", BODY)
    image = ask("GET", f"/image/{path.split('/')[2]}.png")
    for number in range(1, sent + 1):
        made.sendall(call)
        made.recv(16_384)
        size, got = begin(made, image)
        while len(got) < size:
            got += made.recv(262_144)
        with Careful(os.path.join(folder, f"{number}.png")) as file:
            file.write(got)
        db.execute("UPDATE job SET path = ? WHERE n = ?", (file.name, number))
    db.close()


def base64(base, count):
    import binascii

    from careful import Careful

    made, path = connect(base)
    request = ask("POST", f"{path}/images/generations", BODY)
    mark = b'{"b64_json": "'

    def save(folder):
        size, got = begin(made, request)
        left, got, number = size - len(got), bytearray(got), 0
        # Each image is decoded in pieces while it comes: a socket's worth of memory is all that it needs.
        while number < count:
            while mark not in got:
                left -= take(made, got)
            del got[: got.index(mark) + len(mark)]
            with Careful(os.path.join(folder, f"{number}.png")) as file:
                while (end := got.find(b'"')) < 0:
                    whole = len(got) & ~3
                    file.write(binascii.a2b_base64(memoryview(got)[:whole]))
                    got = got[whole:]
                    left -= take(made, got)
                file.write(binascii.a2b_base64(memoryview(got)[:end]))
                got = got[end:]
            number += 1
        while left:
            left -= take(made, got)

    return save


def take(made, got):
    """Receive more; gives how much."""
    piece = made.recv(262_144)
    got += piece
    return len(piece)


def download(base):
    import fcntl

    from careful import Careful

    made, _ = connect(base)
    near, far = os.pipe()
    fcntl.fcntl(far, fcntl.F_SETPIPE_SZ, PIPE)

    def save(url, folder):
        size, rest = begin(made, ask("GET", "/" + url.split("/", 3)[3]))
        with Careful(os.path.join(folder, "image.png")) as file:
            file.write(rest)
            file.flush()
            left = size - len(rest)
            while left:
                moved = os.splice(made.fileno(), far, min(left, PIPE))
                left -= moved
                while moved:
                    moved -= os.splice(near, file.fileno(), moved)

    return save
