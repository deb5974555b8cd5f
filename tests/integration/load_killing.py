"""Starts the real command line, or a server, that ends as if killed at a step of its writing.

`python -m tests.integration.load_killing FOLDER layers load …` runs that command of `gis`, and
`… FOLDER serve PORT` serves. A step is a statement or a COPY that was carried out, a piece of a
COPY, a notice that a trigger of `mark_phases` raised amid a statement, a COMMIT that was sent, and
one that was answered. At which step who dies stands in the file `armed` of the folder (see `arm`);
`book` gets a line for each step: its phase, and the backend that carried it out. With CHUNK_ROWS
in the environment a file is read in chunks of so many records.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.pool import Pool

from gis.intake import chunks
from layers.definition.model import Layer
from layers.storage.tables import has_unit_shares

PROGRAM = [sys.executable, "-m", "tests.integration.load_killing"]
ANY = "any"
SENT, COMMITTED = "commit sent", "committed"
# Phases of statements, by a word of each; the first that fits.
_PHASES = {
    "staging": ("copy ", "create temp", "drop table", "analyze"),
    "begin": ("into gis.load", "gis.pushed"),
    "end": ("update gis.load",),
    "quarantine": ("gis.quarantine", "private."),
    "merge": ("incoming",),
}
# What a trigger says while a statement changes a table, by the table.
_MARKED = {
    "merge": "layer.{layer}",
    "unit shares": "layer.{layer}_units",
    "hex counts": "gis.hex_count",
    "history": "gis.row_history",
}
_NOTICE = "phase: "


def mark_phases(url: str, layer: Layer) -> None:
    """Have each table that a load changes say so at once, by a notice to the client.

    The server sends a notice amid its statement: who dies of it dies while triggers are at work.
    """
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION gis.say_phase() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE NOTICE '{_NOTICE}%', TG_ARGV[0]; RETURN NULL; END $$"
        )
        for phase, table in _MARKED.items():
            if phase == "unit shares" and not has_unit_shares(layer):
                continue
            for moment in ("BEFORE", "AFTER"):
                statement = sql.SQL(
                    "CREATE OR REPLACE TRIGGER {} {} INSERT OR UPDATE OR DELETE ON {} "
                    "FOR EACH STATEMENT EXECUTE FUNCTION gis.say_phase({})"
                )
                name = sql.Identifier(f"a_{moment.lower()}_phase")  # before those of the service
                named = sql.Identifier(*table.format(layer=layer.id).split("."))
                connection.execute(statement.format(name, sql.SQL(moment), named, phase))


def arm(folder: Path, phase: str, step: int, victim: int = 0) -> None:
    """Have the next program die at the n-th step of a phase; `victim`: a process to kill instead.

    The step counts from 1. The book is empty then.
    """
    (folder / "book").write_text("")
    (folder / "new").write_text(f"{phase}\n{step}\n{victim}")
    (folder / "new").rename(folder / "armed")


def steps(folder: Path) -> list[tuple[str, int]]:
    """The steps since it was armed: phase, and number of the backend."""
    lines = (folder / "book").read_text().splitlines()
    return [(phase, int(backend)) for phase, backend in (line.rsplit(" ", 1) for line in lines)]


class LoadTrigger:
    """Writes down the steps of this process, and kills at the one that is armed.

    `first` is in the first statement that counts; what other connections do, does not.
    """

    def __init__(self, folder: Path, first: str) -> None:
        self.folder = folder
        self.first = first
        self.counting = threading.RLock()
        self.counted: psycopg.Connection[Any] | None = None
        self.seen = 0
        self.watch_statements()
        self.watch_commits()
        event.listen(Pool, "connect", self.watch_notices)

    def watch_statements(self) -> None:
        execute, many = psycopg.Cursor.execute, psycopg.Cursor.executemany
        copy, write = psycopg.Cursor.copy, psycopg.Copy.write

        def executed(cursor: Any, query: Any, *more: Any, **options: Any) -> Any:
            result = execute(cursor, query, *more, **options)
            self.after_statement(cursor.connection, query)
            return result

        def executed_often(cursor: Any, query: Any, *more: Any, **options: Any) -> None:
            many(cursor, query, *more, **options)
            self.after_statement(cursor.connection, query)

        @contextmanager
        def copied(cursor: Any, statement: Any, *more: Any, **options: Any) -> Iterator[Any]:
            with copy(cursor, statement, *more, **options) as opened:
                yield opened
            self.after_statement(cursor.connection, statement)

        def written(copying: Any, data: Any) -> None:
            write(copying, data)
            self.step(copying.connection, "staging")

        psycopg.Cursor.execute = executed  # type: ignore[method-assign, assignment]
        psycopg.Cursor.executemany = executed_often  # type: ignore[method-assign, assignment]
        psycopg.Cursor.copy = copied  # type: ignore[method-assign, assignment]
        psycopg.Copy.write = written  # type: ignore[method-assign]

    def watch_commits(self) -> None:
        commit = psycopg.Connection.commit

        def committed(connection: Any) -> None:
            if self.counted is not connection:
                commit(connection)
                return
            victim = self.is_due(connection, SENT)
            if victim is None:
                commit(connection)
                self.step(connection, COMMITTED)
                return
            # Sent, and not waited for.
            connection.pgconn.send_query(b"COMMIT")
            while connection.pgconn.flush():
                pass
            os.kill(victim, signal.SIGKILL)
            answer = connection.pgconn.get_result()  # of a server whose postmaster is gone
            if answer is None or answer.status != psycopg.pq.ExecStatus.COMMAND_OK:
                raise psycopg.OperationalError("the COMMIT was not answered")

        psycopg.Connection.commit = committed  # type: ignore[method-assign]

    def watch_notices(self, connection: Any, record: Any) -> None:
        def heard(notice: psycopg.errors.Diagnostic) -> None:
            said = notice.message_primary or ""
            if said.startswith(_NOTICE):
                self.step(connection, said.removeprefix(_NOTICE))

        connection.add_notice_handler(heard)

    def after_statement(self, connection: Any, statement: Any) -> None:
        words = statement.as_string(None) if isinstance(statement, sql.Composable) else statement
        if "role=gis_writer" not in connection.info.dsn:
            return
        if self.first in str(words):
            self.counted = connection
        words = " ".join(str(words).lower().split())
        fits = (phase for phase, found in _PHASES.items() if any(word in words for word in found))
        self.step(connection, next(fits, "read"))

    def step(self, connection: Any, phase: str) -> None:
        victim = self.is_due(connection, phase)
        if victim is not None:
            os.kill(victim, signal.SIGKILL)

    def is_due(self, connection: Any, phase: str) -> int | None:
        """Write a step down; gives whom to kill at it, None where it is not the one armed."""
        with self.counting:
            if connection is not self.counted:
                return None
            try:
                wanted, step, victim = (self.folder / "armed").read_text().split("\n")
            except FileNotFoundError:
                self.seen = 0
                return None
            with (self.folder / "book").open("a") as book:
                book.write(f"{phase} {connection.info.backend_pid}\n")
            self.seen += wanted in (phase, ANY)
            if self.seen < int(step):
                return None
            (self.folder / "armed").unlink()
            return int(victim) or os.getpid()


def read_in_chunks(rows: int) -> None:
    """Read a file of text as a large one is, in chunks of so many records."""
    chunks.STREAMED_FROM_BYTES = 0
    chunks.TableChunks.__init__.__defaults__ = (rows,)
    assert chunks.open_chunks.__kwdefaults__ is not None
    chunks.open_chunks.__kwdefaults__["rows"] = rows


def serve(port: int) -> None:
    import uvicorn

    from api.worker import create

    uvicorn.run(create(), host="127.0.0.1", port=port, log_level="critical")


if __name__ == "__main__":
    at, *words = sys.argv[1:]
    if words[0] == "serve":
        LoadTrigger(Path(at), "INTO gis.pushed")
        serve(int(words[1]))
    else:
        from api.cli import main

        LoadTrigger(Path(at), "")
        if "CHUNK_ROWS" in os.environ:
            read_in_chunks(int(os.environ["CHUNK_ROWS"]))
        sys.argv[1:] = words
        main()
