"""Check that PostgreSQL has room to write, by a reader."""

from sqlalchemy import Connection, text

# Half a megabyte of rows with 64 kB of memory for them: the rest goes to a temporary file.
_LITTLE_MEMORY = text("SET LOCAL work_mem = '64kB'")
_WRITE = text("SELECT count(*) FROM generate_series(1, 20000)")


def check_disk(connection: Connection) -> None:
    """Have the database write a temporary file, which it removes at once.

    Raises what PostgreSQL says where it cannot; `Database` makes Unavailable of it.
    """
    connection.execute(_LITTLE_MEMORY)
    connection.execute(_WRITE)
