"""Execution of a process: run it, and store its result as a collection, in one transaction."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from pydantic import ValidationError
from sqlalchemy import (
    Connection,
    column,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from gis.access import Principal, Role
from gis.database.engine import Database
from gis.errors import BadInput, JobFailed, NoSuchProcess, NotFound
from gis.text import fault_words
from layers.definition.catalogue import Catalogue
from layers.definition.model import (
    Access,
    GeometryKind,
    Layer,
    LocalizedText,
    Style,
    TileOptions,
    ViewSource,
)
from layers.definition.raster import RasterLayer
from layers.items.results import result_id
from layers.items.value_errors import computed
from layers.processes.context import Context, Progress
from layers.processes.operations import PROCESSES
from layers.processes.process import MOST_ROWS, NewCollection, Parameters, Process, Value
from layers.processes.runs import add_run, add_to_log, definition_of

if TYPE_CHECKING:
    from gis.jobs.kind import RunningJob

TIME_S, MEMORY_MB = 900.0, 3_000

type Finish = Callable[[Connection], None]


def process_of(name: str) -> Process[Any]:
    """Raises NoSuchProcess with the names that there are."""
    try:
        return PROCESSES[name]
    except KeyError:
        raise NoSuchProcess(
            f"there is no process {name!r}: there are {', '.join(PROCESSES)}"
        ) from None


def read_parameters(process: Process[Any], inputs: Mapping[str, Any]) -> Parameters:
    """The parameters that inputs give; raises BadInput with every fault of them."""
    try:
        return process.parameters.model_validate(inputs)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'inputs'}: {fault_words(fault['msg'])}"
            for fault in error.errors()
        ]
        raise BadInput("; ".join(faults)) from error


def execute_now(
    database: Database,
    catalogue: Catalogue,
    process: Process[Any],
    parameters: Parameters,
    principal: Principal,
    timeout_ms: int,
    report: Progress = lambda *_: None,
    rasters: Path | None = None,
) -> UUID:
    """Execute a process in this thread: nothing of it is stored unless all of it is.

    `rasters`: the folder of their files.
    """
    outcome, context = _outcome(
        database, catalogue, process, parameters, principal, timeout_ms, report, rasters
    )
    with database.writing() as connection:
        run = add_run(connection, process.name, as_inputs(parameters), principal)
        _store(connection, run, process, outcome, context, timeout_ms)
    return run


def execute_job(job: "RunningJob", catalogue: Catalogue, rasters: Path | None = None) -> None:
    """Execute a process whose request did not wait; its job ends in the transaction of its result.

    Raises Superseded where it was dismissed meanwhile: nothing of it is stored then.
    """
    run = UUID(job.arguments["run"])
    timeout_ms = int(TIME_S * 1000)
    with job.database.reading() as connection:
        row = connection.execute(_REQUEST, {"id": run}).one_or_none()
    if row is None:
        raise NotFound(f"the execution {run} is gone")
    process = process_of(row.process)
    principal = Principal(row.owner, Role(row.role), frozenset(row.layers))

    def report(progress: float | None, message: str) -> None:
        job.report(progress, message)
        with job.database.writing() as connection:
            add_to_log(connection, run, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {message}")

    parameters = read_parameters(process, row.inputs)
    outcome, context = _outcome(
        job.database, catalogue, process, parameters, principal, timeout_ms, report, rasters
    )
    with job.database.writing() as connection:
        _store(connection, run, process, outcome, context, timeout_ms)
        job.succeed(connection)


_REQUEST = text("SELECT process, inputs, owner, role, layers FROM gis.process_run WHERE id = :id")


def as_inputs(parameters: Parameters) -> dict[str, Any]:
    """The inputs that give these parameters, as JSON has them, without what is left at None."""
    return parameters.model_dump(mode="json", exclude_none=True)


def _outcome(
    database: Database,
    catalogue: Catalogue,
    process: Process[Any],
    parameters: Parameters,
    principal: Principal,
    timeout_ms: int,
    report: Progress,
    rasters: Path | None,
) -> tuple[NewCollection | Value, Context]:
    opened = database.writing() if process.reads_voices else database.snapshot()
    with opened as connection, computed():
        if process.reads_voices:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout_ms}")
        context = Context(connection, catalogue, principal, report, rasters)
        return process.run(context, parameters), context


def _store(
    connection: Connection,
    run: UUID,
    process: Process[Any],
    outcome: NewCollection | Value,
    context: Context,
    timeout_ms: int,
) -> None:
    values: dict[str, Any] = {"id": run, "reads": _json(context.reads), "definition": None}
    if isinstance(outcome, Value):
        values["value"] = _json(outcome.outputs)
    else:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout_ms}")
        number = _store_rows(connection, run, outcome)
        layer = _layer(run, process, outcome, context)
        values["definition"] = _json(definition_of(layer))
        summary = {**outcome.summary, "items": number, "simulated": context.is_simulated}
        values["value"] = _json(summary)
    connection.execute(_END, values)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


_END = text("""
UPDATE gis.process_run SET reads = CAST(:reads AS jsonb), value = CAST(:value AS jsonb),
  definition = CAST(:definition AS jsonb), ended_at = clock_timestamp(),
  started_at = coalesce(started_at, now())
WHERE id = :id
""")


def _store_rows(connection: Connection, run: UUID, outcome: NewCollection) -> int:
    if isinstance(outcome.rows, Select):
        number = _store_selected(connection, run, outcome, outcome.rows)
    else:
        number = len(outcome.rows)
        if number <= MOST_ROWS:
            _copy(connection, run, outcome.rows)
    if number > MOST_ROWS:
        raise BadInput(
            f"the result would have more than {MOST_ROWS:,} items: narrow the inputs with a "
            "filter, a time or an area"
        )
    return number


def _store_selected(
    connection: Connection, run: UUID, outcome: NewCollection, statement: Select[Any]
) -> int:
    rows = statement.limit(MOST_ROWS + 1).subquery("made")
    # Safe as literals: names of fields are plain letters (layers.definition.model.Identifier).
    columns: list[ColumnElement[Any]] = [
        literal_column(f'made."{name}"').label(name) for name in outcome.fields
    ]
    named = select(*columns).subquery("_row")
    properties: ColumnElement[Any] = literal_column("'{}'::jsonb")
    if outcome.fields:
        properties = select(func.to_jsonb(named.table_valued())).scalar_subquery()
    stored = select(
        literal_column(f"'{run}'::uuid"),
        func.row_number().over(),
        _typed(rows.c.geom, outcome.geometry)
        if outcome.geometry != "none"
        else literal_column("NULL"),
        properties,
    )
    target = table("process_row", *map(column, ("run", "id", "geom", "properties")), schema="gis")
    try:
        with computed():
            return connection.execute(
                insert(target).from_select(["run", "id", "geom", "properties"], stored),
                execution_options={"preserve_rowcount": True},
            ).rowcount
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "57014":
            raise JobFailed(
                "it took too long: narrow the inputs, or ask for it with `Prefer: respond-async`"
            ) from error
        raise


def _typed(geometry: ColumnElement[Any], kind: GeometryKind) -> ColumnElement[Any]:
    """As layers store it: points, or multi geometries of one dimension."""
    if kind is GeometryKind.POINT:
        return geometry
    dimension: ColumnElement[Any] = literal_column("2" if kind is GeometryKind.LINE else "3")
    return func.ST_Multi(func.ST_CollectionExtract(geometry, dimension))


def _copy(connection: Connection, run: UUID, rows: Any) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for number, (shape, properties) in enumerate(rows, 1):
            copy.write_row((str(run), number, _hex_ewkb(shape), _json(properties)))


_COPY = "COPY gis.process_row (run, id, geom, properties) FROM STDIN"
_WITH_SRID = 0x20000000
_MULTI = {2: 5, 3: 6}  # a line or polygon is stored as a multi geometry of one part


def _hex_ewkb(wkb: bytes | None) -> str | None:
    """WKB (little-endian, two dimensions) with the SRID that the column asks for."""
    if wkb is None:
        return None
    kind = int.from_bytes(wkb[1:5], "little")
    single = kind in _MULTI
    head = wkb[:1] + (_MULTI.get(kind, kind) | _WITH_SRID).to_bytes(4, "little")
    head += (4326).to_bytes(4, "little")
    return (head + ((1).to_bytes(4, "little") + wkb if single else wkb[5:])).hex()


def _layer(run: UUID, process: Process[Any], outcome: NewCollection, context: Context) -> Layer:
    layers: list[Layer | RasterLayer] = [*context.layers.values()]
    layers += context.rasters.values()
    licences = dict.fromkeys(layer.licence for layer in layers)
    read = [layer.title for layer in layers]
    of_vi = f": {', '.join(title.vi for title in read)}" if read else ""
    of_en = f": {', '.join(title.en for title in read)}" if read else ""
    simulated = (" Có dữ liệu mô phỏng.", " Holds simulated data.")
    marks = simulated if context.is_simulated else ("", "")
    title = outcome.title or LocalizedText(
        vi=f"{process.title.vi}{of_vi}", en=f"{process.title.en}{of_en}"
    )
    has_shape = outcome.geometry is not GeometryKind.NONE
    return Layer(
        id=result_id(run),
        title=title,
        description=LocalizedText(
            vi=f"Kết quả của phép {process.title.vi.lower()}{of_vi}.{marks[0]}",
            en=f"Result of {process.name}{of_en}.{marks[1]}",
        ),
        department=LocalizedText(vi="Kết quả phân tích", en="Result of an analysis"),
        licence=" · ".join(licences) or "CC-BY-4.0",
        geometry=outcome.geometry,
        placed=False,
        source=ViewSource(
            connector="view", time="valid_at" if "valid_at" in outcome.fields else None
        ),
        fields=dict(outcome.fields),
        access=Access(write="nobody"),
        tiles=TileOptions(simplify_px=0) if has_shape else None,
        style=_drawn(outcome),
    )


def _drawn(outcome: NewCollection) -> Style:
    """Borders of areas are thin where nothing is said: the width is else that of a point."""
    plain = outcome.style == Style() and outcome.geometry is GeometryKind.POLYGON
    return Style(outline="#37474f", size_px=1, opacity=0.6) if plain else outcome.style
