"""All layers of a folder: one file a layer, every fault reported at once, by file and line."""

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from gis.access import Principal, may_read, may_write
from gis.errors import BadLayerFile, NotFound
from gis.text import composed
from layers.definition.checks import DETECTORS, findings
from layers.definition.messages import faults_of, near
from layers.definition.model import (
    POPULATION,
    Audience,
    FieldType,
    GeometryKind,
    Layer,
    RiskRule,
)
from layers.definition.raster import RasterLayer
from layers.definition.yaml_document import BrokenYaml, YamlDocument, YamlFault, parse_yaml


@dataclass(frozen=True)
class Catalogue:
    """The layers there are, in the order of their ids; `faults` are of files left out.

    Raster layers stand apart: they have pixels instead of records.
    """

    layers: tuple[Layer, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    rasters: tuple[RasterLayer, ...] = ()

    @property
    def faulty(self) -> frozenset[str]:
        """The ids of layers whose files are at fault."""
        return frozenset(fault.partition(".y")[0] for fault in self.faults)

    def get(self, layer_id: str) -> Layer:
        """The layer of an id; raises NotFound with the names of public layers near to it, and
        BadLayerFile for one whose file was left out.
        """
        layer = self._by_id.get(layer_id)
        if layer is None and layer_id in self.faulty:
            raise BadLayerFile(
                f"the file of layer {layer_id} is at fault: `gis layers check` names it"
            )
        if layer is None:
            public = [each.id for each in self.layers if each.access.read is Audience.PUBLIC]
            best = difflib.get_close_matches(layer_id, public, n=3)
            hint = f"; did you mean {' or '.join(best)}?" if best else ""
            raise NotFound(f"there is no layer {layer_id}{hint}")
        return layer

    def check_rule(self, rule: str) -> None:
        """Raises NotFound for a name under which nothing raises alerts; BadLayerFile where it may
        be one of a file that was left out.
        """
        named = (
            rule_of_file.id
            for each in self.layers
            if each.alerts
            for rule_of_file in each.alerts.rules
        )
        known = {*DETECTORS, *named}
        if rule not in known and self.faults:
            raise BadLayerFile(
                f"there is no rule {rule} in the layer files that are right{near(rule, known)}; "
                f"correct {', '.join(sorted(self.faulty))} first, or silence the layer"
            )
        if rule not in known:
            raise NotFound(f"there is no rule {rule}{near(rule, known)}")

    def readable(self, principal: Principal) -> list[Layer]:
        """The layers that somebody may read."""
        return [each for each in self.layers if may_read(principal, each.access.read, each.id)]

    def writable(self, principal: Principal) -> list[Layer]:
        """The layers whose rows somebody may change; he may read all of them."""
        return [
            each
            for each in self.layers
            if may_write(principal, each.access.read, each.access.write, each.id)
        ]

    def get_readable(self, layer_id: str, principal: Principal) -> Layer:
        """The layer of an id that somebody may read; of others nobody learns that they exist.

        Raises NotFound with the same words for both.
        """
        layer = self._by_id.get(layer_id)
        if layer is not None and may_read(principal, layer.access.read, layer.id):
            return layer
        return Catalogue(tuple(self.readable(principal))).get(layer_id)

    def raster(self, layer_id: str) -> RasterLayer:
        """The raster layer of an id; raises NotFound with the names of those there are."""
        for layer in self.rasters:
            if layer.id == layer_id:
                return layer
        raise NotFound(
            f"there is no raster layer {layer_id}{near(layer_id, [one.id for one in self.rasters])}"
        )

    def digest_of(self, layer: Layer | RasterLayer) -> str:
        """SHA-256 of the layer's file; of its content when it came from no file."""
        digest = self.digests.get(layer.id)
        return digest or hashlib.sha256(layer.model_dump_json().encode()).hexdigest()

    @cached_property
    def _by_id(self) -> dict[str, Layer]:
        return {layer.id: layer for layer in self.layers}


def read_catalogue(folder: Path, *more: Path) -> Catalogue:
    """The layers of all `*.yaml` of a folder, and of `more` those that it has not.

    Raises BadLayerFile with every fault of every file, one a line, as `file:line: what, and what
    would be right`.
    """
    catalogue = read_good_layers(folder, *more)
    if catalogue.faults:
        raise BadLayerFile("\n".join(catalogue.faults))
    return catalogue


def read_good_layers(folder: Path, *more: Path) -> Catalogue:
    """The layers whose files are right; the faults of the others are kept with them.

    Raises BadLayerFile where there is no first folder.
    """
    if not folder.is_dir():
        raise BadLayerFile(f"there is no folder {folder}: GIS_LAYERS names that of the layer files")
    layers: list[Layer] = []
    rasters: list[RasterLayer] = []
    faults = _misnamed(folder)
    paths = {path.stem: path for each in (*more, folder) for path in sorted(each.glob("*.yaml"))}
    for path in paths.values():
        try:
            layer = read_layer_file(path)
            if isinstance(layer, RasterLayer):
                rasters.append(layer)
            else:
                layers.append(layer)
        except BadLayerFile as error:
            faults += str(error).splitlines()
    faults += _wrong_exposures(layers)
    faults += _wrong_risks(layers, rasters)
    faults += _wrong_joints(layers)
    faulty = Catalogue((), faults=tuple(faults)).faulty
    good = sorted((each for each in layers if each.id not in faulty), key=lambda layer: layer.id)
    ids = [*(layer.id for layer in good), *(layer.id for layer in rasters)]
    digests = {layer_id: digest_of_file(paths[layer_id]) for layer_id in ids}
    return Catalogue(tuple(good), digests, tuple(faults), tuple(rasters))


def read_layer(path: Path) -> Layer:
    """The layer of one file; raises BadLayerFile with all its faults, one a line."""
    layer = read_layer_file(path)
    if isinstance(layer, RasterLayer):
        raise BadLayerFile(f"{path.name}:1: it is a raster layer, which has no records")
    return layer


def read_layer_file(path: Path) -> Layer | RasterLayer:
    """As `read_layer`, of records or of pixels."""
    try:
        document = parse_yaml(composed(path.read_bytes().decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise BadLayerFile(f"{path.name}:1: the file is not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise BadLayerFile(f"{path.name}:1: the file cannot be read: {error.strerror}") from error
    except BrokenYaml as error:
        raise _bad(path, error.faults) from error
    layer = _validated(path, document)
    found = findings(layer) if isinstance(layer, Layer) else []
    faults = [YamlFault(document.line_of(where), words) for where, words in found]
    if layer.id != path.stem:
        words = f"`id` is {layer.id} but the file is {path.name}: write `id: {path.stem}`"
        faults.append(YamlFault(document.line_of(["id"]), f"{words}, or rename the file"))
    if faults:
        raise _bad(path, sorted(faults, key=lambda fault: fault.line))
    return layer


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _validated(path: Path, document: YamlDocument) -> Layer | RasterLayer:
    if not isinstance(document.data, dict):
        words = "the file is empty" if document.data is None else "the file holds no words"
        raise _bad(path, [YamlFault(1, f"{words}: a layer begins with `id: {path.stem}`")])
    try:
        if document.data.get("geometry") == "raster":
            return RasterLayer.model_validate(document.data)
        return Layer.model_validate(document.data)
    except ValidationError as error:
        raise _bad(path, faults_of(error, document)) from error


def _bad(path: Path, faults: Iterable[YamlFault]) -> BadLayerFile:
    return BadLayerFile("\n".join(f"{path.name}:{each.line}: {each.message}" for each in faults))


def _misnamed(folder: Path) -> list[str]:
    return [
        f"{path.name}: rename it to {path.stem}.yaml; only that ending is read"
        for path in sorted(folder.glob("*.yml"))
    ]


def _wrong_risks(layers: Sequence[Layer], rasters: Sequence[RasterLayer]) -> Iterator[str]:
    """What a rule of risk reads is there, and public, since its alerts disclose it."""
    pixels = {raster.id: raster for raster in rasters}
    lines = {layer.id: layer for layer in layers if layer.geometry is GeometryKind.LINE}
    for layer in layers:
        for rule in layer.alerts.rules if layer.alerts else ():
            if not isinstance(rule, RiskRule):
                continue
            where = f"{layer.id}.yaml: rule `{rule.id}`"
            for name, kind in ((rule.rain, "raster layer"),
                               (rule.susceptibility, "raster layer"),
                               (rule.roads, "layer of lines")):  # fmt: skip
                there: Mapping[str, Layer | RasterLayer]
                there = lines if kind == "layer of lines" else pixels
                if name is None:
                    continue
                if name not in there:
                    yield f"{where}: there is no {kind} `{name}`{near(name, list(there))}"
                elif there[name].access.read is not Audience.PUBLIC:
                    yield f"{where}: {name} is not public, and its alerts would tell of it"


def _wrong_joints(layers: Iterable[Layer]) -> Iterator[str]:
    """Layers that are judged together have placed records, and are public: alerts tell of them."""
    listed = {layer.id: layer for layer in layers}
    for layer in listed.values():
        joint = layer.hotspots.joint if layer.hotspots else None
        for name in joint.layers if joint else ():
            where, other = f"{layer.id}.yaml: `joint`", listed.get(name)
            if other is None:
                yield f"{where}: there is no layer `{name}`{near(name, listed)}"
            elif other is layer or other.is_view or not other.placed:
                yield f"{where}: {name} is no other layer with placed records"
            elif other.access.read is not Audience.PUBLIC:
                yield f"{where}: the layer {name} is not public, and these alerts would tell of it"


def _wrong_exposures(layers: Iterable[Layer]) -> Iterator[str]:
    """A layer of what is exposed has placed points, and is public, since the map discloses it."""
    listed = {layer.id: layer for layer in layers}
    for layer in listed.values():
        name = layer.hotspots.exposure if layer.hotspots else None
        if name in (None, POPULATION):
            continue
        exposed = listed.get(name)
        where = f"{layer.id}.yaml: `exposure`"
        if exposed is None:
            yield f"{where}: there is no layer `{name}`{near(name, [*listed, POPULATION])}"
        elif exposed.is_view or not exposed.placed or exposed.geometry is not GeometryKind.POINT:
            yield f"{where}: the layer {name} has no placed points"
        elif exposed.access.read is not Audience.PUBLIC and exposed is not layer:
            yield f"{where}: the layer {name} is not public, and this map would tell of it"
        elif (number := layer.hotspots.exposure_field if layer.hotspots else None) is not None:
            field = exposed.public_fields.get(number)
            if field is None or field.type not in (FieldType.INTEGER, FieldType.NUMBER):
                yield f"{layer.id}.yaml: `exposure_field`: {name} has no public number `{number}`"
