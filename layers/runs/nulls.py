"""Nulls of scans, kept in the database so that an arriving report is judged at once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from layers.model import ScanOptions
from layers.runs.alarm import Stream, draw_null
from layers.runs.store import SQL, runs_code

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KeptNull:
    id: int
    maxima: Floats


def kept_null(
    connection: Connection,
    layer_id: str,
    stream: Stream,
    options: ScanOptions,
    digest: Callable[[], str],
) -> KeptNull:
    """The null of a stream: drawn today for nearly as many cases, or drawn now.

    `digest` is that of the run's input, kept with it, so that it can be drawn again.
    """
    values: dict[str, object] = {
        "key": _key(layer_id, stream, options),
        "cases": len(stream.place),
    }
    known = connection.execute(SQL["find_null"], values).one_or_none()
    if known is not None:
        return KeptNull(known.id, np.array(known.maxima))
    maxima = draw_null(stream, options)
    drawn = {
        "digest": digest(),
        "stratified": stream.strata is not None,
        "maxima": maxima.tolist(),
    }
    number = connection.execute(SQL["keep_null"], values | drawn).scalar_one()
    return KeptNull(number, maxima)


def _key(layer_id: str, stream: Stream, options: ScanOptions) -> str:
    told = (
        layer_id,
        stream.name,
        str(stream.last_day),
        str(stream.strata is not None),
        options.model_dump_json(),
        runs_code(),
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
