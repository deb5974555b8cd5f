"""The log of requests: a line each, in the form that the settings name, whatever a client sends."""

import re

import orjson
import pytest
import structlog

from api.logs import REQUEST_ID, RequestLog, configure_logs
from gis.settings import Settings

TOLD = {"method": "GET", "path": "/tiles/a/0/0/0.mvt", "status": 200, "took_ms": 0.4, "who": "x"}
HOSTILE = '/ogc/a\n2026-01-01T00:00:00Z [info     ] request method="GET" \x1b[31m'


def settings(form: str, level: str = "info") -> Settings:
    return Settings(_env_file=None, log_format=form, log_level=level)


@pytest.fixture
def logging_restored():
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("path", [TOLD["path"], HOSTILE, "/Lào Cai", ""])
def test_a_request_is_one_json_object_a_line(capsys, path):
    RequestLog(settings("json")).write("id1", TOLD | {"path": path})
    (line,) = capsys.readouterr().out.splitlines()
    told = orjson.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told.pop("timestamp"))
    named = {"event": "request", "request_id": "id1", "level": "info"}
    assert told == TOLD | {"path": path} | named


@pytest.mark.parametrize("path", [TOLD["path"], HOSTILE])
def test_a_request_is_one_line_of_text(capsys, path):
    RequestLog(settings("text")).write("id1", TOLD | {"path": path})
    (line,) = capsys.readouterr().out.splitlines()
    assert " [info     ] request method=GET path=" in line and line.isprintable()
    assert line.endswith(" status=200 took_ms=0.4 who=x request_id=id1")


def test_requests_are_logged_down_to_the_level_of_information(capsys):
    for level in ("debug", "info", "warning", "error"):
        RequestLog(settings("json", level)).write(level, TOLD)
    lines = capsys.readouterr().out.splitlines()
    assert [orjson.loads(line)["request_id"] for line in lines] == ["debug", "info"]


@pytest.mark.usefixtures("logging_restored")
def test_an_event_names_the_request_in_which_it_happens(capsys):
    configure_logs(settings("json"))
    log = structlog.get_logger("tests")
    bound = REQUEST_ID.set("id2")
    log.warning("within")
    REQUEST_ID.reset(bound)
    log.warning("beside")
    within, beside = map(orjson.loads, capsys.readouterr().out.splitlines())
    assert (within["request_id"], "request_id" in beside) == ("id2", False)
