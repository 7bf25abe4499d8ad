"""What is installed is what the locks say, byte for byte: with the Makefile's own options, on
wheels made here, so that no registry is needed."""

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts.locks import LOCKS, PINNED, ROOT, canonical, pins

WRONG = "0" * 64
OPTIONS = re.search(r"^LOCKED\s*:= (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
INSTALLS = ("Makefile", "scripts/deploy/Dockerfile")
BACKEND = """
import zipfile

def build_wheel(directory, *_):
    with zipfile.ZipFile(f"{directory}/built-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("built-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: built\\nVersion: 1\\n")
        wheel.writestr("built-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("built-1.dist-info/RECORD", "")
    return "built-1-py3-none-any.whl"
"""


def made(folder: Path, name: str, code: str) -> str:
    """The SHA-256 of a wheel of one module that is written there."""
    file = folder / f"{name}-1-py3-none-any.whl"
    info = f"{name}-1.dist-info"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def place(tmp_path):
    """A project that needs `gem` to run and `setter` to build, with locks of both."""
    for name, code in (("gem", ""), ("setter", BACKEND)):
        lock = {"gem": "requirements.lock", "setter": "requirements-build.lock"}[name]
        found = made(tmp_path, name, code)
        (tmp_path / lock).write_text(f"{name}==1 --hash=sha256:{found}\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setter"]\nbuild-backend = "setter"\n'
    )
    return tmp_path


def installed(place: Path, *what: str) -> subprocess.CompletedProcess:
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.exists() else shutil.which("uv")
    if program is None:
        pytest.skip("uv is not installed; make test installs it")
    return subprocess.run(
        [
            program,
            "pip",
            "install",
            *OPTIONS.split(),
            "--no-index",
            "--find-links",
            place,
            "--python",
            sys.executable,
            "--target",
            place / "there",
            *what,
        ],
        cwd=place,
        # Nothing from a cache; settings of the user's do not loosen what is tested.
        env={k: v for k, v in os.environ.items() if not k.startswith("UV_")}
        | {"UV_CACHE_DIR": str(place / "cache"), "UV_NO_CONFIG": "1"},
        capture_output=True,
        text=True,
    )


def tamper(lock: Path) -> None:
    lock.write_text(re.sub(r"[0-9a-f]{64}", WRONG, lock.read_text()))


def test_what_has_the_hashes_of_the_locks_is_installed(place):
    done = installed(place, "gem", "./project")
    assert done.returncode == 0, done.stderr
    assert (place / "there" / "gem.py").exists()


def test_another_hash_is_refused(place):
    tamper(place / "requirements.lock")
    done = installed(place, "gem")
    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr
    assert not (place / "there" / "gem.py").exists()


def test_what_is_in_the_cache_already_is_refused_too(place):
    assert installed(place, "gem").returncode == 0
    shutil.rmtree(place / "there")
    tamper(place / "requirements.lock")
    assert "Hash mismatch" in installed(place, "gem").stderr


def test_another_hash_of_what_builds_is_refused(place):
    tamper(place / "requirements-build.lock")
    done = installed(place, "./project")
    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr


def test_what_builds_without_being_locked_is_refused(place):
    (place / "requirements-build.lock").write_text("")
    done = installed(place, "./project")
    assert done.returncode != 0
    assert "no trusted hash" in done.stderr


def test_every_install_is_held_to_the_locks():
    for name in INSTALLS:
        text = (ROOT / name).read_text().replace("\\\n", " ").replace("$(LOCKED)", OPTIONS)
        found = re.findall(r"pip install .*|pip sync .*", text)
        assert found, name
        for command in found:
            held = "--require-hashes" in command or (
                "--constraint requirements.lock" in command
                and "--build-constraint requirements-build.lock" in command
                and "--require-build-hashes" in command
            )
            assert held, command
            assert "--no-verify-hashes" not in command


def test_every_pin_has_a_hash():
    for lock in LOCKS:
        entries = PINNED.findall(lock.read_text())
        assert entries, lock
        assert all("--hash=sha256:" in rest for _, _, rest in entries), lock


def test_every_requirement_is_locked():
    """uv takes what no lock names without asking for a hash; so nothing may be missing."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = told["project"]
    wanted = {"requirements.lock": project["dependencies"]}
    for more in project["optional-dependencies"].values():
        wanted["requirements.lock"] = [*wanted["requirements.lock"], *more]
    wanted["requirements-build.lock"] = list(told["build-system"]["requires"])
    for group, more in told["dependency-groups"].items():
        wanted.setdefault(f"requirements-{group}.lock", []).extend(more)
    assert {lock.name for lock in LOCKS} == set(wanted)
    for lock, requirements in wanted.items():
        names = {canonical(re.match(r"[\w.-]+", given)[0]) for given in requirements}
        assert names - {"diamond-pricing"} <= set(pins(ROOT / lock)), lock


def test_nothing_is_installed_here_that_is_not_locked():
    locked: dict[str, set[str]] = {}
    for lock in LOCKS:
        if lock.name != "requirements-audit.lock":
            for name, versions in pins(lock).items():
                locked.setdefault(name, set()).update(versions)
    # Python brings pip and setuptools into a new environment.
    free = {"diamond-pricing", "pip", "setuptools"}
    for found in importlib.metadata.distributions():
        name = canonical(found.metadata["Name"])
        assert name in free or found.version in locked.get(name, ()), name
