"""Layer files at fault in a running service: the last good layers stay in force, and it is told."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from api.app import create_app
from gis.alerts.actions import Alert, list_alerts
from gis.alerts.self_monitoring import RULE
from gis.alerts.states import Status
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.definition.model import Layer
from layers.definition.reload import LayerFiles
from layers.jobs.failures import Failures
from layers.jobs.leadership import FileFaults
from layers.jobs.service import watching
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.integration.inline_jobs import inline
from tests.integration.ogc_app import app_client
from tests.waiting import wait_until

LAYER = "citizen_reports"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The layer files of the project, to be changed."""
    made = tmp_path / "layers"
    made.mkdir()
    for path in LAYERS.glob("*.yaml"):
        shutil.copy(path, made)
    return made


def break_file(folder: Path, name: str) -> None:
    (folder / f"{name}.yaml").write_text("id: [\n", encoding="utf-8")


def publish_other(database: Database) -> None:
    """Other layers are published than the service knows, by files that it does not see."""
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.layer SET digest = 'other' WHERE id = 'landslides'"))


def runs(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM gis.hotspot_run")))


def told(database: Database) -> list[Alert]:
    with database.reading() as connection:
        found = list_alerts(connection, layers=[LAYER])
    return [one for one in found if one.rule == RULE]


def heed(files: LayerFiles, faults: FileFaults, minutes: int) -> None:
    files.follow()
    faults.heed(files, datetime.now(UTC) + timedelta(minutes=minutes))


@pytest.mark.parametrize("name", [LAYER, "power_plants", "new"])
def test_hotspots_go_on_beside_a_file_that_cannot_be_read(
    toy_province: Database, catalogue: Catalogue, folder: Path, name: str
):
    publish_other(toy_province)
    break_file(folder, name)
    with watching(toy_province, folder, catalogue, 30, inline(toy_province)):
        wait_until(lambda: runs(toy_province) >= 3)


def test_layers_published_while_a_file_is_at_fault_are_taken_up_once_it_is_mended(
    toy_province: Database, catalogue: Catalogue, folder: Path
):
    files = LayerFiles(toy_province, folder, catalogue)
    plants = folder / "power_plants.yaml"
    plants.write_text(plants.read_text().replace("en: Power plants", "en: Plants"))
    with toy_province.writing() as connection:
        sync(connection, read_catalogue(folder))
    (folder / "landslides.yaml").unlink()
    (folder / "landslides.yaml").mkdir()  # which no account can read as a file
    files.follow()
    assert files.catalogue is catalogue
    (fault,) = files.faults
    assert fault == "landslides.yaml:1: the file cannot be read: Is a directory"
    (folder / "landslides.yaml").rmdir()
    shutil.copy(LAYERS / "landslides.yaml", folder)
    files.follow()
    assert files.faults == ()
    assert files.catalogue.get("power_plants").title.en == "Plants"


def test_files_that_are_edited_and_not_published_change_nothing(
    toy_province: Database, catalogue: Catalogue, folder: Path
):
    files = LayerFiles(toy_province, folder, catalogue)
    (folder / "power_plants.yaml").unlink()
    files.follow()
    assert files.catalogue is catalogue


def test_a_file_that_lay_there_unpublished_at_the_start_is_no_layer_until_it_is_published(
    toy_province: Database, folder: Path
):
    springs = (folder / "power_plants.yaml").read_text().replace("id: power_plants", "id: springs")
    (folder / "springs.yaml").write_text(springs)
    files = LayerFiles(toy_province, folder, read_catalogue(folder))
    files.follow()
    assert "springs" not in {layer.id for layer in files.catalogue.layers}
    with toy_province.writing() as connection:
        sync(connection, read_catalogue(folder))
    files.follow()
    assert files.catalogue == read_catalogue(folder)


def test_a_file_that_stays_at_fault_is_an_alert_of_its_layer_until_it_is_mended(
    toy_province: Database, catalogue: Catalogue, folder: Path
):
    files, faults = LayerFiles(toy_province, folder, catalogue), FileFaults(Failures(toy_province))
    break_file(folder, LAYER)
    for minutes in (0, 2):
        heed(files, faults, minutes)
    assert told(toy_province) == []
    heed(files, faults, 4)
    (alert,) = told(toy_province)
    assert (alert.status, alert.severity) == (Status.OPEN, "alert")
    assert alert.headline_vi == "Không đọc được tệp cấu hình của lớp “Phản ánh của người dân”"
    assert alert.headline_en == "The layer file of “Citizen reports” cannot be read"
    shutil.copy(LAYERS / f"{LAYER}.yaml", folder)
    heed(files, faults, 5)
    assert [one.status for one in told(toy_province)] == [Status.EXPIRED]


def test_health_counts_files_at_fault(toy_province: Database, catalogue: Catalogue, folder: Path):
    app = create_app(Settings(_env_file=None, layers=folder), toy_province, catalogue)
    with app_client(app) as http:
        assert http.get("/health").json()["bad_layer_files"] == 0
        break_file(folder, LAYER)
        break_file(folder, "new")
        wait_until(lambda: http.get("/health").json()["bad_layer_files"] == 2)
        assert http.get("/health").json()["status"] == "ready"


@pytest.mark.parametrize("name", [layer.id for layer in read_catalogue(LAYERS).layers])
def test_a_layer_is_the_same_by_its_file_and_as_published(catalogue: Catalogue, name: str):
    """So that it can be followed where its file cannot be read."""
    layer = catalogue.get(name)
    assert Layer.model_validate(layer.model_dump(mode="json")) == layer


def test_rights_that_were_narrowed_are_taken_up_although_a_file_cannot_be_read(
    toy_province: Database, catalogue: Catalogue, folder: Path
):
    files = LayerFiles(toy_province, folder, catalogue)
    plants = folder / "power_plants.yaml"
    assert "read: public" in plants.read_text()
    plants.write_text(plants.read_text().replace("read: public", "read: private"))
    with toy_province.writing() as connection:
        sync(connection, read_catalogue(folder))
    break_file(folder, "landslides")
    files.follow()
    assert files.catalogue.get("power_plants").access.read == "private"
    assert files.catalogue.get("landslides") == catalogue.get("landslides")
