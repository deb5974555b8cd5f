"""The vocabulary of the file of a raster layer, `geometry: raster`.

Where a word is that of other layer files it means the same.
"""

from datetime import time
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from gis.rasters.raster import RasterQuantity, RasterSpec
from layers.definition.model import (
    Access,
    Colour,
    Identifier,
    LocalizedText,
    Strict,
    UpdateFrequency,
    Zoom,
)


class RasterTime(Strict):
    """The steps of a stack in time."""

    step_hours: float | None = Field(
        None, gt=0, le=8784, description="Hours that a step lasts; unset: steps are instants"
    )
    day_boundary: str = Field(
        "00:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="The hour of UTC+07:00 at which days begin: 19:00 for days of rain. A day "
        "bears the date that holds its middle",
    )


class RasterTiles(Strict):
    """Pictures of the raster for maps."""

    min_zoom: Zoom = Field(0, description="First zoom with tiles")
    max_zoom: Zoom = Field(14, description="Last zoom with tiles; clients enlarge them beyond")
    hillshade: bool = Field(
        False, description="Of heights in metres: shaded relief as a second picture"
    )


class RasterClass(Strict):
    """One colour: of a value, or of the values from `at_least` on."""

    label: LocalizedText = Field(description="Its line in the legend")
    colour: Colour = Field(description='Six hexadecimal digits in quotes, such as "#1f6f8b"')
    value: int | None = Field(None, description="The pixel's value, where `quantity` is class")
    at_least: float | None = Field(None, description="The least value of the pixel, in the unit")

    @model_validator(mode="after")
    def _one_bound_of_class(self) -> Self:
        if (self.value is None) == (self.at_least is None):
            raise ValueError("a class has either `value` or `at_least`")
        return self


class RasterStyle(Strict):
    """Colours, from which the map, the legend and QGIS are derived."""

    classes: tuple[RasterClass, ...] = Field(
        min_length=1, description="All by `value`, or all by `at_least` with the lowest first"
    )
    mixed: bool = Field(
        False, description="Between two bounds colours are mixed; else each class has one colour"
    )
    opacity: float = Field(0.8, ge=0, le=1, description="Of the picture on the map")

    @model_validator(mode="after")
    def _classes_in_order(self) -> Self:
        bounds = [each.at_least for each in self.classes if each.at_least is not None]
        values = [each.value for each in self.classes if each.value is not None]
        if bounds and values:
            raise ValueError("`classes` are all by `value`, or all by `at_least`")
        if any(lower >= upper for lower, upper in pairwise(bounds)):
            raise ValueError("`at_least` rises from class to class")
        if len(set(values)) != len(values):
            raise ValueError("a `value` has one class")
        return self


class RasterLayer(Strict):
    """All that the file of a raster layer says."""

    id: Identifier = Field(description="The name of the file and of the layer in every URL")
    title: LocalizedText = Field(description="Its name for people")
    description: LocalizedText = Field(description="What it shows, in a sentence")
    department: LocalizedText = Field(description="The steward: who answers for the data")
    licence: str = Field(description="SPDX identifier or the licence in words")
    attribution: str | None = Field(None, description="Written on maps that show the layer")
    classification: Literal["open", "internal", "restricted"] = Field(
        "open", description="Class of secrecy of the data as a whole"
    )
    keywords: tuple[str, ...] = Field((), description="Words by which the catalogue finds it")
    frequency: UpdateFrequency | None = Field(None, description="How often its source renews it")
    geometry: Literal["raster"] = Field(description="It is a raster")
    quantity: RasterQuantity = Field(
        description="`measure`: of the place, as height, averaged; `total`: of the pixel, as its "
        "inhabitants, summed; `class`: a number that stands for a name"
    )
    unit: str | None = Field(None, description="UCUM unit of the values, such as m, mm, {person}")
    least: float | None = Field(None, description="The least value that is plausible")
    most: float | None = Field(None, description="The greatest value that is plausible")
    time: RasterTime | None = Field(None, description="A stack of steps; absent: one raster")
    access: Access = Field(Access(write="admin"), description="Who may read and write")
    tiles: RasterTiles | None = Field(None, description="Pictures for maps; absent: none")
    style: RasterStyle = Field(description="How map, legend and QGIS show it")

    @model_validator(mode="after")
    def _words_fit(self) -> Self:
        by_value = self.style.classes[0].value is not None
        if by_value != (self.quantity is RasterQuantity.CLASS):
            raise ValueError("classes by `value` are those of `quantity: class`, and no others")
        if self.quantity is RasterQuantity.CLASS and (self.unit or self.style.mixed):
            raise ValueError("`quantity: class` has names: neither `unit` nor `mixed`")
        if self.quantity is not RasterQuantity.CLASS and not self.unit:
            raise ValueError("`unit` is missing: a measure or total has one, such as m or mm")
        if self.least is not None and self.most is not None and self.least >= self.most:
            raise ValueError("`least` is below `most`")
        if self.tiles and self.tiles.hillshade and self.unit != "m":
            raise ValueError("`hillshade` is of heights: `unit: m`")
        return self

    @property
    def spec(self) -> RasterSpec:
        """What the store and the analysis need to know of the pixels."""
        return RasterSpec(
            quantity=self.quantity,
            unit=self.unit,
            least=self.least,
            most=self.most,
            classes=tuple(each.value for each in self.style.classes if each.value is not None),
            has_time=self.time is not None,
            step_hours=self.time.step_hours if self.time else None,
            day_boundary=time.fromisoformat(self.time.day_boundary) if self.time else time(0),
        )
