"""Geocoding: addresses and coordinates → hex, commune, and the units of before."""

from datetime import date
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from pydantic import Field

from api.bodies import Body
from api.dependencies import Caller, DeclaredParameters, Reader
from gis.clock import today
from gis.errors import BadInput
from gis.placing.placer import Claims
from gis.placing.point import describe_point
from gis.placing.reference import stored_placer

router = APIRouter(prefix="/places", tags=["places"], dependencies=[DeclaredParameters])

MOST_RECORDS = 10_000


class PlaceQuery(Body):
    """The place of a record: coordinates, else an address, else a unit."""

    lon: Annotated[float | None, Field(description="Longitude, degrees, WGS 84")] = None
    lat: Annotated[float | None, Field(description="Latitude, degrees, WGS 84")] = None
    address: str = Field("", max_length=500)
    unit: str = Field("", max_length=200)
    district: str = Field("", max_length=200)
    day: date | None = None


class PlaceQueries(Body):
    records: list[PlaceQuery] = Field(min_length=1, max_length=MOST_RECORDS)


Lon = Annotated[float | None, Query(ge=-180, le=180, description="Longitude, degrees, WGS 84")]
Lat = Annotated[float | None, Query(ge=-90, le=90, description="Latitude, degrees, WGS 84")]
Address = Annotated[str | None, Query(max_length=500, description="An address in words")]
Day = Annotated[
    date | None,
    Query(description="The day on which the address was written, or whose unit is asked for"),
]


@router.get("")
def place(
    connection: Reader,
    caller: Caller,
    address: Address = None,
    lon: Lon = None,
    lat: Lat = None,
    day: Day = None,
) -> dict[str, Any]:
    """One place: of an address, with candidates; or of a point, with its old units.

    With a `day`, `unit_then` is the unit of that day as well.
    """
    if address is not None and lon is None and lat is None:
        placer = stored_placer(connection, today(), caller)
        match = placer.address(address, day)
        then = match.unit_then and {"code": match.unit_then.code, "name": match.unit_then.full_name}
        return match.to_dict() | ({} if day is None else {"unit_then": then})
    if address is None and lon is not None and lat is not None:
        return describe_point(connection, lon, lat, today(), day)
    raise BadInput("give either `address`, or both `lon` and `lat`")


@router.post("")
def place_batch(connection: Reader, caller: Caller, batch: PlaceQueries) -> dict[str, Any]:
    """The places of at most 10,000 records, in their order; nothing is stored.

    A record that cannot be placed has a `reason` and says `why`; the others are placed.
    """
    placer = stored_placer(connection, today(), caller)
    places = placer.place(_claims(batch.records))
    return {"places": [placer.answer(places, i) for i in range(len(batch.records))]}


def _claims(records: list[PlaceQuery]) -> Claims:
    return Claims(
        lon=np.array([record.lon for record in records], float),
        lat=np.array([record.lat for record in records], float),
        address=[record.address for record in records],
        unit=[record.unit for record in records],
        day=[record.day for record in records],
        precision_m=np.full(len(records), np.nan),
        district=[record.district for record in records],
    )
