"""The embedded default: a private PostgreSQL cluster, reached by a unix socket only.

PostgreSQL refuses to run as root, so under root it runs as the account `postgres`. Everybody who
uses the cluster holds a shared lock; the last one to leave stops it. A lock dies with its process,
so a killed process leaves nothing to clean.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote

from gis.errors import SetupError, Unavailable

ACCOUNT = "postgres"
DATABASE = "gis"
LEAST_VERSION = 15
_GONE_WITHIN_S = 60.0  # what is left of a killed server
_LONGEST_SOCKET = 90  # sun_path holds 108 bytes, of which the file name takes some

# Not durable: for databases that are thrown away with the process.
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "jit": "off",
    "logging_collector": "off",
}


@dataclass(frozen=True)
class Cluster:
    """A cluster whose data lie under `folder`.

    `options` are settings of postgresql.conf. Raises `SetupError` when PostgreSQL or PostGIS is
    missing, `Unavailable` when it does not start.
    """

    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """The folder of the data: `folder`, unless the account cannot get into it."""
        if not _is_root() or _account_reaches(self.folder.parent):
            return self.folder
        return Path("/var/lib/postgresql") / f"gis-{_digest(self.folder)}"

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def socket_folder(self) -> Path:
        near = self.place / "run"
        short = Path(tempfile.gettempdir()) / f"gis-{_digest(self.folder)}"
        return near if len(str(near)) <= _LONGEST_SOCKET else short

    @property
    def url(self) -> str:
        user = ACCOUNT if _is_root() else pwd.getpwuid(os.getuid()).pw_name
        return f"postgresql://{quote(user)}@/{DATABASE}?host={quote(str(self.socket_folder))}"

    def is_running(self) -> bool:
        return self.data.exists() and self._pg_ctl("status").returncode == 0

    @property
    def postmaster(self) -> int:
        """The number of its first process. Raises FileNotFoundError where it was stopped."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def listens(self) -> bool:
        """It takes connections, as its socket alone shows: cheap enough for each second."""
        return any(_is_open(path) for path in self.socket_folder.glob(".s.PGSQL.*[0-9]"))

    @property
    def was_stopped(self) -> bool:
        """Somebody stopped it; it did not die."""
        return self._stopped.exists()

    @property
    def _stopped(self) -> Path:
        return self.folder / "stopped"

    @contextmanager
    def in_use(self) -> Iterator[str]:
        """The URL of the running cluster; started if needed, stopped by its last user."""
        self._make_folders()
        with (self.folder / "users.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            self.start()
            try:
                yield self.url
            finally:
                self._leave(lock.fileno())

    def keep(self, is_kept: bool) -> None:
        """Let it go on running when nobody uses it, or not."""
        marker = self.folder / "keep"
        if is_kept:
            self._make_folders()
            marker.touch()
        else:
            marker.unlink(missing_ok=True)

    def start(self) -> None:
        self._make_folders()
        with self._starting():
            if not self.data.exists():
                self._create()
            self._bring_up()
            self._stopped.unlink(missing_ok=True)

    def is_used(self) -> bool:
        """Some process is inside `in_use`."""
        if not self.folder.exists():
            return False
        with (self.folder / "users.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def stop(self) -> None:
        self._make_folders()
        with self._starting():  # a start that is under way would outlast the stop
            self._stopped.touch()
            if self.is_running():
                self._pg_ctl("stop", "-m", "fast", "-w")

    def remove(self) -> None:
        """Stop it and delete all its data."""
        self.stop()
        for path in (self.place, self.folder, self.socket_folder):
            shutil.rmtree(path, ignore_errors=True)

    def _leave(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not (self.folder / "keep").exists():
            self.stop()

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """A lock: nobody else starts or stops it meanwhile."""
        with (self.folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.place, self.socket_folder):
            path.mkdir(parents=True, exist_ok=True)
            if _is_root():
                shutil.chown(path, ACCOUNT, ACCOUNT)
        self.socket_folder.chmod(0o700)

    def _create(self) -> None:
        """Made beside and renamed, so that a kill in between leaves no half cluster."""
        fresh = self.place / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        options = ["-D", str(fresh), "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "--no-sync"]
        result = _run([_binary("initdb"), *options])
        if result.returncode != 0:
            raise Unavailable(
                f"PostgreSQL could not create {fresh}: {result.stderr.strip()[-400:]}"
            )
        lines = [f"{name} = '{value}'" for name, value in {**_OPTIONS, **self.options}.items()]
        lines.append(f"unix_socket_directories = '{self.socket_folder}'")
        with (fresh / "postgresql.conf").open("a") as conf:
            conf.write("\n".join(["", *lines, ""]))
        fresh.rename(self.data)

    def _bring_up(self) -> None:
        """Also what was killed, which starts again only once nothing is left of it: a postmaster
        that nobody has reaped, a backend amid its statement.
        """
        end = time.monotonic() + _GONE_WITHIN_S
        while True:
            self._reap()
            try:
                if not self.is_running():
                    self._start()
                self._ensure_database()
                return
            except Unavailable:
                # A server that ends by itself, or cannot start, takes this file away.
                if time.monotonic() > end or not (self.data / "postmaster.pid").exists():
                    raise
            time.sleep(0.1)

    def _reap(self) -> None:
        """A killed postmaster stays in the table of processes until its parent has looked, which
        is this process where it is the first of a container.
        """
        with suppress(OSError, ValueError, IndexError):  # no child, or no such file
            os.waitpid(self.postmaster, os.WNOHANG)

    def _start(self) -> None:
        log = self.place / "postgres.log"
        done = self._pg_ctl("start", "-w", "-t", "120", "-l", str(log))
        if done.returncode != 0:
            raise Unavailable(f"PostgreSQL did not start; its log {log} ends: {_tail(log)}")

    def _ensure_database(self) -> None:
        query = f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"  # noqa: S608
        if self._psql(query).strip() != "1":
            self._psql(f"CREATE DATABASE {DATABASE}")

    def _psql(self, statement: str) -> str:
        words = ["-h", str(self.socket_folder), "-d", "postgres", "-XAtc", statement]
        done = _run([_binary("psql"), *words])
        if done.returncode != 0:
            raise Unavailable(f"PostgreSQL does not answer: {done.stderr.strip()[-400:]}")
        return done.stdout

    def _pg_ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run([_binary("pg_ctl"), "-D", str(self.data), *words])


@cache
def installation() -> Path:
    """The folder of programs of the newest PostgreSQL that has PostGIS; SetupError when none."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for folder in [*packaged, *_from_pg_config()]:
        if _version(folder) >= LEAST_VERSION and _has_postgis(folder):
            return folder
    raise SetupError(
        f"PostgreSQL ≥ {LEAST_VERSION} with PostGIS is missing; as root run: "
        "apt-get install postgresql-15 postgresql-15-postgis-3, "
        "or set GIS_DATABASE_URL to a server that has them"
    )


def _from_pg_config() -> list[Path]:
    program = shutil.which("pg_config")
    if program is None:
        return []
    done = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False)
    folder = Path(done.stdout.strip())
    return [folder] if (folder / "postgres").exists() else []


def _version(folder: Path) -> int:
    done = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    digits = done.stdout.split()[2:3]
    return int(digits[0].split(".")[0]) if digits else 0


def _has_postgis(folder: Path) -> bool:
    """Debian keeps extensions in /usr/share/postgresql/N; others where pg_config says."""
    share = Path("/usr/share/postgresql") / folder.parent.name
    if (folder / "pg_config").exists():
        words = [str(folder / "pg_config"), "--sharedir"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        share = Path(done.stdout.strip())
    return (share / "extension" / "postgis.control").exists()


def _binary(name: str) -> str:
    return str(installation() / name)


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run as the account when root. Output goes to files: a started server would hold a pipe."""
    account = ["runuser", "-u", ACCOUNT, "--"] if _is_root() else []
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [*account, *words], stdout=out, stderr=err, cwd="/", env=_environment(), check=False
        )
        out.seek(0), err.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


def _environment() -> dict[str, str]:
    """Ours without our settings: the account may read the environment of its processes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIS_")}


def _is_open(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except TimeoutError:  # it listens, with many in its queue
            return True
        except OSError:
            return False
    return True


def _is_root() -> bool:
    return os.geteuid() == 0


def _account_reaches(folder: Path) -> bool:
    nearest = next(path for path in [folder, *folder.parents] if path.exists())
    return _run(["test", "-x", str(nearest)]).returncode == 0


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-400:] if log.exists() else "(no log)"
