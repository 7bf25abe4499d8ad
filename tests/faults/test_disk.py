"""Disks that are full, read-only or fail: the old model stays, the error says so.

A real file system of a few pages is mounted where the machine allows it; there is no more
room on it than is left free, so that each write of a refit is in turn the one that fails.
"""

import os
import shutil
import subprocess

import numpy as np
import pytest

from diamond_pricing.cli import main
from diamond_pricing.refit import run as running
from diamond_pricing.registry import LocalStore, Registry

STEPS = int(os.environ.get("TORTURE_DISKS", "16"))
PAGE = 4096


@pytest.fixture
def mounted(file_system, tmp_path):
    """Mount a file system of so many bytes, with a copy of a folder on it."""
    places = []

    def mount(size, content):
        place = tmp_path / f"disk{len(places)}"
        places.append(file_system("tmpfs", place, "-t", "tmpfs", "-o", f"size={size}"))
        shutil.copytree(content, place / "home")
        return place / "home"

    return mount


def used(place):
    return sum(-(-p.stat().st_size // PAGE) * PAGE for p in place.rglob("*") if p.is_file())


def refit(inbox, home):
    return main(["refit", "--inbox", str(inbox), "--home", str(home)])


def test_a_full_file_system(ready, other, mounted, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(running, "fit", lambda *_, **__: other)
    plenty = mounted(64 * 2**20, ready / "home")
    old = Registry(LocalStore(plenty)).active().sha256
    before = used(plenty)
    assert refit(ready / "inbox", plenty) == 0
    need = used(plenty) - before
    seen = set()
    for free in np.linspace(PAGE, need + 16 * PAGE, STEPS).astype(int).tolist():
        home = mounted(before + free, ready / "home")
        capsys.readouterr()
        code = refit(ready / "inbox", home)
        registry = Registry(LocalStore(home))
        assert registry.verify() == [], free
        active = registry.active().sha256
        assert (code, active) in ((2, old), (0, other.sha256)), free
        if code:
            assert "No space left" in capsys.readouterr().err
        seen.add(code)
    assert seen == {0, 2}


def test_a_read_only_file_system(ready, other, mounted, monkeypatch, capsys):
    monkeypatch.setattr(running, "fit", lambda *_, **__: other)
    home = mounted(64 * 2**20, ready / "home")
    subprocess.run(["mount", "-o", "remount,ro", str(home.parent)], check=True)
    old = Registry(LocalStore(home)).active().sha256
    capsys.readouterr()
    assert refit(ready / "inbox", home) == 2
    assert "ead-only" in capsys.readouterr().err
    # Reading goes on: a decision without writing, the list, the check.
    assert (
        main(["refit", "--dry-run", "--inbox", str(ready / "inbox"), "--home", str(home)]) == 0
    )
    for words in (["list"], ["verify"], ["show", old]):
        assert main(["registry", *words, "--home", str(home)]) == 0
