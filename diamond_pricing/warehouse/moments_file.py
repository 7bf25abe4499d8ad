"""Sums over sales as a Parquet file: kept, sent, added up, taken away.

It holds no sale. Its size does not depend on how many were counted.
"""

import hashlib
import io
from collections.abc import Iterator
from math import prod

import msgspec
import numpy as np

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.errors import DocumentError
from diamond_pricing.fitting.atscale import Bins, Counts, Errors, Frame, Moments
from diamond_pricing.fitting.atscale.moments import GRID, grid_size
from diamond_pricing.fitting.atscale.solve import ERROR_AXES, ERROR_BINS
from diamond_pricing.fitting.engine.tables import Gram
from diamond_pricing.intake.columns import arrow
from diamond_pricing.model import PriceModel
from diamond_pricing.model.training import MONTH

SCHEMA = "diamond_pricing.moments/1"
KEY = b"diamond_pricing"
MOST = 2**53  # sales of a cell; a float counts no further


class _Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    values: list[float]
    kind: str
    held: int
    low: float
    step: float
    starts: list[int]


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    schema: str
    founding: str
    bins: dict[str, _Bins]
    rows: list[int]
    squares: list[float]
    extent: dict[str, tuple[float, float]]
    left_out: dict[str, int]
    error_squares: float
    seen: float
    sha256: str
    months: dict[str, int] = {}


def written_moments(moments: Moments) -> bytes:
    """Write sums as Parquet.

    Raises
    ------
    DocumentError
        For sums without a founding model, which nobody could use.
    """
    pa = arrow("sums over sales in files")
    founding = moments.frame.founding
    if founding is None:
        raise DocumentError("sums without a founding model are not kept.")
    values = dict(_values(moments))
    head = _Head(
        schema=SCHEMA,
        founding=founding.to_json(),
        bins={
            name: _Bins(b.values.tolist(), b.kind, b.held, b.low, b.step, b.starts.tolist())
            for name, b in moments.frame.bins.items()
        },
        rows=[gram.n for gram in moments.grams],
        squares=[gram.yy for gram in moments.grams],
        extent=dict(moments.extent),
        left_out=dict(moments.left_out),
        error_squares=moments.errors.squares,
        seen=moments.frame.seen,
        sha256="",
        months=dict(moments.months),
    )
    head = msgspec.structs.replace(head, sha256=_digest(head, values))
    table = pa.table(
        {
            "name": pa.array(list(values), pa.string()),
            "values": pa.array([v.tolist() for v in values.values()], pa.list_(pa.float64())),
        }
    ).replace_schema_metadata({KEY: msgspec.json.encode(head)})
    target = io.BytesIO()
    form = {"compression": "zstd", "row_group_size": 1, "use_dictionary": ["name"]}
    pa.parquet.write_table(table, target, **form)
    return target.getvalue()


def read_moments(data: bytes) -> Moments:
    """Read sums that `written_moments` wrote.

    Raises
    ------
    DocumentError
        When they are damaged, cut off or of another kind.
    """
    pa = arrow("sums over sales in files")
    try:
        table = pa.parquet.read_table(io.BytesIO(data))
        head = msgspec.json.decode((table.schema.metadata or {})[KEY], type=_Head)
        lists = table["values"].combine_chunks()
        # Of a chunked list column each row is a view of the flat values.
        values = {
            name: np.asarray(lists[i].values)
            for i, name in enumerate(table["name"].to_pylist())
        }
    except (pa.ArrowException, OSError, KeyError, ValueError, RecursionError) as error:
        raise DocumentError("this is not a valid file of sums over sales.") from error
    if head.schema != SCHEMA:
        raise DocumentError(f"sums of schema {head.schema[:60]!r} are not read here.")
    if head.sha256 != _digest(msgspec.structs.replace(head, sha256=""), values):
        raise DocumentError("these sums over sales were changed or damaged.")
    founding = PriceModel.from_json(head.founding)
    bins = {
        name: Bins(
            np.array(b.values), b.kind, b.held, b.low, b.step, np.array(b.starts, np.int64)
        )
        for name, b in head.bins.items()
    }
    frame = Frame(founding.terms, bins, founding, head.seen)
    try:
        frame.check()
        grams = tuple(
            Gram(_square(values[f"XX {k}"], frame.p), values[f"Xy {k}"], yy, n)
            for k, (n, yy) in enumerate(zip(head.rows, head.squares, strict=True))
        )
        grid = _counts(values, "grid", prod(grid_size(frame, name) for name in GRID))
        segments = prod((*ERROR_AXES, ERROR_BINS))
        recorded, blend = (_counts(values, way, segments) for way in ("recorded", "blend"))
        weight = {name: values[f"weight {name}"] for name in bins}
        if any(weight[name].shape != (len(of),) for name, of in bins.items()):
            raise ValueError("weight")
        if not all(MONTH.fullmatch(m) and count > 0 for m, count in head.months.items()):
            raise ValueError("months")
    except (KeyError, ValueError) as error:  # FitError is one
        raise DocumentError("this file of sums contradicts itself.") from error
    errors = Errors(recorded, blend, head.error_squares)
    return Moments(frame, grams, weight, grid, head.extent, head.left_out, errors, head.months)


def _values(moments: Moments) -> Iterator[tuple[str, Vector]]:
    upper = np.triu_indices(moments.frame.p)
    for k, gram in enumerate(moments.grams):
        yield f"XX {k}", gram.XX[upper]
        yield f"Xy {k}", gram.Xy
    for name, weight in moments.weight.items():
        yield f"weight {name}", weight
    errors = moments.errors
    counts = (("grid", moments.grid), ("recorded", errors.recorded), ("blend", errors.blend))
    for name, of in counts:
        yield f"{name} cell", of.cell.astype(float)
        yield f"{name} count", of.count.astype(float)


def _counts(values: dict[str, Vector], name: str, cells: int) -> Counts:
    cell, count = values[f"{name} cell"], values[f"{name} count"]
    if cell.shape != count.shape or not (
        ((cell >= 0) & (cell < cells)).all() and (np.abs(count) < MOST).all()
    ):
        raise ValueError(name)
    return Counts(cell.astype(np.int64), count.astype(np.int64))


def _square(upper: Vector, p: int) -> Matrix:
    square = np.zeros((p, p))
    square[np.triu_indices(p)] = upper
    square += np.triu(square, 1).T
    return square


def _digest(head: _Head, values: dict[str, Vector]) -> str:
    made = hashlib.sha256(msgspec.json.encode(head))
    for name, part in values.items():
        made.update(name.encode())
        made.update(np.ascontiguousarray(part, np.float64).tobytes())
    return made.hexdigest()
