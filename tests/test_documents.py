"""What the documents say runs, and their links lead somewhere."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import httpx
import pytest

from diamond_pricing import Stone, load_sales, packaged_model
from diamond_pricing.cli import main
from diamond_pricing.refit import run as running
from diamond_pricing.registry import LocalStore
from tests.conftest import MEASURES
from tests.web.serving import free_port

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "reports/*.md", "diamond_pricing/**/*.md")
    for file in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A block may stand in a list, and say before itself that it does not run, and why.
MARKED = re.compile(
    r"^(?P<indent> *)(?:<!-- not run: (?P<why>[^\n]+?) -->\n+ *)?```(?P<kind>[\w{}-]+)[^\n]*\n"
    r"(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
RUN = {"python", "sh", "bash", "js"}
SHOWN = {"text", "csv", "json", "toml", "html"}  # what is given or answered
SITE = {"{toctree}", "{image}", "{include}", "{eval-rst}"}


@dataclass(frozen=True)
class Block:
    """A block of code, where it stands, and why it does not run, if it does not."""

    file: Path
    kind: str
    code: str
    why: str

    @classmethod
    def of(cls, file: Path) -> list["Block"]:
        return [
            cls(file, m["kind"], dedent(m["code"]), m["why"] or "")
            for m in MARKED.finditer(file.read_text())
        ]


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


SESSIONS = [
    pytest.param(file, id=name(file))
    for file in DOCUMENTS
    if any(b.kind in RUN and not b.why for b in Block.of(file))
]


def test_there_is_something_to_run():
    assert len(DOCUMENTS) >= 30
    assert len(SESSIONS) >= 15


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_block_runs_or_says_why_not(file):
    found = Block.of(file)
    assert len(found) == len(re.findall(r"^ *```[\w{]", file.read_text(), re.MULTILINE))
    for block in found:
        if block.kind == "console":
            assert block.why, f"{name(file)}: a console block without a reason\n{block.code}"
        else:
            assert block.kind in RUN | SHOWN | SITE, f"{name(file)}: {block.kind}"
        if block.kind == "toml":
            tomllib.loads(block.code)
        if block.kind == "json":
            json.loads(block.code)


@pytest.mark.parametrize("file", SESSIONS)
def test_what_a_document_says_runs(file, tmp_path, monkeypatch, request):
    """Its blocks in their order, in one folder, as a reader would."""
    with Session(tmp_path, monkeypatch) as session:
        given = GIVEN.get(name(file))
        if given is not None:
            given(tmp_path, request)
        files = iter(FILES.get(name(file), ()))
        for block in Block.of(file):
            if block.kind in SHOWN and (target := next(files, "")):
                (tmp_path / target).write_text(block.code)
            if block.kind in RUN and not block.why:
                session.run(block)


class Session:
    """A folder in which blocks run one after the other; servers go on until the end."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.port = folder, free_port()
        self.names: dict = {"__name__": "document"}
        self.servers: list[subprocess.Popen] = []
        monkeypatch.chdir(folder)
        for variable in ("DIAMOND_PRICING_HOME", "DIAMOND_PRICING_MODEL"):
            monkeypatch.delenv(variable, raising=False)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
        }

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.terminate()
            server.wait(20)

    def run(self, block: Block) -> None:
        code = block.code.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        if "127.0.0.1" in code and not self.servers:
            self.serve("diamond-pricing serve --port 8000")
        if block.kind == "python" and "pyspark" not in code:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, name(block.file), "exec"), self.names)
            return
        if code.startswith("diamond-pricing serve"):
            return self.serve(code)
        words = PROGRAMS.get(block.kind, BASH)  # Spark gets a process, and warns there
        if not shutil.which(words[0]):
            pytest.skip(f"{words[0]} is not installed")
        done = subprocess.run(
            [*words, code], env=self.environment, capture_output=True, text=True, timeout=300
        )
        allowed = {0, *EXITS.get(name(block.file), ())}
        assert done.returncode in allowed, f"{code}\n{done.stdout}\n{done.stderr}"

    def serve(self, code: str) -> None:
        """Start the server that a block starts, and wait for it."""
        words = shlex.split(code.replace("8000", str(self.port)))
        if "--port" not in words:
            words += ["--port", str(self.port)]
        if "--data" not in words:
            words += ["--data", str(self.folder / "served")]
        words[0] = f"{Path(sys.executable).parent}/diamond-pricing"
        with (self.folder / "server.log").open("w") as log:
            started = subprocess.Popen(words, env=self.environment, stdout=log, stderr=log)
        self.servers.append(started)
        end = time.monotonic() + 40
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self.port}/health/ready").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())


PROGRAMS = {"js": ["node", "--input-type=module", "-e"], "python": [sys.executable, "-c"]}
BASH = ["bash", "-euo", "pipefail", "-c"]
COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]


def _home(folder: Path, request: pytest.FixtureRequest) -> None:
    """A home in which two models were active, as after two refits."""
    shutil.copytree(request.getfixturevalue("used_home"), folder / "home")
    (folder / "inbox").mkdir()


def _inbox(folder: Path, request: pytest.FixtureRequest) -> None:
    (folder / "inbox").mkdir()


def _sales(folder: Path, request: pytest.FixtureRequest) -> None:
    """Files of sales, by month and by day; a table of stones."""
    sales = load_sales()[COLUMNS].sample(3_600, random_state=3)
    (folder / "listings").mkdir()
    for i, month in enumerate(("2026-01", "2026-02", "2026-11-22")):
        part = sales.iloc[1200 * i : 1200 * (i + 1)].drop(columns=MEASURES)
        part.to_parquet(folder / "listings" / f"{month}.parquet")
    stones = sales.drop(columns="price").head(50)
    stones.to_parquet(folder / "stones.parquet")
    for i in (1, 2):
        stones.to_csv(folder / f"stones-{i}.csv.gz", index=False)


@pytest.fixture(scope="session")
def used_home(tmp_path_factory, sales, monotone, loglinear):
    place = tmp_path_factory.mktemp("used")
    (place / "inbox").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "fit", lambda *_, **__: monotone)
        sales[COLUMNS].sample(3_000, random_state=0).to_csv(
            place / "inbox" / "a.csv", index=False
        )
        store = LocalStore(place / "home")
        done = running.refit(
            place / "inbox",
            store,
            at="2026-01-01T00:00:00Z",
            by="a test",
            dry_run=False,
            force="",
        )
        assert done.verdict == "promoted"
    (place / "b.json").write_text(loglinear.to_json())
    words = ["registry", "promote", str(place / "b.json"), "--home", str(place / "home")]
    assert main([*words, "--reason", "a test"]) == 0
    return place / "home"


GIVEN = {
    "README.md": _inbox,
    "docs/how-to/refit-on-schedule.md": _home,
    "docs/how-to/roll-back.md": _home,
    "docs/how-to/onboard-an-expert.md": _home,
    "docs/reference/home.md": _home,
    "docs/how-to/fit-where-the-sales-are.md": _sales,
    "docs/how-to/price-in-the-warehouse.md": _sales,
}
# What is shown in a document is what its commands read, in the order in which it stands.
FILES = {
    "docs/how-to/price-a-batch.md": ("stock.csv", "stock.toml"),
    "docs/how-to/bring-your-own-data.md": ("german.csv", "home/sources/juwelier.toml"),
}
# A refit with nothing new says so by its exit code.
EXITS = {"README.md": (11,), "docs/how-to/refit-on-schedule.md": (11,)}


def test_the_explanation_in_the_readme_is_the_one_that_is_given():
    shown = BLOCK.search((ROOT / "README.md").read_text())
    assert shown[1] == "text"
    assert shown[2].strip() == str(packaged_model().explain(Stone(1.01, "Ideal", "E", "VS1")))


LEFT_BEHIND = re.compile(
    r"\b(?:parted by|taken apart|whoever|nobody|somebody|of theirs|of ours|in a sentence|surely"
    r"|as many sold for more|is none)\b",
    re.IGNORECASE,
)


def test_public_texts_are_in_words_that_people_use():
    from diamond_pricing.web.page.phrases import TEXTS

    texts = {
        f.name: f.read_text() for f in [ROOT / "README.md", *ROOT.glob("docs/how-to/*.md")]
    }
    texts |= {f"page: {name}": text for name, text in TEXTS["en"].items()}
    found = {
        name: LEFT_BEHIND.findall(text)
        for name, text in texts.items()
        if LEFT_BEHIND.search(text)
    }
    assert not found


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "`make demo`" in text
    assert "`make test`" in text


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()):
        assert (file.parent / target).exists(), target


def test_the_lock_and_the_build_name_no_host():
    locks = [file.name for file in ROOT.glob("requirements*.lock")]
    for name in (*locks, "Makefile", ".ci/run", "pyproject.toml"):
        assert "://" not in (ROOT / name).read_text(), name


def test_the_mark_up_in_the_documents_is_the_one_that_is_found():
    from diamond_pricing.exhibits import markup_table

    text = (ROOT / "docs/explanation/price-lists.md").read_text()
    assert BLOCK.search(text)[2].strip() == str(markup_table(packaged_model()))
