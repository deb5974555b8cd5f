"""Run of one source: what is new is read batch by batch, each stored whole with its checkpoint.

A run that is killed at any moment goes on from its last batch. Where a batch is not as it was
before (see layers.sources.drift), or cannot be stored without a decision, nothing of it is stored:
the source asks a person and the layer goes on serving what it has.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import text

from gis.connectors import CONNECTORS
from gis.connectors.connector import (
    GEOMETRY,
    Batch,
    Connector,
    Cursor,
    Record,
    Surroundings,
)
from gis.database.engine import Database
from gis.errors import (
    AmbiguousInput,
    BadInput,
    GisError,
    SourceRefused,
    SourceUnavailable,
    Superseded,
    Unavailable,
)
from gis.intake.chunks import TableChunks, chosen_rows
from gis.intake.nested import nested_table
from gis.intake.tables import RawTable
from layers.definition.model import FeedSource, GeometryKind, Layer
from layers.ingest.load import LoadOptions, LoadReport, load_chunks
from layers.ingest.mapped_columns import with_mapped_columns
from layers.ingest.records import NO_OPTIONS, key_columns, key_of, known_columns, record_key_columns
from layers.series.storing import newest_time
from layers.sources.deletions import TooManyGone, drop_keys, drop_unseen, note_seen, unmark_returned
from layers.sources.drift import ColumnNews, bearable_failures, news_of, observed_columns, stops
from layers.sources.state import (
    Question,
    SourceRun,
    ask,
    begin_run,
    end_run,
    fail_run,
    fence_run,
    store_progress,
)

log = structlog.get_logger("sources")

LONGEST_S = 300.0  # of one run, after which it goes on in its turn
_FAILING_SHARE = 0.05  # of records, from which a batch that suddenly fails is asked about
_LEAST_RECORDS = 20
_BULK = 1_000  # records of a batch, from which the next one is waited for
_GATHERED = 10_000  # records that are stored at a time
_MOST_CRASHES = 3  # in a row, after which a source is left alone for a while


class Drifted(AmbiguousInput):
    """The source is not what it was: a person has to look at it."""


@dataclass
class SourceReport:
    """What a run did: counts of records, and how it ended.

    `state`: `complete`; `stopped`, of a run that goes on later; `failed`, `asks`, with the reason
    in `why`; or `superseded` by another run.
    """

    layer_id: str
    state: str = "complete"
    why: str = ""
    batches: int = 0
    read: int = 0
    added: int = 0
    updated: int = 0
    removed: int = 0
    failed: int = 0
    loads: list[int] = field(default_factory=list)
    news: list[str] = field(default_factory=list)  # columns that came, went or changed

    def add(self, loaded: LoadReport | None, removed: int, news: Sequence[ColumnNews]) -> None:
        self.batches += 1
        self.removed += removed
        self.news += [each.en for each in news]
        if loaded is not None:
            self.read += loaded.read
            self.added += loaded.added
            self.updated += loaded.updated
            self.removed += loaded.removed
            self.failed += loaded.quarantined + loaded.outside
            self.loads += [loaded.load_id] if loaded.load_id else []


def run_source(
    database: Database,
    layer: Layer,
    surroundings: Surroundings,
    *,
    longest_s: float = LONGEST_S,
    storing: AbstractContextManager[Any] | None = None,
) -> SourceReport:
    """Read what is new of a layer's source and store it.

    `storing` is entered while a batch is stored: of many sources that are read at a time one is
    stored, since storing computes. Raises NotFound, and Unavailable where the database is lost.
    """
    feed = layer.source
    assert isinstance(feed, FeedSource)
    with database.writing() as connection:
        run = begin_run(connection, layer.id)
    report = SourceReport(layer.id)
    storing = storing or nullcontext()
    if run.crashes >= _MOST_CRASHES:
        lost = SourceUnavailable("its process ended while it was read, several times: see the log")
        _fail(database, run, feed, lost, report)
        return report
    try:
        kind = CONNECTORS[feed.connector]
        with closing(kind(feed.read, surroundings)) as connector:
            complete = _read(database, layer, feed, connector, run, report, longest_s, storing)
        with database.writing() as connection:
            fence_run(connection, run)
            end_run(connection, run, feed, is_complete=complete)
        report.state = "complete" if complete else "stopped"
    except Superseded as error:
        report.state, report.why = "superseded", str(error)
    except Unavailable:
        raise
    except AmbiguousInput as error:
        _ask(database, run, feed, error, report)
    except (SourceUnavailable, BadInput) as error:
        _fail(database, run, feed, error, report)
    except GisError as error:
        _fail(database, run, feed, error, report)
    except Exception as error:
        log.exception("failed", layer=layer.id)
        _fail(database, run, feed, error, report)
    return report


def _read(
    database: Database,
    layer: Layer,
    feed: FeedSource,
    connector: Connector[Any],
    run: SourceRun,
    report: SourceReport,
    longest_s: float,
    storing: AbstractContextManager[Any],
) -> bool:
    """Store the batches; True where the connector has no more of them."""
    until = time.monotonic() + longest_s
    columns: Mapping[str, Any] = run.columns
    for batch, cursors in _gathered(connector.read(run.cursor)):
        failed = report.failed
        try:
            with storing:
                columns = _store(database, layer, feed, run, batch, columns, report)
        except (Superseded, Unavailable, AmbiguousInput):
            _drop(batch.failures)
            raise
        except BadInput as error:
            _drop(batch.failures)
            if not connector.set_aside(batch.cursor, str(error)):
                raise
            report.failed += 1
            with database.writing() as connection:
                fence_run(connection, run)
                store_progress(connection, run, batch.cursor, columns, newest=None, changed=False)
            continue
        if report.failed == failed:
            _drop(batch.failures)
        for cursor in cursors:
            connector.acknowledge(cursor)
        if time.monotonic() > until:
            return False
    return True


def _gathered(batches: Iterator[Batch]) -> Iterator[tuple[Batch, list[Cursor]]]:
    """The batches, those of bulks several at a time, each with the cursors that it stands for.

    What a transaction costs by itself is shared by more records; what trickles in waits for
    nothing.
    """
    gathered: list[Batch] = []
    for batch in batches:
        is_plain = batch.file is None and not batch.deleted
        if gathered and not is_plain:
            yield _joined(gathered)
            gathered = []
        gathered.append(batch)
        number = sum(len(each.records) for each in gathered)
        if not is_plain or len(batch.records) < _BULK or number >= _GATHERED or batch.ends_whole:
            yield _joined(gathered)
            gathered = []
    if gathered:
        yield _joined(gathered)


def _joined(batches: Sequence[Batch]) -> tuple[Batch, list[Cursor]]:
    records = [record for batch in batches for record in batch.records]
    last = batches[-1]
    joined = last if len(batches) == 1 else Batch(records, last.cursor, last.ends_whole)
    return joined, [batch.cursor for batch in batches]


def _drop(failures: Path | None) -> None:
    """Delete a file of failures, of a batch that had none or was not stored."""
    if failures is not None:
        failures.unlink(missing_ok=True)


def _store(
    database: Database,
    layer: Layer,
    feed: FeedSource,
    run: SourceRun,
    batch: Batch,
    columns: Mapping[str, Any],
    report: SourceReport,
) -> Mapping[str, Any]:
    """Store a batch in one transaction with its cursor; gives what is known of the columns then."""
    source = layer.source_name or layer.id
    chunks = batch.file or _chunks(layer, feed, batch.records)
    news: list[ColumnNews] = []
    with database.writing() as connection:
        fence_run(connection, run)
        loaded, removed, newest = None, 0, None
        if chunks is not None:
            sample = with_mapped_columns(feed, next(iter(chunks)))
            news = news_of(layer, feed, columns, sample, is_file=batch.file is not None)
            _ask_about_columns(layer, feed, news, run)
            options = LoadOptions(
                who=f"source {source}",
                source=source,
                answers=NO_OPTIONS.completed_by(run.answers),
                confirmed=True,
                failures=batch.failures,
                simulated=feed.simulated,
            )
            loaded = load_chunks(connection, layer, chunks, options)
            failed = loaded.quarantined + loaded.outside
            if not run.confirmed:
                _ask_about_failures(layer, loaded, columns)
            columns = observed_columns(columns, sample, news, failed, accepted=run.confirmed)
            newest = newest_time(connection) if layer.series else connection.scalar(_NEWEST)
            if feed.deletions != "keep":
                note_seen(connection, layer)
            if feed.deletions == "mark":
                unmark_returned(connection, layer)
        load_id = loaded.load_id if loaded else None
        yes = run.confirmed
        if batch.deleted:
            keys = _keys(feed, _table(layer, feed, batch.deleted), key_columns(feed))
            removed += drop_keys(connection, layer, feed, source, keys, load_id, confirmed=yes)
        if batch.ends_whole and feed.deletions != "keep":
            removed += drop_unseen(connection, layer, feed, source, load_id, confirmed=yes)
        store_progress(
            connection,
            run,
            batch.cursor,
            columns,
            newest=newest,
            changed=bool(removed or load_id is not None),
        )
    report.add(loaded, removed, news)
    return columns


def _chunks(layer: Layer, feed: FeedSource, records: Sequence[Record]) -> TableChunks | None:
    """The records, of those with one key the last: a source tells news in their order."""
    if not records:
        return None
    table = _table(layer, feed, records)
    columns = record_key_columns(layer)
    keys = _keys(feed, table, columns)
    last = {key: row for row, key in enumerate(keys)}
    if len(last) == len(keys):
        return TableChunks(None, table)
    blank = key_of([""] * len(columns))
    rows = [row for row, key in enumerate(keys) if last[key] == row or key == blank]
    return TableChunks(None, chosen_rows(table, rows))


def _table(layer: Layer, feed: FeedSource, records: Sequence[Record]) -> RawTable:
    declared = known_columns(feed, layer.fields) | {each.of for each in feed.map.values()}
    has_geometry = layer.geometry is not GeometryKind.NONE and feed.coordinates is None
    geometry = GEOMETRY if has_geometry else None
    return nested_table(layer.source_name or layer.id, records, sorted(declared), geometry=geometry)


def _keys(feed: FeedSource, table: RawTable, columns: Sequence[str]) -> list[str]:
    table = with_mapped_columns(feed, table)
    values = [table.cells.get(column, [""] * len(table)) for column in columns]
    return [key_of(parts) for parts in zip(*values, strict=True)]


def _ask_about_columns(
    layer: Layer, feed: FeedSource, news: Sequence[ColumnNews], run: SourceRun
) -> None:
    """Raises Drifted where a column is not as its contract has it."""
    frozen = [each for each in news if stops(feed, each)]
    if frozen and not run.confirmed:
        vi, en = "; ".join(each.vi for each in frozen), "; ".join(each.en for each in frozen)
        raise Drifted(
            f"{vi}. Chưa lưu gì. Nếu nguồn đúng là đã đổi: sửa tệp lớp {layer.id}, rồi "
            f"gis sources answer {layer.id} --yes / {en}. Nothing was stored. If the source has "
            f"changed indeed, mend the layer file, then gis sources answer {layer.id} --yes"
        )


def _ask_about_failures(layer: Layer, loaded: LoadReport, known: Mapping[str, Any]) -> None:
    """Raises Drifted where suddenly too many records fail.

    Too many is more than three standard deviations beyond the limit, or beyond what is no news of
    the source.
    """
    bearable = bearable_failures(known)
    if bearable is None or loaded.read < _LEAST_RECORDS:
        return
    failed = loaded.quarantined + loaded.outside
    limit = min(max(_FAILING_SHARE, bearable), 1.0)
    spread = (limit * (1 - limit) * loaded.read) ** 0.5
    if failed > limit * loaded.read + 3 * spread:
        worst = max(loaded.reasons, key=lambda reason: loaded.reasons[reason])
        raise Drifted(
            f"{failed}/{loaded.read} bản ghi bỗng không dùng được, nhiều nhất vì {worst}. Chưa lưu "
            f"gì. Nếu chấp nhận: gis sources answer {layer.id} --yes / {failed} of {loaded.read} "
            f"records suddenly fail, most of them by {worst}. Nothing was stored. If they are to "
            f"wait in quarantine, answer with gis sources answer {layer.id} --yes"
        )


def _ask(
    database: Database,
    run: SourceRun,
    feed: FeedSource,
    error: AmbiguousInput,
    report: SourceReport,
) -> None:
    kinds = {TooManyGone: "gone", Drifted: "drift"}
    kind = kinds.get(type(error), "reading")
    how = "--yes" if kind in ("gone", "drift") else "--crs, --encoding, --date-format …"
    report.state, report.why = "asks", str(error)
    log.warning("asks", layer=run.layer_id, kind=kind, why=str(error))
    with database.writing() as connection:
        ask(connection, run, Question(kind, str(error), how))


def _fail(
    database: Database, run: SourceRun, feed: FeedSource, error: Exception, report: SourceReport
) -> None:
    known = isinstance(error, GisError)
    why = str(error) if known else f"unexpected {type(error).__name__}: the log tells where"
    report.state, report.why = "failed", why
    log.warning("source failed", layer=run.layer_id, why=why)
    # Nobody but a person helps: trying often would only lock an account.
    opens = isinstance(error, SourceRefused) or (
        isinstance(error, BadInput) and not isinstance(error, SourceUnavailable)
    )
    asked_s = error.retry_after_s if isinstance(error, SourceUnavailable) else None
    with database.writing() as connection:
        fail_run(connection, run, feed, why, retry_after_s=asked_s, opens=opens)


_NEWEST: Any = text("SELECT max(valid_at) FROM pg_temp.incoming")
