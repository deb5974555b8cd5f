"""The interface of a connector: what reads records of another system, batch by batch.

A connector knows a protocol and nothing of layers: it gives records as they came, by the names of
the source, and a cursor from which another reading goes on. Who calls it stores a batch and its
cursor in one transaction, so that after a death at any moment nothing is lost and nothing doubled.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from gis.egress import EgressPolicy

type Record = Mapping[str, Any]  # JSON values by the names of the source; may be nested
type Cursor = Mapping[
    str, Any
]  # JSON values that only the connector understands; {}: the beginning


class ConnectorOptions(BaseModel):
    """What the section `read` of a layer file says to a connector; each connector has its own.

    A secret is written by its name, `{secret:NAME}`, and never by its value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to be stored together, and where to go on once they are."""

    records: Sequence[Record]
    cursor: Cursor
    # This is the last batch of a reading that has seen each record which the source holds: only
    # then can a record that did not come be one that is gone.
    ends_whole: bool = False
    deleted: Sequence[Record] = ()  # records that the source itself says are gone, with their keys


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the service lends a connector: secrets by name, and where it may connect to."""

    secrets: Mapping[str, str]
    policy: EgressPolicy
    timeout_s: float = 30.0  # without a byte
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

        Raises SourceUnavailable where another attempt may succeed (slow, cut, 500, 429),
        SourceRefused where somebody must act first (an expired secret, a page that is not what was
        asked for), and BadFile for what cannot be read as what it claims to be. An answer that is
        empty or garbled is never a whole reading.
        """

    def acknowledge(self, cursor: Cursor) -> None:  # noqa: B027 (few need it)
        """Called after the transaction that stored the batch of this cursor."""

    def close(self) -> None:  # noqa: B027 (few need it)
        """Called at the end of a reading, however it ended."""
