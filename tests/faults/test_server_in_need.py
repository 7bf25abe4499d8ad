"""A server that runs while its disk fills or its files run out.

It says so in a sentence, acknowledges nothing that it did not keep, goes on with what needs no
disk, and is well again when the need is over, without a restart.
"""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.web.conftest import STONE
from tests.web.serving import command, make_key, serving, until


@pytest.fixture
def disk(file_system, tmp_path):
    """A small file system for a server's data."""
    return file_system("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=16m")


@contextlib.contextmanager
def asking(server, key):
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=20
    ) as api:
        yield api


def test_a_disk_that_fills_while_it_serves(disk):
    data = disk / "data"
    key = make_key(data, "t", "quote")
    with serving(data) as server, asking(server, key) as api:
        kept = [api.post("/v1/quotes", json=STONE).json()]
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        unkept = 0
        for i in range(400):
            answer = api.post("/v1/quotes", json=STONE | {"carat": 0.5 + i / 1000})
            assert answer.status_code == (201 if answer.json()["id"] else 200)
            unkept += answer.status_code == 200
            if answer.status_code == 201:
                kept.append(answer.json())
            if unkept > 5:
                break
        assert unkept > 5
        assert api.post("/v1/what-if", json={"stone": STONE}).status_code == 200
        assert api.get("/").status_code == api.get("/health/ready").status_code == 200
        ballast.unlink()
        again = api.post("/v1/quotes", json=STONE)
        assert again.status_code == 201
        for quote in [*kept, again.json()]:
            assert api.get(f"/v1/quotes/{quote['id']}").json()["cents"] == quote["cents"]
    assert "not stored: the database failed: database or disk is full" in server.log.read_text()


SHUTDOWN, WITHOUT_FLUSHING = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN of the kernel, and its flag


def breaks(place):
    """Every call to this disk fails from now on (EIO), and what was not flushed is gone."""
    handle = os.open(place, os.O_RDONLY)
    fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING))
    os.close(handle)


def goes_read_only(place):
    """As ext4 does after a fault of the disk: writes fail (EROFS), reads go on."""
    subprocess.run(["mount", "-o", "remount,abort", str(place)], capture_output=True)
    with pytest.raises(OSError, match="Read-only"):
        (place / "touched").touch()


@pytest.mark.parametrize("harm", [breaks, goes_read_only])
def test_a_disk_that_fails_while_it_serves(harm, file_system, tmp_path):
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    with image.open("wb") as made:
        made.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    file_system(str(image), place, "-o", "loop,errors=remount-ro")
    data, database = tmp_path / "data", ["--database", f"sqlite:///{place}/service.db"]
    key = make_key(data, "t", "quote", *database)
    with serving(data, *database) as server, asking(server, key) as api:
        kept = [
            api.post("/v1/quotes", json=STONE | {"carat": 0.5 + i / 1000}).json()
            for i in range(20)
        ]
        assert all(quote["id"] for quote in kept)
        harm(place)
        for i in range(6):
            answer = api.post("/v1/quotes", json=STONE | {"carat": 0.7 + i / 1000})
            assert (answer.status_code, answer.json()["id"]) == (200, None)
            assert answer.headers["X-Quote-Stored"] == "no"
        assert api.get(f"/v1/quotes/{kept[0]['id']}").status_code in (200, 503)
        assert api.post("/v1/what-if", json={"stone": STONE}).status_code == 200
        assert api.get("/").status_code == 200
    assert "not stored: the database failed" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()
    subprocess.run(["umount", str(place)], check=True)
    file_system(str(image), place, "-o", "loop")
    with serving(data, *database) as server, asking(server, key) as api:
        for quote in kept:
            assert api.get(f"/v1/quotes/{quote['id']}").json()["cents"] == quote["cents"]
        assert api.post("/v1/quotes", json=STONE).status_code == 201


def test_a_server_that_is_killed_gives_its_port_back(tmp_path):
    """Not only its whole group: the process that was started, as by a kernel out of memory."""
    with serving(tmp_path) as server:
        with httpx.Client(base_url=server.url) as api:
            quote = api.post("/v1/quotes", json=STONE).json()
        worker = server.worker()
        server.process.kill()
        server.process.wait()
        until(lambda: not Path(f"/proc/{worker}").exists())
        socket.create_server(("127.0.0.1", server.port)).close()
    with serving(tmp_path) as server, httpx.Client(base_url=server.url) as api:
        assert api.get(f"/v1/quotes/{quote['id']}").json()["cents"] == quote["cents"]


def test_more_connections_than_files(tmp_path, monkeypatch):
    key = make_key(tmp_path, "t", "quote")
    monkeypatch.setattr(
        "tests.web.serving.command",
        lambda *words: ["prlimit", "--nofile=160", *command(*words)],
    )
    with serving(tmp_path) as server, asking(server, key) as api:
        kept = [api.post("/v1/quotes", json=STONE).json()]
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
        # Who is connected already is served as before, and quotes are kept.
        for i in range(4):
            answer = api.post("/v1/quotes", json=STONE | {"carat": 0.5 + i / 1000})
            assert answer.status_code == 201
            kept.append(answer.json())
            # What opens files works as well.
            assert api.get(f"/v1/quotes/{kept[-1]['id']}.pdf").content.startswith(b"%PDF")
        for waiting in crowd:
            waiting.close()
        server.await_ready()
        for quote in kept:
            assert api.get(f"/v1/quotes/{quote['id']}").json()["cents"] == quote["cents"]
    assert "Too many open files" not in server.log.read_text()
