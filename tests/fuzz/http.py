"""The whole application in this process: a request as text goes in, a status comes out."""

import asyncio
import io
import logging
import os
import re
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from diamond_pricing.web.app import create_app
from diamond_pricing.web.settings import Limits, Settings
from diamond_pricing.web.storage import Database
from diamond_pricing.web.storage.keys import create_key

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # servers let no other header through
_BARE = re.compile(rb"[^ -~]")  # nor such bytes in a target, but as %XX
SECRET = "0" * 64
STREAMED = (b"transfer-encoding", b"content-length")  # what the server in front would look at


# A disk in memory, where there is one: many files are flushed to it.
SHARED = Path("/dev/shm")
QUICK = os.environ.get("TMPDIR") or (str(SHARED) if SHARED.is_dir() else None)


class Application:
    """One application with keys and a database, and a loop to run it in."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="dp-fuzz-", dir=QUICK)
        limits = Limits(rows=2000, batch=1 << 20, patience=5.0)
        settings = Settings(
            data=Path(self.folder.name), limits=limits, poll=3600.0, access_log=False
        )
        (settings.data / "secret").write_text(SECRET)
        database = Database(settings.url)
        database.upgrade()
        made = create_key(database, SECRET.encode(), "acme", ["quote", "batch"], by="fuzz")
        database.close()
        self.token = made
        self.loop = asyncio.new_event_loop()
        self.door = create_app(settings)
        self.running = self.door.service.running()
        self.loop.run_until_complete(self.running.__aenter__())
        self.unforeseen: list[BaseException] = []
        log = logging.getLogger("diamond_pricing.web")
        log.addHandler(handler := _Kept(self.unforeseen))
        log.propagate = False
        self.handler = handler
        # The sales are read once, instrumented, which a busy machine takes its time for.
        self.ask(b"GET /?carat=1&cut=Ideal&color=E&clarity=VS1\n\n", 600)

    def ask(self, text: bytes, patience: float = 20) -> int:
        """Send a request, ``METHOD target``, headers, an empty line, the body; its status."""
        head, _, body = text.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        first = _BARE.sub(lambda found: b"%%%02X" % ord(found[0]), first)
        method, _, target = first.partition(b" ")
        path, _, query = target.partition(b"?")
        headers = [(b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())]
        for line in lines:
            name, colon, value = line.partition(b":")
            if colon and _NAME.fullmatch(name) and name.lower() not in STREAMED:
                headers.append((name.lower(), value.strip()))
        shown = b"/" + path.lstrip(b"/") if not path.startswith(b"/") else path
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": _method(method),
            "path": unquote(shown.decode("latin-1")),
            "raw_path": shown,
            "root_path": "",
            "query_string": query,
            "headers": headers,
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "state": {},
        }
        answered = asyncio.wait_for(self._answer(scope, body), patience)
        status = self.loop.run_until_complete(answered)
        if self.unforeseen:
            error = self.unforeseen[0]
            self.unforeseen.clear()
            raise error
        return status

    async def _answer(self, scope: dict[str, Any], body: bytes) -> int:
        status = 0
        sent = io.BytesIO()
        asked = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return asked.pop() if asked else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                for name, value in message["headers"]:
                    assert b"\n" not in name + value
                    assert b"\r" not in name + value
            else:
                sent.write(message.get("body", b""))

        await self.door(scope, receive, send)  # type: ignore[arg-type]
        return status

    def close(self) -> None:
        """End what the application has begun."""
        with suppress(RuntimeError):  # as the interpreter ends, no thread begins any more
            self.loop.run_until_complete(self.running.__aexit__(None, None, None))
        self.loop.close()
        logging.getLogger("diamond_pricing.web").removeHandler(self.handler)
        self.folder.cleanup()


class Answering:
    """A server on loopback that answers every request with the bytes it was given last."""

    def __init__(self) -> None:
        self.answer = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            with self.socket.accept()[0] as asked, suppress(OSError):
                while not asked.recv(65536).endswith(b"\r\n\r\n"):
                    pass
                asked.sendall(self.answer)


class _Kept(logging.Handler):
    """Keeps what the server calls unforeseen."""

    def __init__(self, found: list[BaseException]) -> None:
        super().__init__()
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.found.append(record.exc_info[1])


def _method(given: bytes) -> str:
    known = (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH")
    return (given if given in known else known[len(given) % len(known)]).decode()
