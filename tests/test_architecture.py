"""The floors hold at run time too: import-linter reads the source, this asks Python."""

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent

SCIENCE = {"scipy", "pandas", "statsmodels", "pygam", "patsy", "matplotlib", "sklearn"}
EXPLAIN = [
    "explain",
    "--carat",
    "1.01",
    "--cut",
    "Ideal",
    "--color",
    "E",
    "--clarity",
    "VS1",
    "--json",
]


SERVED = """
import asyncio, pathlib, tempfile
from diamond_pricing.web.app import create_app
from diamond_pricing.web.settings import Settings
from diamond_pricing import Stone

app = create_app(Settings(data=pathlib.Path(tempfile.mkdtemp()), store=False)).app
service = app.state.service
service.models.evidence(service.models.active, Stone(1.01, "Ideal", "E", "VS1"), 3)
app.openapi_schema.to_schema()
"""


def loaded(code: str) -> set[str]:
    look = f"{code}\nimport sys; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    answer = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import diamond_pricing",
        "import diamond_pricing.cli",
        "from diamond_pricing import packaged_model, Stone\n"
        "packaged_model().explain(Stone(1.01, 'Ideal', 'E', 'VS1'))",
        f"from diamond_pricing.cli import main\nmain({EXPLAIN!r})",
        "import diamond_pricing.web.serve, diamond_pricing.web.app, diamond_pricing.web.client",
        SERVED,
    ],
)
def test_pricing_loads_no_scientific_stack(code):
    found = loaded(code)
    assert {"diamond_pricing", "numpy"} <= found
    assert not found & SCIENCE


def test_what_is_looked_for_would_be_found():
    assert {"scipy", "pandas"} <= loaded("import diamond_pricing.fitting, scipy, pandas")


def test_fitting_names_pandas_only_when_it_fits():
    assert not loaded("import diamond_pricing.fitting") & SCIENCE


def test_no_load_path_can_run_code():
    """Python's own audit trail shows what is executed, unpickled or opened."""
    code = """
import sys
seen = []
sys.addaudithook(lambda event, args: seen.append(event))
from diamond_pricing import PriceModel, packaged_model
text = packaged_model().to_json()
seen.clear()
PriceModel.from_json(text)
assert not {e for e in seen if e in ("exec", "pickle.find_class", "marshal.loads", "open")}, seen
"""
    loaded(code)


def test_no_files_import_each_other():
    """Neither two nor more in a circle, at the top or within a function, or for types alone."""
    graph = grimp.build_graph("diamond_pricing", cache_dir=None)
    imports = {
        module: {
            imported
            for imported in graph.find_modules_directly_imported_by(module)
            if imported != module and not _package(imported)
        }
        for module in graph.modules
        if not _package(module)
    }
    TopologicalSorter(imports).prepare()  # raises CycleError with the circle


def _package(module):
    return (ROOT / module.replace(".", "/")).is_dir()
