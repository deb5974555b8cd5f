"""OGC API Processes over HTTP: documents, execution, jobs, results, rights."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import shapely
from owslib.ogcapi.processes import Processes
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.jobs.session import WorkerSession
from gis.jobs.worker import ThisProcess, Worker
from gis.settings import Settings
from layers.jobs.kinds import job_kinds
from layers.processes.operations import PROCESSES
from layers.processes.runs import PROCESS, forget_expired
from tests.conftest import LAYERS as FILES
from tests.integration import inline_jobs
from tests.integration.ogc_app import Client, serving
from tests.integration.processes.conftest import CATALOGUE, SPOTS, add, square
from tests.integration.tile_reader import decode
from tiles.grid import Tile

EXECUTE = "/ogc/processes/{}/execution"
JSON = {"Content-Type": "application/json"}
ERRORS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"


class Service(Client):
    """A client of a service over the small map; keys by name."""

    database: Database
    keys: dict[str, dict[str, str]]

    def execute(self, process: str, who: str = "", prefer: str = "", **body: object):
        headers = {**self.keys.get(who, {}), **({"Prefer": prefer} if prefer else {})}
        return self.post(EXECUTE.format(process), json=body, headers=headers)

    def work(self) -> int:
        """Do what is queued, as a worker does."""
        session = WorkerSession(self.database, leads=False)
        kinds = job_kinds(self.database, inline_jobs.TestedLayers(self.database, FILES, CATALOGUE))
        worker = Worker(self.database, session, kinds, threading.Event())
        number = worker.work_off([PROCESS], ThisProcess(self.database))
        session.close()
        return number

    @contextmanager
    def working(self) -> Iterator[None]:
        """A worker that looks again and again, as long as the block."""
        stopped = threading.Event()

        def look() -> None:
            while not stopped.wait(0.02):
                self.work()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


@pytest.fixture(scope="module")
def service(postgres, small_template, tmp_path_factory) -> Iterator[Service]:
    with postgres.opened(small_template) as database:
        settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("home"))
        app = create_app(settings, database, CATALOGUE)
        app.state.layer_files = inline_jobs.TestedLayers(database, FILES, CATALOGUE)
        app.state.tile_responder._layer_files = app.state.layer_files
        with database.writing() as connection:
            keys = {
                name: {"X-API-Key": create_key(connection, name, role, layers)}
                for name, role, layers in (
                    ("admin", Role.ADMIN, ()),
                    ("operator", Role.OPERATOR, ()),
                    ("other operator", Role.OPERATOR, ()),
                    ("department", Role.DEPARTMENT, ("closed_spots",)),
                    ("other department", Role.DEPARTMENT, ("spots",)),
                )
            }
        with serving(app) as url, Service(base_url=url, timeout=60) as client:
            client.app, client.database, client.keys = app, database, keys
            yield client


SELECT = {"layer": "spots", "relation": "near", "of": "posts", "distance_m": 5_000}


class TestDocuments:
    def test_landing_and_conformance_say_that_there_are_processes(self, service):
        links = {link["rel"]: link["href"] for link in service.get("/ogc").json()["links"]}
        listed = service.get(links["http://www.opengis.net/def/rel/ogc/1.0/processes"]).json()
        assert [each["id"] for each in listed["processes"]] == list(PROCESSES)
        conformance = service.get("/ogc/conformance").json()["conformsTo"]
        assert "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core" in conformance

    def test_the_list_has_pages(self, service):
        address, seen = "/ogc/processes?limit=2", []
        while address:
            page = service.get(address).json()
            assert len(page["processes"]) <= 2
            seen += [each["id"] for each in page["processes"]]
            links = {link["rel"]: link["href"] for link in page["links"]}
            address = links.get("next")
        assert seen == list(PROCESSES)

    @pytest.mark.parametrize("name", list(PROCESSES))
    @pytest.mark.parametrize("language", ["vi", "en"])
    def test_a_description_is_whole_in_itself(self, service, name, language):
        described = service.get(f"/ogc/processes/{name}?lang={language}").json()
        assert described["title"] == getattr(PROCESSES[name].title, language)
        assert set(described["inputs"]) == set(PROCESSES[name].parameters.model_fields)
        assert "$ref" not in str(described)
        for field in described["inputs"].values():
            assert field["title"] and field["schema"]

    def test_the_definition_names_every_operation(self, service):
        paths = service.get("/ogc/openapi").json()["paths"]
        for name, process in PROCESSES.items():
            operation = paths[f"/processes/{name}/execution"]["post"]
            (content,) = operation["requestBody"]["content"].values()
            inputs = content["schema"]["properties"]["inputs"]["properties"]
            assert set(inputs) == set(process.parameters.model_fields)
        assert {"get", "delete", "patch"} <= paths["/jobs/{jobId}"].keys()

    def test_what_is_not_there_has_the_type_of_the_standard(self, service):
        for path, kind in (
            ("/ogc/processes/nothing", "no-such-process"),
            ("/ogc/jobs/nothing", "no-such-job"),
            ("/ogc/jobs/00000000-0000-0000-0000-000000000000", "no-such-job"),
            ("/ogc/jobs/00000000-0000-0000-0000-000000000000/results", "no-such-job"),
        ):
            answer = service.get(path)
            assert (answer.status_code, answer.json()["type"]) == (404, f"{ERRORS}/{kind}")


class TestExecution:
    def test_at_once_and_raw_it_is_a_feature_collection(self, service):
        answer = service.execute("select", inputs=SELECT)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/geo+json"
        assert "link" not in answer.headers
        made = answer.json()
        assert [each["properties"]["name"] for each in made["features"]] == ["in_a", "also_in_a"]
        assert made["summary"]["of_items"] == len(SPOTS)

    def test_its_collection_is_one_as_any_other(self, service):
        made = service.execute("buffer", inputs={"layer": "spots", "distance_m": 900}).json()
        name = made["collection"]
        here = f"/ogc/collections/{name}"
        document = service.get(here).json()
        assert document["itemCount"] == len(SPOTS)
        assert document["extent"]["spatial"]["bbox"][0][0] == pytest.approx(104.04, abs=0.01)
        assert name not in service.get("/ogc/collections").text
        page = service.get(f"{here}/items", params={"limit": 2, "sortby": "-name"}).json()
        assert [each["properties"]["name"] for each in page["features"]] == [
            "outside", "on_the_border_of_a_and_b",
        ]  # fmt: skip
        (after,) = [link["href"] for link in page["links"] if link["rel"] == "next"]
        assert service.get(after).json()["features"][0]["properties"]["name"] == "in_b"
        for query, number in (
            ({"name": "in_a"}, 1),
            ({"filter": "size > 4"}, 3),
            ({"filter": "S_INTERSECTS(geom, POINT(104.05 22.05))"}, 1),
            ({"bbox": "104.3,22,104.4,22.1"}, 1),
        ):
            found = service.get(f"{here}/items", params=query).json()
            assert found["numberMatched"] == number, query
        one = service.get(f"{here}/items/1").json()
        assert list(one["properties"]) == [
            "name", "buffer_km2", "size", "valid_at", "updated_at", "source", "simulated",
        ]  # fmt: skip
        assert one["geometry"]["type"] == "MultiPolygon"
        for path in ("/schema", "/queryables", "/sortables", "/tiles", "/tiles/WebMercatorQuad",
                     "/items?f=csv", "/items?f=html", "/items?f=parquet"):  # fmt: skip
            assert service.get(here + path).status_code == 200, path
        tile = service.get(f"/tiles/{name}/6/50/27.mvt").content
        assert len(decode(tile, Tile(6, 50, 27), name)) == len(SPOTS)
        assert service.get(f"/tiles/{name}/6/50/27.mvt?size=5").status_code == 200
        assert service.get(f"/tiles/{name}/tilejson.json").json()["tiles"]
        assert service.get(f"/styles/{name}.json").json()["layers"]
        assert service.get(f"/legends/{name}.json").json()["features"]
        assert name in service.get(f"/qgis/{name}.qlr").text
        refused = service.post(f"{here}/items", json={}, headers=service.keys["admin"])
        assert refused.status_code in (403, 405)

    def test_it_carries_the_request_that_made_it(self, service):
        import shlex

        from api.cli.process import read_inputs

        made = service.execute("select", inputs=SELECT).json()
        request = service.get(f"/ogc/collections/{made['collection']}").json()["request"]
        assert request == made["request"]
        words = shlex.split(request["curl"])
        assert words[words.index("-d") + 1]
        again = service.post(
            words[words.index("POST") + 1], content=words[words.index("-d") + 1],
            headers=JSON,
        ).json()  # fmt: skip
        assert [each["properties"] for each in again["features"]] == [
            each["properties"] for each in made["features"]
        ]
        _, _, _, process, *inputs = shlex.split(request["command"])
        assert service.execute(process, inputs=read_inputs(inputs)).status_code == 200
        compile(request["python"], "request", "exec")
        assert service.get(request["qgis"]).status_code == 200

    def test_a_result_is_an_input(self, service):
        near = service.execute("select", inputs=SELECT).json()["collection"]
        made = service.execute("buffer", inputs={"layer": near, "distance_m": 10}).json()
        assert len(made["features"]) == 2

    def test_within_a_document_and_by_reference(self, service):
        made = service.execute("select", inputs=SELECT, response="document").json()
        assert made["result"]["value"]["type"] == "FeatureCollection"
        reference = {"result": {"transmissionMode": "reference"}}
        made = service.execute("select", inputs=SELECT, response="document", outputs=reference)
        assert len(service.get(made.json()["result"]["href"]).json()["features"]) == 2
        raw = service.execute("select", inputs=SELECT, outputs=reference)
        assert raw.status_code == 204 and 'rel="result"' in raw.headers["link"]

    def test_inputs_may_be_qualified(self, service):
        qualified = {name: {"value": value} for name, value in SELECT.items()}
        assert len(service.execute("select", inputs=qualified).json()["features"]) == 2

    @pytest.mark.parametrize(
        ("body", "what"),
        [
            (b"{", "no JSON"),
            (b"[]", "a JSON object"),
            (b'{"inputs": []}', "are objects"),
            (b'{"input": {}}', "no member 'input'"),
            (b'{"inputs": {"layer": "spots"}}', "distance_m"),
            (b'{"inputs": {"layer": {"href": "http://x"}}}', "not fetched"),
            (b'{"inputs": {}, "response": "xml"}', "raw or document"),
            (b'{"inputs": {}, "outputs": {"other": {}}}', "no output 'other'"),
            (b'{"inputs": {"layer": "nothing", "distance_m": 5}}', "no layer nothing"),
        ],
    )
    def test_what_is_wrong_is_said(self, service, body, what):
        answer = service.post(EXECUTE.format("buffer"), content=body, headers=JSON)
        assert answer.status_code in (400, 404)
        assert what in answer.json()["detail"]

    def test_nothing_is_left_of_what_failed(self, service):
        def rows() -> int:
            with service.database.reading() as connection:
                return connection.scalar(text("SELECT count(*) FROM gis.process_run"))

        before = rows()
        for inputs in ({"layer": "spots"}, {"layer": "nothing", "distance_m": 1}):
            assert service.execute("buffer", inputs=inputs).status_code >= 400
        assert rows() == before

    def test_echo_gives_back_all_kinds_of_values(self, service):
        given = {
            "text": "Bát Xát", "number": 1.5, "numbers": [1, 2], "document": {"a": [1]},
            "bbox": {"bbox": [104, 22, 105, 23], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
        }  # fmt: skip
        with service.working():
            document = service.execute("echo", inputs=given, response="document").json()
            several = service.execute("echo", inputs=given)
            (raw,) = [service.execute("echo", inputs=given, outputs={"text": {}})]
        assert document == {
            "text": "Bát Xát", "number": 1.5, "numbers": [1, 2], "document": {"value": {"a": [1]}},
            "bbox": [104, 22, 105, 23],
        }  # fmt: skip
        assert several.headers["content-type"].startswith("multipart/related")
        assert several.content.count(b"Content-ID") == 5
        assert raw.text == "Bát Xát"

    def test_numbers_beyond_64_bits_come_back_too(self, service):
        given = {"number": 1e300, "numbers": [1e25], "document": {"a": -1e20}}
        with service.working():
            document = service.execute("echo", inputs=given, response="document").json()
        assert document == {**given, "document": {"value": given["document"]}}


class TestJobs:
    def test_from_accepted_to_its_result(self, service):
        answer = service.execute("select", prefer="respond-async", inputs=SELECT)
        assert answer.status_code == 201
        assert answer.headers["preference-applied"] == "respond-async"
        here = answer.headers["location"]
        assert here.startswith("http")
        status = service.get(here).json()
        assert (status["status"], status["type"], status["processID"]) == (
            "accepted", "process", "select",
        )  # fmt: skip
        early = service.get(f"{here}/results")
        assert early.status_code == 404 and early.json()["type"] == f"{ERRORS}/result-not-ready"
        assert service.work() == 1
        status = service.get(here).json()
        assert (status["status"], status["progress"]) == ("successful", 100)
        links = {link["rel"]: link["href"] for link in status["links"]}
        made = service.get(links["http://www.opengis.net/def/rel/ogc/1.0/results"])
        assert len(made.json()["features"]) == 2
        assert service.get(links["collection"]).status_code == 200

    def test_progress_is_in_its_log(self, service):
        answer = service.execute("echo", prefer="respond-async", inputs={"text": "x"})
        service.work()
        lines = service.get(f"{answer.headers['location']}/log").json()["log"]
        assert len(lines) == 1 and lines[0].endswith("pausing")

    def test_what_fails_says_why(self, service):
        inputs = {"layer": "spots", "of": "nothing", "distance_m": 1}
        here = service.execute("select", prefer="respond-async", inputs=inputs).headers["location"]
        service.work()
        assert service.get(here).json()["status"] == "failed"
        results = service.get(f"{here}/results")
        assert results.status_code == 400
        assert "there is no layer nothing" in results.json()["detail"]

    def test_dismissed_it_stays_dismissed(self, service):
        here = service.execute("select", prefer="respond-async", inputs=SELECT).headers["location"]
        assert service.delete(here).json()["status"] == "dismissed"
        assert service.work() == 0
        assert service.get(here).json()["status"] == "dismissed"
        assert service.get(f"{here}/results").status_code == 404

    def test_dismissed_while_it_runs_nothing_of_it_is_stored(self, service):
        inputs = {"text": "x", "pause_s": 1.5}
        here = service.execute("echo", prefer="respond-async", inputs=inputs).headers["location"]
        with service.working():
            while service.get(here).json()["status"] != "running":
                time.sleep(0.02)
            assert service.delete(here).json()["status"] == "dismissed"
        assert service.get(here).json()["status"] == "dismissed"

    def test_removed_it_is_gone_with_its_collection(self, service):
        made = service.execute("select", inputs=SELECT).json()
        (here,) = [link["href"] for link in made["links"] if link["rel"] == "monitor"]
        assert service.delete(here).json()["status"] == "dismissed"
        assert service.get(here).status_code == 404
        assert service.get(f"/ogc/collections/{made['collection']}").status_code == 404

    def test_each_key_lists_its_own_and_an_administrator_all(self, service):
        for who in ("operator", "other operator", "operator"):
            assert service.execute("select", who, inputs=SELECT).status_code == 200

        def listed(who: str, **query: object) -> dict:
            headers = service.keys.get(who, {})
            return service.get("/ogc/jobs", headers=headers, params=query).json()

        assert len(listed("operator")["jobs"]) == 2
        assert len(listed("other operator")["jobs"]) == 1
        assert listed("")["jobs"] == []
        everything = [job["jobID"] for job in listed("admin", limit=1000)["jobs"]]
        assert len(everything) >= 3
        page, seen = listed("admin", limit=2), []
        while True:
            seen += [job["jobID"] for job in page["jobs"]]
            following = [link["href"] for link in page["links"] if link["rel"] == "next"]
            if not following:
                break
            page = service.get(following[0], headers=service.keys["admin"]).json()
        assert seen == everything
        assert listed("admin", status="failed", processID="buffer")["jobs"] == []
        assert service.get("/ogc/jobs?status=odd").status_code == 400

    def test_nobody_queues_without_end(self, service):
        answers = [
            service.execute("select", "department", prefer="respond-async", inputs=SELECT)
            for _ in range(21)
        ]
        assert [answer.status_code for answer in answers] == [201] * 20 + [429]
        assert service.work() == 20


class TestExpiry:
    def test_a_result_is_kept_a_week_from_when_it_was_read(self, service):
        made = service.execute("select", "operator", inputs=SELECT).json()
        here, operator = f"/ogc/collections/{made['collection']}", service.keys["operator"]
        run = made["collection"].removeprefix("result_")

        expiring = text(
            "UPDATE gis.process_run SET expires_at = now() + :days * interval '1 day'"
            " WHERE id = CAST(:id AS uuid)"
        )
        remaining = text(
            "SELECT extract(epoch FROM expires_at - now()) / 86400 FROM gis.process_run"
            " WHERE id = CAST(:id AS uuid)"
        )

        def left(days: float | None = None) -> float:
            with service.database.writing() as connection:
                values = {"days": days, "id": run}
                if days is not None:
                    connection.execute(expiring, values)
                return connection.scalar(remaining, values)

        assert 6.9 < left() <= 7
        left(2)
        assert service.get(f"{here}/items", headers=operator).status_code == 200
        assert left() > 6.9
        left(-0.001)
        assert service.get(f"{here}/items", headers=operator).status_code == 404
        with service.database.writing() as connection:
            assert forget_expired(connection) == 1
            rows = text("SELECT count(*) FROM gis.process_row WHERE run = CAST(:id AS uuid)")
            assert connection.scalar(rows, {"id": run}) == 0

    def test_on_wish_it_is_kept(self, service):
        made = service.execute("select", "operator", inputs=SELECT).json()
        (job,) = [link["href"] for link in made["links"] if link["rel"] == "monitor"]
        operator = service.keys["operator"]
        kept = service.patch(job, json={"keep": True}, headers=operator).json()
        assert "expires" not in kept
        assert "expires" in service.patch(job, json={"keep": False}, headers=operator).json()
        public = service.execute("select", inputs=SELECT).json()
        (job,) = [link["href"] for link in public["links"] if link["rel"] == "monitor"]
        assert service.patch(job, json={"keep": True}).status_code == 400

    def test_a_page_that_is_being_read_is_whole_though_the_result_expires(self, service):
        """A reader sees what was there when his statement began."""
        made = service.execute("buffer", inputs={"layer": "spots", "distance_m": 5}).json()
        address = f"/ogc/collections/{made['collection']}/items"
        first = service.get(address, params={"limit": 1}).json()
        (following,) = [link["href"] for link in first["links"] if link["rel"] == "next"]
        (job,) = [link["href"] for link in made["links"] if link["rel"] == "monitor"]
        service.delete(job)
        assert service.get(following).status_code == 404


class TestRights:
    def test_a_result_is_for_who_made_it_and_may_read_its_inputs(self, service):
        made = service.execute("buffer", "department", inputs={
            "layer": "closed_spots", "distance_m": 100,
        }).json()  # fmt: skip
        assert made["features"][0]["properties"]["name"] == "secret"
        name = made["collection"]
        paths = [
            f"/ogc/collections/{name}", f"/ogc/collections/{name}/items",
            f"/ogc/collections/{name}/items/1", f"/ogc/collections/{name}/schema",
            f"/ogc/collections/{name}/tiles", f"/tiles/{name}/6/50/27.mvt",
            f"/tiles/{name}/6/50/27.mvt?fields=name", f"/tiles/{name}/tilejson.json",
            f"/styles/{name}.json", f"/legends/{name}.json", f"/qgis/{name}.qlr",
            *(link["href"] for link in made["links"]),
        ]  # fmt: skip
        for path in paths:
            for who, wanted in (
                ("", 404), ("operator", 404), ("other department", 404), ("department", 200),
                ("admin", 200),
            ):  # fmt: skip
                answer = service.get(path, headers=service.keys.get(who, {}))
                assert answer.status_code == wanted, (path, who)
                assert wanted == 200 or "secret" not in answer.text
        chained = {"layer": name, "distance_m": 5}
        assert service.execute("buffer", "operator", inputs=chained).status_code == 404
        assert service.execute("buffer", inputs=chained).status_code == 404

    @pytest.mark.parametrize("process", ["buffer", "dissolve", "overlay", "select", "summarise"])
    def test_to_who_may_not_read_a_layer_there_is_none(self, service, process):
        inputs = {
            "buffer": {"layer": "closed_spots", "distance_m": 1},
            "dissolve": {"layer": "closed_spots"},
            "overlay": {"layer": "closed_spots", "areas": "squares"},
            "select": {"layer": "spots", "of": "closed_spots", "distance_m": 1},
            "summarise": {"records": "closed_spots", "areas": "squares"},
        }[process]
        for prefer in ("", "respond-async"):
            answer = service.execute(process, prefer=prefer, inputs=inputs)
            if prefer:
                service.work()
                answer = service.get(answer.headers["location"] + "/results")
            assert answer.status_code in (400, 404)
            assert answer.json()["detail"].startswith("there is no layer closed_spots")

    def test_a_result_is_gone_when_what_it_rests_on_is_closed(self, service):
        add(
            service.database, "ways", shapely.LineString(square(104.0).exterior), name="ring", kmh=1
        )
        made = service.execute("dissolve", inputs={"layer": "ways"}).json()
        here = f"/ogc/collections/{made['collection']}"
        assert service.get(here).status_code == 200
        with service.database.writing() as connection:  # as `gis layers sync` does
            connection.execute(
                text("UPDATE gis.layer SET version = version + 1, archives_from = version + 1"
                     " WHERE id = 'ways'")
            )  # fmt: skip
        assert service.get(here).status_code == 404
        assert service.execute("buffer", inputs={
            "layer": made["collection"], "distance_m": 1,
        }).status_code == 404  # fmt: skip


def test_owslib_walks_it(service):
    client = Processes(f"{str(service.base_url).rstrip('/')}/ogc/")
    assert [each["id"] for each in client.processes()] == list(PROCESSES)
    assert client.process("select")["inputs"]["layer"]["minOccurs"] == 1
    made = client.execute("select", inputs=SELECT)
    assert len(made["result"]["value"]["features"]) == 2
    with service.working():
        echo = client.execute("echo", inputs={"text": "xin chào"})
    assert echo == {"text": "xin chào"}
    started = client.execute("select", inputs=SELECT, async_=True)
    service.work()
    # The client gives the body of 201, or the address of the job.
    job = started["jobID"] if isinstance(started, dict) else started.rsplit("/", 1)[1]
    assert service.get(f"/ogc/jobs/{job}").json()["status"] == "successful"
