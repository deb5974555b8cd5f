"""Settings: read once, at start, from `GIS_*` environment variables, and passed down.

An empty variable counts as unset. Secrets may stand in a file of their own (see gis.secret_file).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gis.secret_file import SecretFile
from gis.values import BBox

ROOT = Path(__file__).parents[1]
UNDECLARED_DAYS = 365


class Settings(BaseSettings):
    """Every setting has a default; `docs/reference/settings.md` is generated from here."""

    model_config = SettingsConfigDict(
        env_prefix="GIS_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    secrets_file: Path | None = Field(
        None,
        description="File of the secrets (`GIS_DATABASE_URL`, `GIS_SMTP_URL`, "
        "`GIS_GATEWAY_SECRET_…`, `GIS_SOURCE_SECRET_…`), one `NAME=value` a line, which nobody "
        "but the service's account may read; the environment goes first",
    )

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL ≥ 15 with PostGIS ≥ 3.3, as postgresql://…; "
        "unset: a private cluster in the home folder",
    )
    home: Path = Field(ROOT / ".gis", description="Folder of the embedded cluster and of caches")
    boundaries: str | None = Field(
        None, description="File, folder or URL of commune boundaries; unset: see data/boundaries"
    )
    province: str = Field("15", pattern=r"^\d\d$", description="Code of the province, of today")
    host: str = Field("127.0.0.1", description="Address on which the service listens")
    port: int = Field(8000, ge=1, le=65535, description="Port on which the service listens")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve")
    public_url: str | None = Field(
        None,
        description="The URL that clients see, without a final slash, to which mail links; "
        "unset: of the request, and mail has no link",
    )
    cors_origins: str = Field(
        "*",
        pattern=r"^(?i:none|(\*|https?://[^\s/]+)(\s+(\*|https?://[^\s/]+))*)$",
        description="Origins of web pages elsewhere, such as https://maps.example.vn, separated by "
        "blanks: they may read and, with a key, write; *: any may read; none: none may",
    )
    shared_cache_s: int = Field(
        0,
        ge=0,
        le=3600,
        description="Seconds for which a shared cache before the service may hand out public "
        "answers without asking; 0: it asks each time",
    )
    layers: Path = Field(ROOT / "layers", description="Folder of the layer files")
    demo: bool = Field(True, description="Load simulated data into an empty database")
    demo_sources: bool = Field(
        True,
        description="Beside the demo in the private cluster, run simulated systems of departments "
        "and read them by schedule",
    )
    reader_timeout_ms: int = Field(
        10_000, ge=100, description="Longest time that one reading statement may take"
    )
    reader_row_limit: int = Field(
        10_000, ge=1, description="Most rows that one page of items may hold"
    )
    connections: int = Field(
        700,
        ge=1,
        description="Most connections of clients to each process, and 256 fewer than files that it "
        "may open; of more, the one that keeps it waiting longest is dropped",
    )
    client_header_s: float = Field(
        15, gt=0, description="Longest time that a client may take to send the header of a request"
    )
    client_body_s: float = Field(
        60, gt=0, description="Longest time that a client may take to send the body of a request"
    )
    client_read_s: float = Field(
        30,
        gt=0,
        description="A client that reads less than 1 kB a second of an answer for so long is "
        "dropped",
    )
    client_streams: int = Field(
        50, ge=1, description="Most streams of events that go to one address at a time"
    )
    client_exports: int = Field(
        4, ge=1, description="Most exports that are made for or sent to one address at a time"
    )
    body_mb: float = Field(
        10, gt=0, description="Most megabytes that the body of a request may have"
    )
    ingest_at_once_mb: float = Field(
        2,
        ge=0,
        description="Most megabytes of a body that /ingest loads before it answers; a larger one "
        "is loaded by a job",
    )
    exports: int = Field(
        4, ge=1, le=50, description="Exports that are made at a time; others wait for ten seconds"
    )
    export_mb: int = Field(1000, ge=1, description="Most megabytes that an export may have")
    exports_disk_mb: int = Field(
        4000,
        ge=1,
        description="Megabytes of the home folder that exports may take until they are read",
    )
    tiles_disk_mb: int = Field(
        0, ge=0, description="Megabytes of tiles kept on disk in the home folder; 0: none"
    )
    k_anonymity: int = Field(5, ge=1, description="A public hex with fewer reports is not shown")
    runs_kept_days: int = Field(
        400, ge=30, description="Days that runs of the analysis are kept; alerts keep theirs"
    )
    undeclared_days: int = Field(
        UNDECLARED_DAYS,
        ge=1,
        description="Days that cells of undeclared columns are kept after they were last sent",
    )
    smtp_url: SecretStr | None = Field(
        None,
        description="Mail server, as smtp://host:port or smtps://user:password@host; "
        "unset: alerts by mail wait",
    )
    mail_from: str = Field("gis@localhost", description="Sender of mail about alerts")
    quiet_letters: bool = Field(
        False,
        description="No weekly letter to a steward about a week of which nothing is to be "
        "corrected; else it says so in one line",
    )
    webhook_networks: str = Field(
        "",
        description="Networks to which webhooks may go beside public addresses, "
        "such as 10.0.0.0/8, separated by blanks",
    )
    source_networks: str = Field(
        "",
        description="Networks from which sources may be read beside public addresses, such as "
        "10.0.0.0/8, separated by blanks",
    )
    inbox: Path | None = Field(
        None,
        description="Folder within which the watched folders of sources are; unset: `inbox` in the "
        "home folder",
    )
    gateways: Path | None = Field(
        None,
        description="TOML file of the gateways of SMS, Zalo and the like "
        "([how](../how-to/gateways.md)); unset: none",
    )
    delivery_attempts: int = Field(
        20, ge=1, le=1000, description="Attempts to deliver an alert until it is given up"
    )
    delivery_retry_s: float = Field(
        5, gt=0, le=3600, description="Seconds until the second attempt; then twice as long each"
    )
    notification_gap_minutes: float = Field(
        10,
        ge=0,
        le=1440,
        description="Least minutes between two notifications of one alert to one subscription, "
        "unless its tier rises; 0: each step is sent",
    )
    delivery_timeout_s: float = Field(
        20,
        gt=0,
        le=25,  # less than the 30 s that a writer waits for a row that a sender holds
        description="Longest time that one attempt may take, from connecting to the end of the "
        "answer",
    )
    publish_alerts: Literal["approved", "urgent", "all"] = Field(
        "approved",
        description="Alerts that everybody sees, simulated ones too: `approved`, those that an "
        "operator approved; `urgent`, also each urgent one at once; `all`, each at once. Never "
        "real ones on approximate boundaries or those of layers that are not public",
    )
    cap_sender: str = Field(
        "gis-ioc",
        pattern=r"^[^\s,<&]+$",
        description="Sender of CAP documents: a name that no other sender has, such as a domain",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged"
    )
    log_format: Literal["json", "text"] = Field(
        "text", description="One JSON object a line, or text for people"
    )
    map_extent: tuple[float, float, float, float] = Field(
        (103.5, 21.3, 105.1, 22.9), description="West, south, east, north before boundaries load"
    )

    # Under names of the province's own: GIS_GATEWAY_SECRET_<NAME>, GIS_SOURCE_SECRET_<NAME> (see
    # gis.secret_file).
    gateway_secrets: Mapping[str, SecretStr] = Field({}, exclude=True)
    source_secrets: Mapping[str, SecretStr] = Field({}, exclude=True)

    # Host and port of the simulated systems of departments, where the demo has them (see
    # api.demo_sources.beside).
    demo_address: tuple[str, int] | None = Field(None, exclude=True)

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: SecretStr | None) -> SecretStr | None:
        return _checked(url, "postgresql://user:password@host:5432/name", *_POSTGRESQL)

    @field_validator("smtp_url")
    @classmethod
    def _check_smtp_url(cls, url: SecretStr | None) -> SecretStr | None:
        return _checked(url, "smtps://user:password@host", "smtp", "smtps")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFile(settings_cls)

    @property
    def extent(self) -> BBox:
        return BBox(*self.map_extent)

    @property
    def demo_folder(self) -> Path:
        """The folder of the simulated systems of departments: their address and layer files."""
        return self.home / "demo_sources"

    @property
    def more_layers(self) -> tuple[Path, ...]:
        """The folders of layer files beside `layers`, whose files go before theirs."""
        return () if self.demo_address is None else (self.demo_folder,)

    @property
    def inbox_folder(self) -> Path:
        """The folder within which the watched folders of sources are."""
        return self.inbox or self.home / "inbox"

    @property
    def archives(self) -> Path:
        """The folder of the PMTiles archives that the service hands out."""
        return self.home / "pmtiles"

    @property
    def rasters(self) -> Path:
        """The folder of the Cloud Optimized GeoTIFFs of raster layers."""
        return self.home / "rasters"

    @property
    def kept_tiles(self) -> Path:
        """The folder of the tiles that are kept on disk."""
        return self.home / "tiles"


_POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")


def _checked(secret: SecretStr | None, example: str, *schemes: str) -> SecretStr | None:
    """A URL that libraries can read: their own errors would show what they could not read.

    Raises ValueError without the value.
    """
    if secret is None:
        return None
    try:
        parts = urlsplit(secret.get_secret_value())
        _ = parts.port  # raises for what is no number
        is_good = parts.scheme in schemes and "@" not in parts.path
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(
            f"it is to be as {example}; in a password / is written %2F, @ %40, # %23, ? %3F, % %25"
        )
    return secret
