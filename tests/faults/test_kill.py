"""Whatever dies at any system call leaves the old state or the new one, and nothing else.

The fit of a refit is taken from a fit made before, so that a kill costs a fraction of a
second; everything that reads and writes is the real thing. TORTURE_KILLS sets how many kill
points of each sweep are tried; `make torture` tries them all.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from diamond_pricing.refit import run as running
from diamond_pricing.refit.run import refit
from diamond_pricing.registry import LocalStore, Registry
from tests.faults.killing import forked, killed_at
from tests.faults.scenarios import SAID, names
from tests.web.serving import command

KILLS = int(os.environ.get("TORTURE_KILLS", "16"))

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ptrace is Linux's")


@pytest.mark.parametrize("scene", names(), indirect=True)
def test_killed_anywhere_it_is_as_before_or_as_after(scene, tmp_path, request):
    place = tmp_path / "place"

    def killed(stop, told=False):
        shutil.rmtree(place, ignore_errors=True)
        scene.prepare(place)
        end = killed_at(stop, lambda tell: scene.work(place, tell), told=told)
        try:
            scene.check(place, end.told)
        except Exception as error:
            raise AssertionError(f"killed at {stop}, {told=}, told {end.told}") from error
        if stop % 7 == 0:  # the next one goes on as if nothing had been
            scene.work(place, list)
        return end

    whole = killed(0)
    assert whole.code == 0
    stops = whole.passed
    if stops <= KILLS:
        points = list(range(1, stops + 1))
    else:
        low, high = 1, stops  # the call that makes the first thing happen, and those around it
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if killed(middle).told else (middle, high)
        before = range(max(high - KILLS // 2, 1), high)
        points = [*before, *np.linspace(1, stops, KILLS // 3).astype(int).tolist()]
    ends = [killed(stop) for stop in dict.fromkeys(points) if 0 < stop <= stops]
    ends += [killed(stop, told=True) for stop in range(1, min(KILLS // 4, 50) + 1)]
    ends = [end for end in ends if end.code is None]  # others ended before that stop
    acknowledged = sum(bool(end.told) for end in ends)
    print(
        f"{request.node.callspec.id}: {len(ends)} kills at {stops} stops, {acknowledged} told"
    )
    assert 0 < acknowledged < len(ends)


def test_a_report_that_is_killed_is_whole_or_not_there(tmp_path):
    """The kernel that renders it is left without anyone to answer, and ends by itself."""
    stone, place = ["--stone", "1.01 Ideal E VS1"], tmp_path / "out"
    words = command("report", "quote", *stone, "--out", str(place))
    began = time.monotonic()
    subprocess.run(words, check=True, capture_output=True)
    took = time.monotonic() - began
    whole = {file.name: file.stat().st_size for file in place.iterdir()}
    assert set(whole) == {"quote.html", "quote.pdf"}
    for share in np.linspace(0.3, 1, max(3, KILLS // 8)).tolist():
        shutil.rmtree(place)
        place.mkdir()
        (place / "quote.html").write_text("an older one")
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(share * took)
        process.kill()
        process.wait()
        for file in place.iterdir():
            if file.name == "quote.html" and file.read_text() == "an older one":
                continue
            if file.name in whole:  # the date of the day and the times of cells differ
                assert abs(file.stat().st_size - whole[file.name]) < 64, (share, file.name)
    subprocess.run(words, check=True, capture_output=True)
    assert {file.name for file in place.iterdir()} >= set(whole)


def test_a_full_disk_leaves_the_old_model_and_says_so(ready, other, tmp_path, monkeypatch):
    """Writes fail after so many bytes, at every place in turn, as on a disk that fills up."""
    monkeypatch.setattr(running, "fit", lambda *_, **__: other)
    old = Registry(LocalStore(ready / "home")).active().sha256
    place = tmp_path / "place"
    for room in (0, 1_000, 20_000, 200_000, 600_000, 1_200_000, 3_000_000):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(ready, place)
        pid = forked()
        if pid == 0:
            import resource

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
            try:
                refit(place / "inbox", LocalStore(place / "home"), **SAID)
            except OSError:
                os._exit(3)
            except BaseException:
                os._exit(9)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        registry = Registry(LocalStore(place / "home"))
        assert registry.verify() == []
        active = registry.active().sha256
        assert (os.WEXITSTATUS(status), active) in ((3, old), (0, other.sha256)), room
    assert active == other.sha256
