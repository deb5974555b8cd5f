"""Secrets come from the environment or from a file of their own, and are printed nowhere."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gis.errors import BadInput, SetupError
from gis.secret_references import secret_references, with_secrets
from gis.settings import Settings

SENTINEL = "s3ntinel-of-a-secret"
URL = f"postgresql://gis:{SENTINEL}@127.0.0.1:1/gis"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "secrets"
    path.touch(0o600)
    for name in ("GIS_DATABASE_URL", "GIS_SMTP_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIS_SECRETS_FILE", str(path))
    return path


def test_secrets_are_read_from_their_file(file: Path) -> None:
    file.write_text(
        f"# của trung tâm\nGIS_DATABASE_URL={URL}\nexport GIS_SMTP_URL='smtps://a:p$x@mail.vn'\n"
    )
    settings = Settings()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert settings.smtp_url is not None
    assert settings.smtp_url.get_secret_value() == "smtps://a:p$x@mail.vn"


def test_the_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f"GIS_DATABASE_URL={URL}\n")
    monkeypatch.setenv("GIS_DATABASE_URL", "postgresql://other@127.0.0.1/gis")
    settings = Settings()
    assert settings.database_url is not None
    assert "other" in settings.database_url.get_secret_value()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_may_read_is_refused(file: Path, mode: int) -> None:
    file.write_text(f"GIS_DATABASE_URL={URL}\n")
    file.chmod(mode)
    with pytest.raises(SetupError, match="chmod 600"):
        Settings()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("GIS_PORT=1\n", "holds GIS_PORT"),
        (f"{SENTINEL}\n", "holds a line"),
        (f"{SENTINEL}=1\n", "holds a line"),
        (b"GIS_SMTP_URL=\xff\n", "UTF-8"),
    ],
)
def test_a_file_of_something_else_is_refused(file: Path, content: str | bytes, words: str) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SetupError, match=words) as caught:
        Settings()
    assert SENTINEL not in str(caught.value)


def test_a_file_that_is_missing_is_reported(file: Path) -> None:
    file.unlink()
    with pytest.raises(SetupError, match="No such file"):
        Settings()


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("GIS_DATABASE_URL", f"postgresql://gis:{SENTINEL}/1@host/gis"),
        ("GIS_DATABASE_URL", f"postgresql://gis:12/{SENTINEL}@host/gis"),
        ("GIS_DATABASE_URL", f"postgresql://gis:{SENTINEL}@host:port/gis"),
        ("GIS_DATABASE_URL", f"host=db password={SENTINEL}"),
        ("GIS_DATABASE_URL", f"mysql://gis:{SENTINEL}@host/gis"),
        ("GIS_SMTP_URL", f"smtp://gis:{SENTINEL}/x@host"),
        ("GIS_SMTP_URL", f"http://gis:{SENTINEL}@host"),
    ],
)
def test_a_secret_that_cannot_be_is_refused_without_being_shown(
    file: Path, name: str, url: str
) -> None:
    file.write_text(f"{name}={url}\n")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert SENTINEL not in f"{caught.value} {caught.value!r}"
    assert "%2F" in str(caught.value)


def test_settings_do_not_show_secrets(file: Path) -> None:
    file.write_text(f"GIS_DATABASE_URL={URL}\nGIS_SMTP_URL=smtps://a:{SENTINEL}@mail.vn\n")
    settings = Settings()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), f"{vars(settings)}"):
        assert SENTINEL not in shown


def test_secrets_of_gateways_and_of_sources_are_kept_apart(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("GIS_SOURCE_SECRET_BUS=of the file\nGIS_GATEWAY_SECRET_BUS=of SMS\n")
    monkeypatch.setenv("GIS_SOURCE_SECRET_RAIN", "of the environment")
    settings = Settings()
    values = {name: each.get_secret_value() for name, each in settings.source_secrets.items()}
    assert values == {"BUS": "of the file", "RAIN": "of the environment"}
    assert settings.gateway_secrets["BUS"].get_secret_value() == "of SMS"


def test_a_text_names_secrets_and_only_those_are_filled_in() -> None:
    filled = with_secrets("Bearer {secret:KEY} {now:%H} {}", {"KEY": SENTINEL, "OTHER": "x"})
    assert filled == f"Bearer {SENTINEL} {{now:%H}} {{}}"
    assert list(secret_references("{secret:A}{secret:B} {secret:a}")) == ["A", "B"]
    with pytest.raises(BadInput, match="GIS_SOURCE_SECRET_LOST") as error:
        with_secrets("{secret:LOST}{secret:KEY}", {"KEY": SENTINEL})
    assert SENTINEL not in str(error.value)
