"""Subscriptions over HTTP: an operator's act, whose secret is told once."""

from collections.abc import Iterator

import pytest

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.settings import Settings
from tests.integration.ogc_app import Client, app_client

WISH = {"name": "desk", "channel": "webhook", "target": "https://desk.example.vn/alerts"}


@pytest.fixture
def http(toy_province, catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as client:
        yield client


def key(database: Database, role: Role, *layers: str) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, "tests", role, layers)}


def test_an_operator_adds_lists_and_ends_a_subscription(http, toy_province):
    operator = key(toy_province, Role.OPERATOR)
    added = http.post("/subscriptions", json=WISH, headers=operator)
    assert added.status_code == 201
    secret = added.json()["secret"]
    assert len(secret) >= 43
    listed = http.get("/subscriptions", headers=operator)
    (one,) = listed.json()["subscriptions"]
    assert listed.json()["untold"] == []
    assert (one["name"], one["target"], one["least_severity"]) == ("desk", WISH["target"], "alert")
    assert secret not in listed.text
    assert http.post("/subscriptions", json=WISH, headers=operator).status_code == 409
    assert http.post("/subscriptions/desk/retry", headers=operator).json() == {"waiting": 0}
    assert http.delete("/subscriptions/desk", headers=operator).status_code == 204
    assert http.delete("/subscriptions/desk", headers=operator).status_code == 404


def test_nobody_else_sees_or_makes_subscriptions(http, toy_province):
    department = key(toy_province, Role.DEPARTMENT, "landslides")
    for headers, status in ((None, 401), (department, 403)):
        assert http.get("/subscriptions", headers=headers).status_code == status
        assert http.post("/subscriptions", json=WISH, headers=headers).status_code == status
        assert http.delete("/subscriptions/desk", headers=headers).status_code == status
        assert http.post("/subscriptions/desk/retry", headers=headers).status_code == status


def test_what_cannot_be_sent_to_is_refused_with_the_reason(http, toy_province):
    operator = key(toy_province, Role.OPERATOR)
    for changes, status in (
        ({"target": "http://127.0.0.1/"}, 400),
        ({"target": "http://169.254.169.254/latest/meta-data"}, 400),
        ({"target": "file:///etc/passwd"}, 400),
        ({"channel": "mail"}, 400),
        ({"channel": "pigeon"}, 400),
        ({"layers": ["nothing"]}, 404),
        ({"communes": ["99999"]}, 404),
        ({"secret": "mine"}, 400),
    ):
        answer = http.post("/subscriptions", json=WISH | changes, headers=operator)
        assert answer.status_code == status, changes
        assert answer.json()["detail"]
