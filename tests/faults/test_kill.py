"""A refit that dies at any system call leaves the old model or the new one, and nothing else.

The fit itself is taken from a fit made before, so that a kill costs a fraction of a second;
everything that reads and writes is the real thing. TORTURE_KILLS sets how many kill points
of the sweep are tried; `make torture` tries them all.
"""

import os
import shutil
import sys

import numpy as np
import pytest

from diamond_pricing.refit import run as running
from diamond_pricing.refit.run import refit
from diamond_pricing.registry import LocalStore, Registry
from tests.faults.conftest import SAID
from tests.faults.killing import killed_at

KILLS = int(os.environ.get("TORTURE_KILLS", "40"))

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ptrace is Linux's")


@pytest.mark.parametrize("scenario", ["next", "first"])
def test_killed_anywhere_the_home_has_the_old_model_or_the_new(
    scenario, ready, other, tmp_path, monkeypatch
):
    monkeypatch.setattr(running, "fit", lambda *_, **__: other)
    place = tmp_path / "place"

    def fresh():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(ready, place)
        if scenario == "first":
            shutil.rmtree(place / "home")

    def work():
        assert refit(place / "inbox", LocalStore(place / "home"), **SAID).verdict == "promoted"

    def now():
        model = Registry(LocalStore(place / "home")).active()
        return model.sha256 if model is not None else None

    fresh()
    old, entries = now(), len(Registry(LocalStore(place / "home")).entries())
    ended, acknowledged, stops = killed_at(0, work)
    assert ended
    assert acknowledged
    assert now() == other.sha256
    found = {}

    def new_after(stop):
        fresh()
        _, acknowledged, _ = killed_at(stop, work)
        registry = Registry(LocalStore(place / "home"))
        assert registry.verify() == [], f"killed at {stop} of {stops}"
        active = now()
        assert active in (old, other.sha256)
        assert not (acknowledged and active == old), f"lost at {stop}"
        assert len(registry.entries()) == entries + (active != old)
        if active == old and stop % 5 == 0:  # the next run goes on as if nothing had been
            work()
            assert registry.verify() == []
            assert now() == other.sha256
        found[stop] = active != old
        return found[stop]

    if stops <= KILLS:
        points = range(1, stops + 1)
    else:
        low, high = 1, stops  # the call that makes it happen, and those around it
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if new_after(middle) else (middle, high)
        around = range(max(high - KILLS // 4, 1), high + KILLS // 8)
        points = [*around, *np.linspace(1, high, KILLS // 3).astype(int).tolist()]
    for stop in points:
        if stop not in found and stop <= stops:
            new_after(stop)
    print(f"{scenario}: {len(found)} kills of {stops} stops, {sum(found.values())} new")
    assert set(found.values()) == {True, False}


def test_a_full_disk_leaves_the_old_model_and_says_so(ready, other, tmp_path, monkeypatch):
    """Writes fail after so many bytes, at every place in turn, as on a disk that fills up."""
    monkeypatch.setattr(running, "fit", lambda *_, **__: other)
    old = Registry(LocalStore(ready / "home")).active().sha256
    place = tmp_path / "place"
    for room in (0, 1_000, 20_000, 200_000, 600_000, 1_200_000, 3_000_000):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(ready, place)
        pid = os.fork()
        if pid == 0:
            import resource
            import signal

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
