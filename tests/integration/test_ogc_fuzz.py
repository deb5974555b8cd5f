"""The API by its own definition: whatever is sent, the service answers in its own words."""

import subprocess
import sys
from pathlib import Path

from gis.access import Role, create_key
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.storage.sync import sync
from tests import soak
from tests.integration.ogc_app import client_of
from tests.integration.ogc_layers import INCIDENTS, add

EXAMPLES = soak.size(4, 240)
# `coverage` asks for each bound of each parameter, which takes minutes.
PHASES = soak.size("examples,fuzzing", "examples,coverage,fuzzing")


def test_no_request_of_the_definition_makes_the_server_fail(
    toy_province: Database, tmp_path: Path
) -> None:
    with toy_province.writing() as connection:
        sync(connection, Catalogue((INCIDENTS,)))
        key = create_key(connection, "fuzz", Role.DEPARTMENT, ["incidents"])
    for row in range(1, 4):
        place = {"lon": 104.05, "lat": 22.05}
        add(toy_province, id=row, **place, kind="flood", source="t", source_key=str(row))
    with client_of(toy_province, [INCIDENTS]) as client:
        document = client.base_url.join("/ogc/openapi?f=json")
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", str(document),
            "--checks", "not_a_server_error,status_code_conformance,content_type_conformance",
            "--phases", PHASES, "--max-examples", str(EXAMPLES),
            "--seed", str(soak.SEED), "--workers", "1", "--header", f"X-API-Key: {key}",
            "--header", "Prefer: respond-async",  # nobody works here who would run a process
        ]  # fmt: skip
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=soak.size(600, 7200),
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
