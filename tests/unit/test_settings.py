"""Settings come from the environment."""

import pytest
from pydantic import ValidationError

from gis.settings import Settings


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIS_BOUNDARIES", "")
    monkeypatch.setenv("GIS_PORT", "")
    made = Settings()
    assert made.boundaries is None
    assert made.port == Settings.model_fields["port"].default


def test_a_port_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIS_PORT", "70000")
    with pytest.raises(ValidationError):
        Settings()
