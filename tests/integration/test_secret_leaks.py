"""No secret is in what commands print or log, nor in the list of processes, whatever goes wrong."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import text

from gis.database.cluster import THROW_AWAY, Cluster
from gis.database.engine import Database
from gis.notify.dispatch import send_due, sender_of
from gis.notify.subscriptions import SubscriptionRequest, subscribe
from gis.settings import Settings
from tests.acceptance.service import free_port
from tests.databases import own_cluster
from tests.integration.notify.made import make_alert
from tests.integration.notify.processes import HERE

SENTINEL = "s3ntinel-of-a-secret"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Cluster]:
    """A server that asks the role `secretive` for its password, the sentinel.

    Started, as a service does, by a process with secrets in its environment.
    """
    with pytest.MonkeyPatch.context() as patch, own_cluster(THROW_AWAY) as cluster:
        cluster.stop()
        patch.setenv("GIS_SMTP_URL", f"smtps://a:{SENTINEL}@127.0.0.1")
        cluster.start()
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE secretive LOGIN SUPERUSER PASSWORD '{SENTINEL}'")
            rules = f"local all secretive scram-sha-256\nlocal all {connection.info.user} trust\n"
            (cluster.data / "pg_hba.conf").write_text(rules)
            connection.execute("SELECT pg_reload_conf()")
        yield cluster


def url_of(cluster: Cluster, password: str) -> str:
    return f"postgresql://secretive:{password}@/gis?host={quote(str(cluster.socket_folder))}"


def run(command: str, url: str, folder: Path) -> tuple[int, str]:
    """A command with its secrets in a file: its exit code, and all that it printed and showed."""
    secrets = folder / "secrets"
    secrets.touch(0o600)
    secrets.write_text(f"GIS_DATABASE_URL={url}\nGIS_SMTP_URL=smtps://a:{SENTINEL}@127.0.0.1:1\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIS_")}
    ours = {"GIS_SECRETS_FILE": str(secrets), "GIS_LOG_LEVEL": "debug", "GIS_HOME": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-c", "from api.cli import main; main()", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=kept | ours,
    ) as process:
        shown = command_lines()
        while process.poll() is None:
            shown += command_lines()
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert process.stdout is not None
        return process.returncode, process.stdout.read() + shown


def command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


@pytest.mark.parametrize("command", ["db status", "db migrate", "keys list"])
def test_a_wrong_password_is_reported_without_it(
    guarded: Cluster, command: str, tmp_path: Path
) -> None:
    code, output = run(command, url_of(guarded, f"{SENTINEL}x"), tmp_path)
    assert code == 7
    assert "cannot be reached" in output
    assert SENTINEL not in output


def test_a_database_that_answers_is_used_without_showing_its_password(
    guarded: Cluster, tmp_path: Path
) -> None:
    url = url_of(guarded, SENTINEL)
    code, output = run("db migrate", url, tmp_path)
    assert (code, "at revision" in output) == (0, True)
    assert SENTINEL not in output
    code, output = run("alerts ack 999999", url, tmp_path)
    assert code != 0
    assert SENTINEL not in output


def test_a_server_that_is_started_does_not_inherit_secrets(guarded: Cluster) -> None:
    environment = Path(f"/proc/{guarded.postmaster}/environ").read_text(errors="replace")
    assert "PATH=" in environment
    assert SENTINEL not in environment


def test_a_url_that_cannot_be_is_reported_without_it(tmp_path: Path) -> None:
    code, output = run("db status", f"postgresql://secretive:{SENTINEL}/@127.0.0.1/gis", tmp_path)
    assert code == 2
    assert "GIS_DATABASE_URL" in output
    assert SENTINEL not in output


def test_a_mail_server_that_is_away_is_reported_without_its_password(
    toy_province: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIS_SMTP_URL", f"smtps://alarm:{SENTINEL}@127.0.0.1:{free_port()}")
    sender = sender_of(Settings())
    with toy_province.writing() as connection:
        wish = SubscriptionRequest("desk", "mail", "truc.ban@example.vn", simulated=True)
        subscribe(connection, wish, "test", HERE)
        make_alert(connection)
    assert send_due(toy_province, sender) == 1
    with toy_province.reading() as connection:
        error = connection.scalar(text("SELECT error FROM gis.delivery"))
    printed = capfd.readouterr()
    assert error.startswith("the mail server did not take it")
    assert "127.0.0.1" in repr(sender)
    assert SENTINEL not in f"{error} {printed.out} {printed.err} {sender!r}"
