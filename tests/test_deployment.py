"""What is handed out for running a server is complete and passes the linters of its kind."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from diamond_pricing.cli import cli

DEPLOY = Path(__file__).parent.parent / "scripts" / "deploy"
TOOLS = Path(sys.executable).parent


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True)


def test_the_dockerfile_passes_hadolint():
    done = run(TOOLS / "hadolint", "--failure-threshold", "style", DEPLOY / "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_what_the_dockerfile_copies_is_enough_to_build(tmp_path):
    """There is no Docker engine here: its COPY lines are carried out by hand."""
    stage = (DEPLOY / "Dockerfile").read_text().split("\nFROM ")[1]
    root = DEPLOY.parent.parent
    copies = re.findall(r"^COPY (.+)$", stage, re.MULTILINE)
    assert copies
    for line in copies:
        *sources, target = line.split()
        for source in sources:
            found = sorted(root.glob(source))
            assert found, source
            for file in found:
                if file.is_dir():
                    shutil.copytree(file, tmp_path / target)
                else:
                    (tmp_path / target).mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, tmp_path / target)
    done = run(
        TOOLS / "uv",
        "build",
        "--quiet",
        "--wheel",
        "--python",
        sys.executable,
        "--build-constraint",
        root / "requirements-build.lock",
        "--out-dir",
        tmp_path / "built",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    wheel = zipfile.ZipFile(next((tmp_path / "built").glob("*.whl"))).namelist()
    assert "diamond_pricing/reporting/sources/price_list.qmd" in wheel
    assert "diamond_pricing/model/data/" in " ".join(wheel)


def test_the_compose_file_has_the_shape_of_one():
    done = run(
        TOOLS / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        DEPLOY / "compose.yaml",
    )
    assert done.returncode == 0, done.stdout


def test_the_unit_passes_systemds_own_check():
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    done = run("systemd-analyze", "verify", "--man=no", DEPLOY / "diamond-pricing.service")
    said = [
        line
        for line in done.stderr.splitlines()
        # the program is not installed there on this machine
        if "diamond-pricing.service" in line and "is not executable" not in line
    ]
    assert said == []


def test_what_they_start_is_a_command_with_options_that_exist():
    found = []
    for file in sorted(DEPLOY.iterdir()):
        text = file.read_text()
        if file.name == "Dockerfile":
            words = re.findall(r'CMD \["(serve.*?)\]', text)[0].replace('"', "").split(", ")
            found.append(words)
        found += [m.split() for m in re.findall(r"bin/diamond-pricing (serve .*)", text)]
        found += [m.split() for m in re.findall(r"prices (keys create .*)", text)]
    assert len(found) == 3
    for words in found:
        command = cli
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {w for w in words if w.startswith("--")} <= known
