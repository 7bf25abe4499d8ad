"""Run a report's cells in a kernel of their own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from diamond_pricing import errors
from diamond_pricing.errors import DiamondPricingError, ReportError
from diamond_pricing.reporting.inputs import CACHE
from diamond_pricing.reporting.source import PARAMETERS, Source

INLINE = re.compile(r"`\{python\} ([^`]+)`")
LONGEST = 900  # seconds of one cell


class _OwnPython(KernelSpecManager):
    """The Python that runs us, whatever kernels a user has registered."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def executed(
    source: Source,
    given: Mapping[str, Any],
    folder: str,
    tell: Callable[[int, int], None],
    shared: str = "",
) -> nbformat.NotebookNode:
    """Run every cell in ``folder``; prose gets the values of its inline expressions.

    The values of ``given`` are set behind the cell that declares the parameters; ``shared``
    is a folder where a report leaves fits for the next. See `render`.
    """
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = new_notebook(metadata=metadata)
    cells = []
    for i, cell in enumerate(source.cells):
        if cell.options is None:
            made = new_markdown_cell(cell.text)
        else:
            made = new_code_cell(cell.text, metadata={"options": cell.options})
            if tags := cell.options.get("tags"):
                made.metadata["tags"] = tags
        made["id"] = f"cell-{i}"
        cells.append((cell.line, made))
        if cell.options and PARAMETERS in cell.options.get("tags", []) and given:
            code = "\n".join(f"{name} = {value!r}" for name, value in given.items())
            hidden = {"options": {"include": False}, "tags": ["injected-parameters"]}
            cells.append((cell.line, new_code_cell(code, metadata=hidden, id="given")))
    notebook.cells = [made for _, made in cells]
    client = NotebookClient(notebook, timeout=LONGEST, resources={"metadata": {"path": folder}})
    manager = client.create_kernel_manager()
    manager.kernel_spec_manager = _OwnPython()
    if os.name == "posix":  # sockets that only this user can read
        manager.transport = "ipc"
        manager.connection_file = f"{folder}/kernel/k.json"
        Path(folder, "kernel").mkdir(0o700)
    count = 0
    # One core's worth of BLAS, and nothing of the caller's that would change what is drawn.
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    env[CACHE] = shared
    env["IPYTHONDIR"] = str(Path(folder, "ipython"))  # whatever the user's own starts with
    # What the kernel itself grumbles as it is ended is nobody's concern.
    with client.setup_kernel(env=env, stderr=subprocess.DEVNULL):
        for i, (line, cell) in enumerate(cells):
            tell(i, len(cells))
            label = cell.metadata.get("options", {}).get("label", "")
            where = f"{source.path.name}, line {line}" + (f" ({label})" if label else "")
            try:
                if cell.cell_type == "code":
                    count += 1
                    client.execute_cell(cell, i, execution_count=count)
                else:
                    _evaluate(client, cell, i)
            except CellExecutionError as error:
                ours = issubclass(getattr(errors, error.ename, Exception), DiamondPricingError)
                said = error.evalue if ours else f"{error.ename}: {error.evalue}"
                raise ReportError(f"{where}: {said}") from error
            except (DeadKernelError, TimeoutError) as error:
                raise ReportError(f"{where}: {error}") from error
    return notebook


def _evaluate(client: NotebookClient, cell: nbformat.NotebookNode, place: int) -> None:
    """Put the values of inline expressions into prose."""
    asked = INLINE.findall(cell.source)
    if not asked:
        return
    values = ", ".join(f"str({expression})" for expression in asked)
    ask = new_code_cell(f"import json; print(json.dumps([{values}]))")
    client.nb.cells.append(ask)
    try:
        client.execute_cell(ask, len(client.nb.cells) - 1, store_history=False)
    finally:
        client.nb.cells.pop()
    found = iter(
        json.loads("".join(o["text"] for o in ask.outputs if o.get("name") == "stdout"))
    )
    cell.source = INLINE.sub(lambda _: next(found), cell.source)
