"""The schedules that we hand out are complete and read without complaint by what runs them."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
import yaml

from diamond_pricing.cli import cli

SCHEDULES = Path(__file__).parent.parent / "scripts" / "schedule"


def commands():
    for file in sorted(SCHEDULES.iterdir()):
        for line in file.read_text().splitlines():
            if line.lstrip().startswith("#"):
                continue
            for words in re.findall(
                r"diamond-pricing(?:\.exe)?(?:</Command>)? (refit [^>|;]*)", line
            ):
                yield file.name, words


def test_every_command_in_a_schedule_is_one():
    found = list(commands())
    assert {name for name, _ in found} == {
        "crontab",
        "diamond-refit.service",
        "refit-workflow.yml",
    }
    known = {
        o for p in cli.commands["refit"].params for o in p.opts if isinstance(p, click.Option)
    }
    for _, words in found:
        assert set(re.findall(r"--[a-z-]+", words)) <= known


def test_the_shell_of_the_crontab_reads():
    (line,) = [
        x for x in (SCHEDULES / "crontab").read_text().splitlines() if x.startswith("30 2 ")
    ]
    command = line.split(None, 5)[5]
    assert "%" not in command, "cron would take it for a line break"
    subprocess.run(["sh", "-n", "-c", command], check=True)


@pytest.mark.parametrize("name", ["diamond-refit.service", "diamond-refit.timer"])
def test_the_systemd_units_read(name, tmp_path):
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str
    unit.read_string((SCHEDULES / name).read_text())
    assert unit["Install"]["WantedBy"]
    if name.endswith(".service"):
        assert unit["Service"]["SuccessExitStatus"] == "11"
    if shutil.which("systemd-analyze"):
        text = (
            (SCHEDULES / name)
            .read_text()
            .replace("/srv/diamonds/venv/bin/diamond-pricing", "/bin/true")
        )
        for other in SCHEDULES.glob("diamond-refit.[st]*"):
            (tmp_path / other.name).write_text(
                other.read_text().replace("/srv/diamonds/venv/bin/diamond-pricing", "/bin/true")
            )
        (tmp_path / name).write_text(text)
        told = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert name not in told.stderr, told.stderr


def test_the_windows_task_reads():
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    task = ElementTree.parse(SCHEDULES / "diamond-refit.xml").getroot()
    words = task.find("t:Actions/t:Exec/t:Arguments", space).text
    assert words.startswith("refit --inbox ")
    assert task.find("t:Settings/t:MultipleInstancesPolicy", space).text == "IgnoreNew"


def test_the_workflow_reads_and_its_shell_too(tmp_path):
    flow = yaml.safe_load((SCHEDULES / "refit-workflow.yml").read_text())
    assert flow["concurrency"]["cancel-in-progress"] is False
    (step,) = [s for s in flow["jobs"]["refit"]["steps"] if s.get("name") == "Refit"]
    subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (11, 0), (10, 10), (12, 12), (2, 2)])
def test_the_workflow_passes_on_what_somebody_should_look_at(tmp_path, code, expected):
    flow = yaml.safe_load((SCHEDULES / "refit-workflow.yml").read_text())
    (step,) = [s for s in flow["jobs"]["refit"]["steps"] if s.get("name") == "Refit"]
    fake = tmp_path / "diamond-pricing"
    fake.write_text(f"#!/bin/sh\necho decided\nexit {code}\n")
    fake.chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", step["run"]],
        cwd=tmp_path,
        check=False,
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "sum"),
            "FORCE": "",
        },
    )
    assert done.returncode == expected
    assert (tmp_path / "sum").read_text() == "decided\n"
