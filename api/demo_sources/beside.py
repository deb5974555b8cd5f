"""Simulated systems of departments beside `gis up`: who has them, and the process that answers.

The demo has them in its private cluster alone, and only as long as nothing real was loaded. Their
layer files lie in the home folder, with the address at which the systems listen; every command of
the same home reads them there.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from api.demo_sources.simulation import LAYER_FILES, PORT, SECRETS
from gis.settings import Settings

if TYPE_CHECKING:
    from gis.database.engine import Database

_ADDRESS = "address.json"
_HOST = "127.0.0.1"
_PROVINCE = "15"  # in which all that is simulated lies
_LOOK_EVERY_S = 0.5


def with_demo_sources(settings: Settings) -> Settings:
    """The settings by which the simulated systems are read, where the demo has them."""
    try:
        address = json.loads((settings.demo_folder / _ADDRESS).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return settings
    if not _is_demo(settings):
        return settings
    secrets = {name: SecretStr(value) for name, value in SECRETS.items()}
    update = {
        "demo_address": (str(address["host"]), int(address["port"])),
        "source_secrets": {**secrets, **settings.source_secrets},
    }
    return settings.model_copy(update=update)


@contextmanager
def beside_demo(settings: Settings, database: "Database") -> Iterator[None]:
    """While inside, the simulated systems answer, where the demo is to have them.

    Of several services over one home the first runs them. They end with this process.
    """
    from api.worker_supervisor import WorkerSupervisor
    from gis.jobs.periodic import repeating

    folder = settings.demo_folder
    if not _is_demo(settings) or has_real_records(database):
        (folder / _ADDRESS).unlink(missing_ok=True)
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another service over this home runs them
            yield
            return
        # Held by this process, so that the address stays theirs whenever they are started again.
        with _listener(folder) as listener:
            _write_files(folder, listener.getsockname())
            supervisor = WorkerSupervisor(
                lambda: _started(listener), name="process of the simulated sources"
            )
            supervisor.look()
            with repeating("simulated sources", supervisor.look, every_s=_LOOK_EVERY_S):
                try:
                    yield
                finally:
                    supervisor.stop()


def _is_demo(settings: Settings) -> bool:
    is_asked_for = settings.demo and settings.demo_sources and settings.province == _PROVINCE
    return is_asked_for and (settings.database_url is None or _is_private(settings))


def _is_private(settings: Settings) -> bool:
    """True where the database that is named is the private cluster, as its processes name it."""
    from gis.database.cluster import Cluster

    assert settings.database_url is not None
    named = settings.database_url.get_secret_value()
    private = Cluster(settings.home / "postgres").url
    return named.partition("://")[2] == private.partition("://")[2]  # whatever driver is named


def has_real_records(database: "Database") -> bool:
    """True where something was loaded that is not simulated; false of an empty database."""
    from sqlalchemy import text

    with database.reading() as connection:
        if connection.scalar(text("SELECT to_regclass('gis.load')")) is None:
            return False
        real = text("SELECT EXISTS (SELECT FROM gis.load WHERE NOT simulated)")
        return bool(connection.scalar(real))


def _listener(folder: Path) -> socket.socket:
    """A socket that listens, at the port of the last time where that is free.

    Elsewhere each source would be another one, and be read anew.
    """
    try:
        port = int(json.loads((folder / _ADDRESS).read_bytes())["port"])
    except FileNotFoundError:
        port = 0
    try:
        return socket.create_server((_HOST, port))
    except OSError:
        return socket.create_server((_HOST, 0))


def _write_files(folder: Path, address: tuple[str, int]) -> None:
    """Write the layer files and the address; what is read of them is whole."""
    host, port = address
    for path in folder.glob("*.yaml"):
        if not (LAYER_FILES / path.name).exists():
            path.unlink()
    for path in sorted(LAYER_FILES.glob("*.yaml")):
        words = path.read_text(encoding="utf-8")
        _write(
            folder / path.name, words.replace(f"http://127.0.0.1:{PORT}", f"http://{host}:{port}")
        )
    _write(folder / _ADDRESS, json.dumps({"host": host, "port": port}))


def _write(path: Path, words: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == words:
        return  # what was not changed is not read again
    beside = path.with_suffix(".new")
    beside.write_text(words, encoding="utf-8")
    beside.replace(path)


def _started(listener: socket.socket) -> "subprocess.Popen[bytes]":
    words = ["--socket", str(listener.fileno()), "--parent", str(os.getpid())]
    return subprocess.Popen(
        [sys.executable, "-m", "api.demo_sources", *words],
        pass_fds=[listener.fileno()],
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process, which then stops them
    )
