"""A MariaDB of our own, reached by a unix socket, that ends with the block."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest

from tests.databases import passing_folder

_PROGRAM, _INSTALLER = shutil.which("mariadbd", path="/usr/sbin:/usr/bin"), "mariadb-install-db"


@contextmanager
def mariadb() -> Iterator[str]:
    """The path of its socket; `root` needs no password there."""
    if _PROGRAM is None or shutil.which(_INSTALLER) is None:
        pytest.skip("no MariaDB: install mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="gis-maria-", dir=passing_folder()))
    data, path = folder / "data", folder / "socket"
    user = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(
        [_INSTALLER, "--no-defaults", f"--datadir={data}", "--skip-test-db",
         "--auth-root-authentication-method=normal", *user],
        check=True, capture_output=True,
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [_PROGRAM, "--no-defaults", f"--datadir={data}", f"--socket={path}",
             "--skip-networking", "--innodb-buffer-pool-size=16M", "--sql-mode=",
             "--innodb-flush-log-at-trx-commit=0", f"--pid-file={folder}/pid", *user],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(path)
        yield str(path)
    finally:
        server.kill()
        server.wait(10)
        shutil.rmtree(folder)


def _wait(path: Path) -> None:
    for _ in range(600):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                time.sleep(0.1)
            else:
                return
    raise AssertionError("MariaDB did not start")


def execute(path: str, *statements: str) -> None:
    connection = pymysql.connect(unix_socket=path, user="root", autocommit=True)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()
