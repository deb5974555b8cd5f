"""Checks of one layer file that concern several of its words.

The model (layers.definition.model) knows each word alone; here they are held against each other.
Every check gives the place in the file and a sentence; an empty list is a sound layer.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from pyproj import CRS
from pyproj.exceptions import CRSError

from gis.alerts.policy import Tier
from gis.intake.units import unit_code
from layers.definition.messages import near
from layers.definition.model import (
    AlertRule,
    CountRule,
    FeedSource,
    FieldType,
    FileSource,
    GeometryKind,
    IndicatorRule,
    Layer,
    LayerField,
    LevelRule,
    RainRule,
    RiskRule,
    SensorRule,
    SeriesQuantity,
    StyleClass,
    ViewSource,
    duration_of,
)
from layers.definition.yaml_document import Location

type Finding = tuple[Location, str]

# Names under which detectors and the service raise alerts: a rule may not take one.
DETECTORS = (
    "scan",
    "series",
    "joint",
    "situation",
    "held_back",
    "undated",
    "calibration_degraded",
    "alarm_failing",
    "stale_source",
    "delivery",
)
_NUMERIC = (FieldType.INTEGER, FieldType.NUMBER)
_DATED = (FieldType.DATE, FieldType.DATETIME)
_CATEGORIES = (FieldType.TEXT, FieldType.INTEGER, FieldType.BOOLEAN)
_SAMPLE_TIME = datetime(2024, 9, 23, 17, 45, 59)


def findings(layer: Layer) -> list[Finding]:
    """All faults between the words of a layer, in no order."""
    return [finding for check in _CHECKS for finding in check(layer)]


def _named_fields(layer: Layer) -> Iterator[Finding]:
    """A section that names a field names one that is served."""
    named: list[tuple[Location, str | None]] = [
        (("style", "field"), layer.style.field),
        (("style", "text"), layer.style.text),
        (("hexes", "category"), layer.hexes.category if layer.hexes else None),
        (("hexes", "measure"), layer.hexes.measure if layer.hexes else None),
        (("hotspots", "category"), layer.hotspots.category if layer.hotspots else None),
        (("hotspots", "measure"), layer.hotspots.measure if layer.hotspots else None),
        (("hotspots", "received"), layer.hotspots.received if layer.hotspots else None),
    ]
    tiles = layer.tiles.fields if layer.tiles else {}
    named += [(("tiles", "fields", zoom), name) for zoom, names in tiles.items() for name in names]
    for where, name in named:
        if name is not None and name not in layer.public_fields:
            yield where, _no_field(layer, name)


def _reporter(layer: Layer) -> Iterator[Finding]:
    """Reporters and senders are told apart by fields of the layer, also by personal ones."""
    if layer.hotspots is None:
        return
    reporter, senders = layer.hotspots.reporter, layer.hotspots.senders
    for word, name in (("reporter", reporter), *(("senders", each) for each in senders)):
        if name is not None and name not in layer.fields:
            yield ("hotspots", word), f"there is no field `{name}`{near(name, layer.fields)}"


def _no_field(layer: Layer, name: str) -> str:
    if name in layer.fields:
        return f"field `{name}` is personal: it is in no map, tile or count"
    return f"there is no field `{name}`{near(name, layer.public_fields)}"


def _field_words(layer: Layer) -> Iterator[Finding]:
    for name, field in layer.fields.items():
        where = ("fields", name)
        if field.values is not None and field.type is not FieldType.TEXT:
            yield (*where, "values"), f"`values` are of a text; field `{name}` is {field.type}"
        if field.free_text and (field.type is not FieldType.TEXT or field.values or field.personal):
            words = f"only a text that is served is free; field `{name}` is another"
            yield (*where, "free_text"), words
        for word in ("earliest", "ahead_days"):
            if getattr(field, word) is not None and field.type not in _DATED:
                yield (*where, word), f"`{word}` is of a date; field `{name}` is {field.type}"
        if field.unit is not None and field.type not in _NUMERIC:
            yield (*where, "unit"), f"a unit is of a number; field `{name}` is {field.type}"
        yield from (((*where, "format"), words) for words in _format(name, field))


def _format(name: str, field: LayerField) -> Iterator[str]:
    pattern = field.format
    if pattern is None:
        return
    if field.type in _NUMERIC:
        if pattern not in ("decimal_comma", "decimal_point"):
            yield f"`{pattern}` is no form of a number: write decimal_comma or decimal_point"
    elif field.type not in _DATED:
        yield f"a format is of a date or a number; field `{name}` is {field.type}"
    else:
        yield from _strptime(pattern)


def _strptime(pattern: str) -> Iterator[str]:
    """A format that cannot read what it writes reads nothing, or the wrong day."""
    try:
        written = _SAMPLE_TIME.strftime(pattern)
        usable = "%" in pattern and datetime.strptime(written, pattern) is not None
    except (ValueError, re.error):
        usable = False
    if not usable:
        yield f"`{pattern}` is no strptime format: write it as in %d/%m/%Y or %Y-%m-%d %H:%M"
    elif "%M" in pattern and not {"%H", "%I"} & set(re.findall("%.", pattern)):
        yield f"`{pattern}` has minutes, %M, without an hour: a month is %m"


def _source_words(layer: Layer) -> Iterator[Finding]:
    source = layer.source
    if isinstance(source, ViewSource):
        return
    if source.time and source.time.format:
        where = ("source", "time", "format")
        yield from ((where, words) for words in _strptime(source.time.format))
    if source.coordinates:
        yield from _known_crs(source.coordinates.crs)
        if layer.geometry is not GeometryKind.POINT:
            words = f"`coordinates` are of points; this layer's geometry is {layer.geometry}"
            yield ("source", "coordinates"), words
    if not layer.placed and (source.address or source.commune):
        words = "an address or a commune places a record, but the file says `placed: false`"
        yield ("source", "address" if source.address else "commune"), words


def _feed_words(layer: Layer) -> Iterator[Finding]:
    """What a feed names is there, and can be read."""
    feed = layer.source
    if not isinstance(feed, FeedSource):
        return
    if feed.supersedes is not None and feed.supersedes not in layer.public_fields:
        yield ("source", "supersedes"), _no_field(layer, feed.supersedes)
    if feed.promise and feed.promise.by == "record" and feed.time is None:
        words = "`by: record` needs `source.time`: when each record happened"
        yield ("source", "promise", "by"), words
    yield from _units(layer, feed)
    needed = {feed.key} if isinstance(feed.key, str) else {*feed.key}
    needed |= {feed.time.column} if feed.time else set()
    needed |= {each.column or name for name, each in layer.fields.items() if each.required}
    for column, word in feed.contract.items():
        if word == "discard" and column in needed:
            yield ("source", "contract", column), f"`{column}` is read: it cannot be discarded"


def _units(layer: Layer, feed: FeedSource) -> Iterator[Finding]:
    """A column is converted to the unit of the fields that read it."""
    for column, mapped in feed.map.items():
        if mapped.unit is None:
            continue
        for name, field in layer.fields.items():
            if (field.column or name) == column and not (
                field.type in _NUMERIC
                and unit_code(field.unit or "") == unit_code(mapped.unit.layer)
            ):
                words = (
                    f"`to: {mapped.unit.layer}`, but the field `{name}` is "
                    f"{field.type} in {field.unit or 'no unit'}: write that unit there, or `unit: "
                    f"{mapped.unit.layer}` into the field"
                )
                yield ("source", "map", column, "unit"), words


def _known_crs(crs: str) -> Iterator[Finding]:
    try:
        CRS.from_user_input(crs)
    except CRSError:
        yield (
            ("source", "coordinates", "crs"),
            f"`{crs}` is no CRS that PROJ knows: write it as in EPSG:4326 or EPSG:9208",
        )


def _style_classes(layer: Layer) -> Iterator[Finding]:
    field = layer.public_fields.get(layer.style.field or "")
    if field is None:
        return
    seen: set[object] = set()
    for index, style_class in enumerate(layer.style.classes):
        where = ("style", "classes", index)
        key = style_class.value if style_class.at_least is None else style_class.at_least
        if key in seen:
            yield where, f"the class `{key}` stands twice"
        seen.add(key)
        yield from ((where, words) for words in _class_faults(style_class, field))
    yield from _class_order(layer)


def _class_faults(style_class: StyleClass, field: LayerField) -> Iterator[str]:
    """A class must be able to hold a value of its field."""
    if style_class.at_least is not None:
        if field.type not in _NUMERIC:
            yield f"`at_least` is of a number; the field is {field.type}: use `value`"
        return
    fits = {FieldType.TEXT: str, FieldType.BOOLEAN: bool, FieldType.INTEGER: int}.get(field.type)
    if fits is None:
        yield f"a field of type {field.type} has no classes by `value`: use `at_least`"
    elif type(style_class.value) is not fits:
        yield f"the value `{style_class.value}` is no {field.type}, as the field is"
    elif field.values is not None and style_class.value not in field.values:
        hint = near(str(style_class.value), field.values)
        yield f"the field takes no value `{style_class.value}`{hint}"


def _class_order(layer: Layer) -> Iterator[Finding]:
    bounds = [style_class.at_least for style_class in layer.style.classes]
    lower_bounds = [bound for bound in bounds if bound is not None]
    if lower_bounds and len(lower_bounds) < len(bounds):
        yield ("style", "classes"), "classes are all by `value` or all by `at_least`"
    elif lower_bounds != sorted(lower_bounds):
        yield ("style", "classes"), "classes by `at_least` must rise: the lowest bound first"


def _zooms(layer: Layer) -> Iterator[Finding]:
    tiles = layer.tiles
    if tiles and tiles.min_zoom > tiles.max_zoom:
        words = f"`min_zoom` {tiles.min_zoom} is above `max_zoom` {tiles.max_zoom}"
        yield ("tiles", "min_zoom"), words
    if tiles and layer.geometry is GeometryKind.NONE:
        yield ("tiles",), "a layer without geometry has no tiles"


def _counting(layer: Layer) -> Iterator[Finding]:
    """The needs of hexes, hotspots and alerts that the rest of the file must meet."""
    if layer.hexes is not None and not _is_counted_by_hex(layer):
        words = f"`hexes` count placed records that are loaded, not {_kind_of_layer(layer)}"
        yield ("hexes",), words
    if layer.hotspots is not None and not _is_of_points(layer):
        words = f"`hotspots` count placed points that are loaded, not {_kind_of_layer(layer)}"
        yield ("hotspots",), words
    category = layer.public_fields.get((layer.hexes and layer.hexes.category) or "")
    if category and category.type not in _CATEGORIES:
        words = f"counts are kept apart by a text, an integer or a boolean, not a {category.type}"
        yield ("hexes", "category"), words
    measure = layer.public_fields.get((layer.hexes and layer.hexes.measure) or "")
    if measure and measure.type not in _NUMERIC:
        yield ("hexes", "measure"), f"a mean is of an integer or a number, not a {measure.type}"
    if layer.hotspots and isinstance(layer.source, FileSource) and layer.source.time is None:
        yield ("hotspots",), "`hotspots` need `source.time`: when each record happened"
    received = layer.public_fields.get((layer.hotspots and layer.hotspots.received) or "")
    if received and received.type is not FieldType.DATETIME:
        words = f"records are received at a datetime; the field is {received.type}"
        yield ("hotspots", "received"), words
    measure = layer.public_fields.get((layer.hotspots and layer.hotspots.measure) or "")
    if measure and measure.type is not FieldType.INTEGER:
        yield ("hotspots", "measure"), f"whole numbers are added up; the field is {measure.type}"
    if layer.alerts and not layer.hotspots and not layer.alerts.rules:
        yield ("alerts",), "`alerts` need `hotspots` or `rules`, from which they are raised"


def _alert_rules(layer: Layer) -> Iterator[Finding]:
    """Rules differ in their ids, and speak of fields that can hold what they ask."""
    rules = layer.alerts.rules if layer.alerts else ()
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        where = ("alerts", "rules", index)
        if rule.id in DETECTORS:
            yield (*where, "id"), f"`{rule.id}` is the name of a detector: choose another"
        if rule.id in seen:
            yield (*where, "id"), f"the rule `{rule.id}` stands twice"
        seen.add(rule.id)
        yield from ((where, words) for words in _rule_fields(layer, rule))
    if rules and layer.is_view:
        yield (
            ("alerts", "rules"),
            "rules are evaluated on records that are loaded, not on the rows of a view",
        )
    elif rules and isinstance(layer.source, FileSource) and layer.source.time is None:
        yield ("alerts", "rules"), "rules need `source.time`: when each record happened"


def _recipients(layer: Layer) -> Iterator[Finding]:
    """Nobody is named twice for the same, or for what never happens."""
    if layer.alerts is None:
        return
    seen: set[tuple[str, str | None]] = set()
    policy = layer.alerts.policy()
    for index, recipient in enumerate(layer.alerts.recipients):
        where = ("alerts", "recipients", index)
        if (recipient.who, recipient.when) in seen:
            yield (*where, "who"), f"`{recipient.who}` stands twice"
        seen.add((recipient.who, recipient.when))
        waits = [
            policy.escalates_after(tier) for tier in Tier if tier.rank >= recipient.from_tier.rank
        ]
        if recipient.when and all(wait is None for wait in waits):
            words = "`escalate_urgent_minutes` and `escalate_alert_minutes` say when"
            yield (
                (*where, "when"),
                f"nothing escalates, so `{recipient.who}` is never notified: {words}",
            )


def _rule_fields(layer: Layer, rule: AlertRule) -> Iterator[str]:
    told = layer.hotspots and (layer.hotspots.reporter or layer.hotspots.senders)
    if getattr(rule, "voices", False) and not told:
        yield "`voices` needs `hotspots: {reporter: …}`, the field that names who reported"
    named = {name: getattr(rule, name, None) for name in ("field", "of")}
    for name in filter(None, [*named.values(), *getattr(rule, "where", {})]):
        if name not in layer.public_fields:
            yield _no_field(layer, name)
    value = layer.public_fields.get(named["field"] or "")
    if value and value.type not in _NUMERIC:
        yield f"a threshold is of a number; field `{named['field']}` is {value.type}"
    if isinstance(rule, RainRule | CountRule) and not layer.placed:
        yield "rain and counts are of places; the file says `placed: false`"
    if isinstance(rule, RiskRule) and rule.records and not _is_of_points(layer):
        yield f"`records` counts placed points; this is {_kind_of_layer(layer)}"
    for name, wanted in getattr(rule, "where", {}).items():
        field = layer.public_fields.get(name)
        fits = {FieldType.TEXT: str, FieldType.BOOLEAN: bool, FieldType.INTEGER: int}
        if field and type(wanted) is not fits.get(field.type):
            yield f"the value `{wanted}` is no {field.type}, as field `{name}` is"
        elif field and field.values is not None and wanted not in field.values:
            yield f"field `{name}` takes no value `{wanted}`{near(str(wanted), field.values)}"


def _is_counted_by_hex(layer: Layer) -> bool:
    return layer.placed and layer.geometry is not GeometryKind.NONE and not layer.is_view


def _is_of_points(layer: Layer) -> bool:
    return layer.geometry is GeometryKind.POINT and _is_counted_by_hex(layer)


def _kind_of_layer(layer: Layer) -> str:
    if layer.is_view:
        return "the rows of a view"
    return "a layer with `placed: false`" if not layer.placed else f"a layer of {layer.geometry}"


def _gazetteer(layer: Layer) -> Iterator[Finding]:
    """Names are texts that are served: a name that is found gives itself away."""
    section = layer.gazetteer
    if section is None:
        return
    if layer.is_view or layer.geometry is GeometryKind.NONE:
        yield ("gazetteer",), "places are records that are loaded, with a geometry"
    for name in section.names:
        word = "name" if name == section.name else "aliases"
        field = layer.public_fields.get(name)
        if field is None:
            yield ("gazetteer", word), _no_field(layer, name)
        elif field.type is not FieldType.TEXT or field.free_text:
            yield ("gazetteer", word), f"names are in a text; field `{name}` is another"
    if section.kind in layer.fields and section.kind not in layer.public_fields:
        yield ("gazetteer", "kind"), _no_field(layer, section.kind)
    precision = section.precision_m if isinstance(section.precision_m, str) else None
    for word, number in (("precision_m", precision), ("km", section.km)):
        field = layer.public_fields.get(number or "")
        if number is not None and (field is None or field.type not in _NUMERIC):
            words = _no_field(layer, number) if field is None else f"field `{number}` is no number"
            yield ("gazetteer", word), words


def _series(layer: Layer) -> Iterator[Finding]:
    """Measurements have a station, a time and numbers, and are not removed with their records."""
    source, series = layer.source, layer.series
    if series is None:
        if isinstance(source, FileSource) and source.measured is not None:
            yield ("source", "measured"), "`measured` needs `series`, a layer of measurements"
        return
    if not isinstance(source, FileSource):
        yield ("series",), "measurements are loaded: a view has none"
        return
    if source.time is None:
        yield ("series",), "`series` needs `source.time`: when each measurement was made"
    if layer.geometry not in (GeometryKind.POINT, GeometryKind.NONE):
        words = f"stations are points or have no geometry; the layer's is {layer.geometry}"
        yield ("geometry",), words
    for name, declared in layer.fields.items():
        if declared.personal:
            yield ("fields", name, "personal"), "a layer of measurements has no personal fields"
    if isinstance(source, FeedSource) and source.supersedes is not None:
        yield ("source", "supersedes"), "measurements are corrected, none supersedes another"
    if isinstance(source, FeedSource) and source.deletions == "mirror":
        words = "measurements that are gone at the source stay: write `keep` or `mark`"
        yield ("source", "deletions"), words
    if layer.hotspots is not None:
        yield ("hotspots",), "`hotspots` count records; the rows of `series` are stations"
    for name in series.remarks:
        if name in layer.measured_fields:
            yield ("series", "remarks"), f"field `{name}` is measured, and no remark"
        elif name not in layer.public_fields:
            yield ("series", "remarks"), _no_field(layer, name)
    for name, quantity in series.quantities.items():
        where = ("series", "quantities", name)
        field = layer.public_fields.get(name)
        if field is None:
            yield where, _no_field(layer, name)
        elif field.type is not FieldType.NUMBER:
            yield where, f"a quantity is a number; field `{name}` is {field.type}"
        elif field.required:
            yield ("fields", name, "required"), "a record of a station alone has no value"
        yield from ((where, words) for words in _quantity(layer, quantity))


def _quantity(layer: Layer, quantity: SeriesQuantity) -> Iterator[str]:
    """Thresholds rise, and are of stations."""
    plausible = quantity.plausible
    bounds = (plausible.at_least, plausible.at_most) if plausible else (None, None)
    if None not in bounds and bounds[0] >= bounds[1]:  # type: ignore[operator]
        yield "`plausible`: `at_least` must be below `at_most`"
    numbers = [each.at for each in quantity.thresholds if not isinstance(each.at, str)]
    if sorted(set(numbers)) != numbers:
        yield "`thresholds` must rise: the lowest first"
    for each in quantity.thresholds:
        if isinstance(each.at, str):
            field = layer.public_fields.get(each.at)
            if field is None:
                yield _no_field(layer, each.at)
            elif field.type not in _NUMERIC or each.at in layer.measured_fields:
                yield f"a threshold is a number of the station; field `{each.at}` is another"
    if quantity.hysteresis and not quantity.thresholds:
        yield "`hysteresis` needs `thresholds`"
    if timedelta(days=1) % duration_of(quantity.every):
        yield f"`every: {quantity.every}` does not divide a day: write 10min, 1h, 6h or 1d"


def _series_rules(layer: Layer) -> Iterator[Finding]:
    """Rules of measurements speak of one quantity."""
    for index, rule in enumerate(layer.alerts.rules if layer.alerts else ()):
        where = ("alerts", "rules", index)
        series = layer.series
        if isinstance(rule, LevelRule):
            quantity = series.quantities.get(rule.field) if series else None
            if quantity is None or not quantity.thresholds:
                words = f"`kind: level` needs `series` with thresholds of `{rule.field}`"
                yield (*where, "field"), words
        elif series is not None and isinstance(rule, CountRule | IndicatorRule):
            words = "measurements have rules of the kinds level, sensor, rain and quiet"
            yield (*where, "kind"), words
        elif isinstance(rule, SensorRule | RainRule) and series:
            if rule.field in series.quantities:
                continue
            yield (*where, "field"), f"`{rule.field}` is no quantity of `series`"


_CHECKS: tuple[Callable[[Layer], Iterator[Finding]], ...] = (
    _named_fields, _reporter, _field_words, _source_words, _feed_words, _style_classes, _zooms,
    _counting, _alert_rules, _recipients, _gazetteer, _series, _series_rules,
)  # fmt: skip
