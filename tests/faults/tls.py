"""TLS in front of a server on loopback, with a certificate that nobody trusts unless told to.

The certificate and its key are made for these tests and good for nothing else (`openssl req -x509 -days 36500
-addext subjectAltName=DNS:localhost,IP:127.0.0.1 ...`).
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType

CERTIFICATE = str(Path(__file__).with_name("loopback.pem"))


class TlsFront:
    """Takes TLS connections and hands what comes on to a port of this machine, and back.

    With `spoil`, what the server answers goes out as it is, outside TLS.
    """

    def __init__(self, port: int, *, spoil: bool = False) -> None:
        self._port = port
        self._spoil = spoil
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATE)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.handshakes = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                thread = threading.Thread(target=self._attend, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _attend(self, sock: socket.socket) -> None:
        self.handshakes += 1
        with (
            contextlib.suppress(OSError, ValueError),
            sock,
            self._context.wrap_socket(sock, server_side=True) as secure,
            socket.create_connection(("127.0.0.1", self._port)) as behind,
        ):
            while not self._stopping.is_set():
                ready = [secure] if secure.pending() else select.select([secure, behind], [], [], 0.02)[0]
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    if one is secure:
                        behind.sendall(data)
                    elif self._spoil:
                        socket.socket.sendall(secure, data)
                    else:
                        secure.sendall(data)

    def __enter__(self) -> TlsFront:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
