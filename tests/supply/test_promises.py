"""What is promised of the code. ruff's S and import-linter hold most at each `make test`;
`make audit` runs the rules of scripts/promises, all of which have examples."""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

from scripts.locks import ROOT

PROMISES = ROOT / "scripts" / "promises"
CODE = [*ROOT.glob("diamond_pricing/**/*.py"), *ROOT.glob("scripts/*.py")]
MARKED = re.compile(r"(?:#|<!--) ruleid: ([\w-]+)")
# What ruff finds of the examples, without semgrep.
RUFF = {
    "no-pickles": {"S301", "S302", "S403"},
    "no-code-from-data": {"S102", "S307"},
    "yaml-is-loaded-safely": {"S506"},
    "no-shell": {"S602", "S605"},
    "page-code-escapes": {"S701", "S704"},
    "no-archive-is-unpacked": {"S202"},
    "certificates-are-checked": {"S323", "S501"},
    "no-broken-hashes": {"S324"},
    "secrets-are-not-from-a-generator": {"S311"},
    "temporary-names-are-taken-at-once": {"S306"},
    "sql-takes-parameters": {"S608"},
}


def test_every_rule_has_examples():
    rules = {
        rule["id"] for rule in yaml.safe_load((PROMISES / "promises.yaml").read_text())["rules"]
    }
    marked = [MARKED.findall(file.read_text()) for file in PROMISES.glob("promises.[ph]*")]
    assert len(rules) >= 15
    assert {name for names in marked for name in names} == rules


def test_ruff_finds_what_it_is_relied_on_for():
    examples = PROMISES / "promises.py"
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ruff"),
            "check",
            "--isolated",
            "--select",
            "S",
            "--ignore-noqa",
            "--output-format",
            "json",
            examples,
        ],
        capture_output=True,
        text=True,
    )
    found = {(one["location"]["row"], one["code"]) for one in json.loads(done.stdout)}
    lines = examples.read_text().splitlines()
    for rule, codes in RUFF.items():
        rows = {i + 2 for i, line in enumerate(lines) if f"ruleid: {rule}" in line}
        assert {code for row, code in found if row in rows} & codes, rule


def test_no_security_finding_is_silenced_without_a_reason():
    for file in CODE:
        for line in file.read_text().splitlines():
            if re.search(r"# noqa:.*\bS\d{3}\b", line):
                assert re.search(r"# noqa: S\d{3} +\w", line), f"{file}: {line}"


def test_templates_and_the_page_escape():
    for file in ROOT.glob("diamond_pricing/web/page/**/*.html"):
        assert not re.search(r"\|\s*safe\b|autoescape\s+false", file.read_text()), file
    views = (ROOT / "diamond_pricing/web/page/render.py").read_text()
    assert "autoescape=True" in views
