"""Nothing that must not be published is in a file that git knows; `make audit` looks through
all of history."""

import subprocess

import pytest

from scripts import leaks

# Taken apart, so that they are not found here.
EXAMPLES = {
    "a key of a server of ours": "dp_" + "0123456789ab_" + "aB3_-" * 8 + "xyz",
    "a private key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "a key of AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a token of GitHub": "ghp_" + "a1B2" * 9,
    "a token of Slack": "xoxb-" + "1234567890",
    "a token of a registry": "npm_" + "a1B2" * 9,
    "a signed token": "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0In0" + ".abcdefghij",
    "a password in an address": "postgresql://" + "prices:secret@db/prices",
    "the host of a registry": "https://" + "pypi" + ".org/simple",
    "a path of a machine": 'open("' + "/root" + '/.ssh/id")',
}


def in_git() -> None:
    try:
        subprocess.run(["git", "rev-parse"], cwd=leaks.ROOT, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no clone")


def test_the_tree_is_clean():
    in_git()
    assert leaks.looked(leaks.tree()) == []


@pytest.mark.parametrize("kind", leaks.LEAKS)
def test_each_kind_is_found_with_its_place(kind):
    text = f"one line\nand {EXAMPLES[kind]} in another\n"
    assert [leak for leak in leaks.leaks("f", text.encode()) if leak.kind == kind] == [
        ("f", 2, kind)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://db/prices",
        "s3://bucket/home",
        "Bearer dp_<id>_<secret>",
        "~/work/sales.csv",
        "$HOME/tmp/x",
        "https://example.org/root/a",
        "data/home/x",
        "maintainers@example.org",
    ],
)
def test_what_is_harmless_is_not(text):
    assert list(leaks.leaks("f", text.encode())) == []


def test_history_holds_what_was_taken_away_again(tmp_path, monkeypatch):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    in_git()
    git("init")
    (tmp_path / "a.txt").write_text(EXAMPLES["a key of AWS"])
    git("add", "a.txt")
    git("commit", "-m", "one")
    git("rm", "a.txt")
    git("commit", "-m", EXAMPLES["a token of GitHub"])
    monkeypatch.setattr(leaks, "ROOT", tmp_path)
    assert leaks.looked(leaks.tree()) == []
    found = leaks.looked(leaks.history())
    assert {(leak.place[13:], leak.kind) for leak in found} == {
        ("a.txt", "a key of AWS"),
        ("commit", "a token of GitHub"),
    }
