"""Connector of OGC SensorThings: entities of a service, page by page along `@iot.nextLink`."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from gis.connectors.connector import Batch, Cursor
from gis.connectors.documents import expecting, json_document
from gis.connectors.templates import member
from gis.connectors.web import LinkedPage, WebConnector, WebOptions, read_linked
from gis.errors import BadFile


class SensorThingsOptions(WebOptions):
    """Options of `connector: sensorthings`; `url` is the root of the service: …/v1.1."""

    entities: str = Field(
        "Observations", description="Path of the entities, such as `Datastreams(4)/Observations`"
    )
    expand: str | None = Field(
        None, description="Entities that come with each, such as `Datastream($expand=Thing)`"
    )
    filter: str | None = Field(None, description="Condition, as SensorThings writes it")
    top: int = Field(1_000, ge=1, le=10_000, description="Most entities of a page")
    changed: Literal["phenomenonTime", "resultTime"] | None = Field(
        None,
        description="Time by which, after the first reading, only what is as new as the newest is "
        "read",
    )


class SensorThingsConnector(WebConnector[SensorThingsOptions]):
    """Entities as the service gives them, with those that are expanded within them."""

    name = "sensorthings"
    label = "OGC SensorThings service"
    Options = SensorThingsOptions

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        changed = self.options.changed
        first = self._first_url(cursor.get("since"))
        time_of = None if changed is None else lambda record: _end(record.get(changed))
        yield from read_linked(self, cursor, first, self._page, time_of)

    def _first_url(self, since: str | None) -> str:
        query = {"$top": str(self.options.top), "$count": "true", "$orderby": "@iot.id asc"}
        conditions = [self.options.filter] if self.options.filter else []
        if self.options.changed and since:
            conditions.append(f"{self.options.changed} ge {since}")
        if conditions:
            query["$filter"] = " and ".join(f"({each})" for each in conditions)
        if self.options.expand:
            query["$expand"] = self.options.expand
        return self.request(f"{self.url.rstrip('/')}/{self.options.entities}", query).url

    @expecting("a SensorThings service")
    def _page(self, url: str) -> LinkedPage:
        """A page. Raises BadFile for what is no list of entities."""
        with self.client.answer(self.request(url)) as answer:
            page = json_document(answer)
        if not isinstance(page, Mapping) or not isinstance(page.get("value"), list):
            raise BadFile("the answer has no list `value`: correct the address of the service")
        if not all(isinstance(record, Mapping) for record in page["value"]):
            raise BadFile("an entity of the answer is no object of JSON")
        names = str([member(record, "@iot.id") or record for record in page["value"]])
        total = page.get("@iot.count")
        link = page.get("@iot.nextLink")
        return LinkedPage(page["value"], link, total if isinstance(total, int) else None, names)


def _end(moment: Any) -> str | None:
    """The end of a time, which may be an interval."""
    return str(moment).rpartition("/")[2] if moment else None
