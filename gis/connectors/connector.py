"""The interface of a connector: what reads records of another system, batch by batch.

A connector knows a protocol and nothing of layers: it gives records as they came, by the names of
the source, and a cursor from which another reading goes on. Who calls it stores a batch and its
cursor in one transaction, so that after a death at any moment nothing is lost and nothing doubled.

Layer files are read wherever the service is started, `gis --help` included: a module of a connector
imports the libraries of its protocol within the functions that need them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from gis.egress import EgressPolicy

if TYPE_CHECKING:
    from gis.intake.chunks import TableChunks

# The member of a record that holds its place, of protocols that have one: a GeoJSON geometry in
# WGS 84, longitude first; absent or null where the record has none. Other members of any depth are
# named in layer files by their path, such as `station.name` or `values.0`.
GEOMETRY = "geometry"

type Record = Mapping[str, Any]  # JSON values by the names of the source; may be nested
type Cursor = Mapping[
    str, Any
]  # JSON values that only the connector understands; {}: the beginning


class ConnectorOptions(BaseModel):
    """Words of the section `read` of a layer file; each connector has its own.

    Every field has a description, from which the reference of layer files is generated; the name
    of the class is that of no other. A secret is written by its name, `{secret:NAME}`, and never by
    its value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to be stored together, and where to go on once they are.

    Of a file, `file` are its records as the intake reads them, instead of `records`; `failures` is
    where those that failed are written to, as a file to correct.
    """

    records: Sequence[Record]
    cursor: Cursor
    # This is the last batch of a reading that has seen each record which the source holds, be it
    # over several calls of `read`: only then can a record that did not come be one that is gone.
    ends_whole: bool = False
    deleted: Sequence[Record] = ()  # records that the source itself says are gone, with their keys
    file: "TableChunks | None" = None
    failures: Path | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the service lends a connector: secrets by name, and where it may connect to.

    `secrets` are values by name; a text of the options becomes what is sent by
    `gis.secret_references.with_secrets(text, secrets)`. `inbox` is the folder within which folders
    are watched.
    """

    secrets: Mapping[str, str]
    policy: EgressPolicy
    inbox: Path | None = None
    timeout_s: float = 30.0  # without a byte
    longest_s: float = 900.0  # for one answer
    most_bytes: int = 512 * 2**20  # of one answer


class Connector[O: ConnectorOptions](ABC):
    """One protocol by which records flow in. An instance reads one source, in one thread."""

    name: ClassVar[str]  # `connector:` of layer files
    label: ClassVar[str]  # for help texts: "ArcGIS feature layer"
    Options: ClassVar[type[ConnectorOptions]]

    def __init__(self, options: O, surroundings: Surroundings) -> None:
        """Opens nothing yet. Raises BadInput for options that can never work."""
        self.options = options
        self.surroundings = surroundings

    @abstractmethod
    def read(self, cursor: Cursor) -> Iterator[Batch]:
        """The batches after a cursor; none where nothing is new.

        A batch has some thousand records and at most some megabytes, as all of it is held and is
        stored in one transaction. Who calls may stop after any batch, and goes on later from its
        cursor. A batch without records still has its cursor stored.

        Raises SourceUnavailable where another attempt may succeed (slow, cut, 500, 429),
        SourceRefused where somebody must act first (an expired secret, a page that is not what was
        asked for), and BadFile for what cannot be read as what it claims to be. An answer that is
        empty or garbled is never a whole reading.
        """

    def acknowledge(self, cursor: Cursor) -> None:  # noqa: B027 (few need it)
        """Called after the transaction that stored the batch of this cursor."""

    def set_aside(self, cursor: Cursor, why: str) -> bool:
        """Called where the batch of this cursor cannot be stored for what is in it.

        True: it is kept apart for a person, and the cursor is stored without its records; False:
        the reading ends there.
        """
        return False

    def close(self) -> None:  # noqa: B027 (few need it)
        """Called at the end of a reading, however it ended."""
