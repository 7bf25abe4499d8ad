"""The power goes at a random moment: what was acknowledged is there, the rest whole or absent.

The work goes on on an ext4 file system within a loop device. At random moments the device is
copied as it stands: by a reflink of XFS, which takes no time and stops no writer. A copy holds
what had been sent to the device and nothing of what the kernel still kept in memory, as after a
power cut; it is mounted, which replays the journal, and looked at as the next user would.

The same without flushing must fail, or the test would show nothing. TORTURE_POWER sets how many
cuts each scenario gets.
"""

import os
import random
import select
import shutil
import signal
import subprocess
import time

import pytest

from tests.faults.killing import ACKNOWLEDGING, FORESEEN, UNFORESEEN, forked, tell_by
from tests.faults.scenarios import names

CUTS = int(os.environ.get("TORTURE_POWER", "4"))
IMAGE = 192 * 2**20
HOMES = 5  # places that are made ready at once, for work that can be done once


@pytest.fixture
def device(file_system, tmp_path):
    """An ext4 file system within a file that can be copied at once; gives file and place."""
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("mkfs.xfs is not installed")
    outer, image = tmp_path / "outer.img", tmp_path / "outer" / "inner.img"
    _sparse(outer, 8 * IMAGE)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(outer)], check=True)
    file_system(str(outer), tmp_path / "outer", "-o", "loop")
    _sparse(image, IMAGE)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    return image, file_system(str(image), tmp_path / "inner", "-o", "loop")


def _sparse(file, size):
    with file.open("wb") as made:
        made.truncate(size)


class Working:
    """A child that works in one place after another, and what it has acknowledged so far."""

    def __init__(self, scene, places, flushing):
        self.told = {place: [] for place in places}
        reading, writing = os.pipe()
        self.child = forked()
        if self.child == 0:
            try:
                os.close(reading)
                os.dup2(writing, ACKNOWLEDGING)
                for stream in (1, 2):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
                if not flushing:
                    _without_flushing()
                for i, place in enumerate(places):
                    scene.work(place, lambda text, i=i: tell_by(f"{i} {text}"))
                os._exit(0)
            except BaseException:
                os._exit(UNFORESEEN)
        os.close(writing)
        self.pipe, self.places, self._rest = reading, places, b""

    def heard(self):
        """Take in what has been acknowledged up to now; say whether the child still works."""
        while select.select([self.pipe], [], [], 0)[0]:
            read = os.read(self.pipe, 1 << 16)
            if not read:
                return False
            *lines, self._rest = (self._rest + read).split(b"\n")
            for line in lines:
                i, _, text = line.decode().partition(" ")
                self.told[self.places[int(i)]].append(text)
        return True

    def end(self):
        os.kill(self.child, signal.SIGKILL)
        _, status = os.waitpid(self.child, 0)
        os.close(self.pipe)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None


def _without_flushing():
    from diamond_pricing.web.storage import database

    os.fsync = os.fdatasync = lambda _: None
    prepared = database._prepared

    def careless(connection, record):
        prepared(connection, record)
        connection.execute("PRAGMA synchronous = OFF")

    database._prepared = careless


def cut(scene, device, file_system, tmp_path, cuts, flushing=True):
    """Cut the power so many times; give how often there was loss, and what it was."""
    image, inner = device
    losses, done, told, generation = [], 0, 0, 0
    chance = random.Random(0)
    while done < cuts:
        places = [inner / f"{generation}-{i}" for i in range(HOMES)]
        for place in places:
            scene.prepare(place)
        subprocess.run(["sync", "-f", str(inner)], check=True)
        working = Working(scene, places, flushing)
        alive = True
        while alive and done < cuts:
            time.sleep(chance.uniform(0.005, 0.15))
            alive = working.heard()
            known = {place: list(said) for place, said in working.told.items()}
            copy = image.with_name(f"cut{done}.img")
            subprocess.run(["cp", "--reflink=always", str(image), str(copy)], check=True)
            alive = alive and working.heard()
            done += 1
            told += sum(map(len, known.values()))
            try:
                _looked_at(
                    scene, copy, inner, known, working.told, file_system, tmp_path / "cut"
                )
            except Exception as error:
                losses.append(f"cut {done}: {type(error).__name__} {error}"[:300])
            copy.unlink()
        assert working.end() in (0, FORESEEN, None)
        for place in places:
            shutil.rmtree(place)
        generation += 1
    return losses, told


def _looked_at(scene, copy, inner, known, later, file_system, mounted):
    """Mount a copy and check each place in it against what had been told when it was made."""
    file_system(str(copy), mounted, "-o", "loop")
    try:
        begun = sum(map(bool, known.values()))
        for place in list(known)[: begun + 1]:
            told, there = known[place], mounted / place.relative_to(inner)
            # While the copy was being made more may have been acknowledged.
            for count in range(len(told), len(later[place]) + 1):
                try:
                    scene.check(there, later[place][:count])
                    break
                except AssertionError:
                    if count == len(later[place]):
                        raise
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.parametrize("scene", names(), indirect=True)
def test_a_power_cut_loses_nothing_that_was_acknowledged(
    scene, device, file_system, tmp_path, request
):
    losses, told = cut(scene, device, file_system, tmp_path, CUTS)
    print(
        f"{request.node.callspec.id}: {CUTS} power cuts, {told} acknowledged, {len(losses)} lost"
    )
    assert losses == []


@pytest.mark.parametrize("scene", ["quotes", "promotions"], indirect=True)
def test_without_flushing_a_power_cut_is_noticed(scene, device, file_system, tmp_path):
    """The control: if this found nothing, the test above would mean nothing."""
    cuts = max(CUTS, 10)
    losses, told = cut(scene, device, file_system, tmp_path, cuts, flushing=False)
    print(f"without flushing: {cuts} power cuts, {told} acknowledged, {len(losses)} with loss")
    assert losses
