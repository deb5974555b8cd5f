"""Messages of validation errors for the person who wrote the layer file."""

import difflib
import types
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gis.connectors import CONNECTORS
from gis.text import fault_words
from layers.definition.model import HotspotOptions, Layer, LocalizedText, method_sections
from layers.definition.raster import RasterLayer
from layers.definition.yaml_document import Location, YamlDocument, YamlFault


def faults_of(error: ValidationError, document: YamlDocument) -> list[YamlFault]:
    """Each error with the line that it speaks of, in the order of the lines."""
    faults = {
        YamlFault(document.line_of(detail["loc"]), _message(_rooted(detail, error.title)))
        for detail in error.errors()
    }
    return sorted(faults, key=lambda fault: (fault.line, fault.message))


def near(word: str, words: Iterable[str]) -> str:
    """`; did you mean …?`, or the words there are when none is near."""
    choice = sorted(words)
    best = difflib.get_close_matches(word, choice, n=1, cutoff=0.6)
    if best:
        return f"; did you mean `{best[0]}`?"
    return f"; there is {', '.join(f'`{known}`' for known in choice)}" if choice else ""


def words_at(location: Location, root: type[BaseModel] = Layer) -> set[str]:
    """The words that the vocabulary knows at a path into a layer file."""
    kinds: list[Any] = [root]
    for part in location:
        kinds = [inner for kind in kinds for inner in _step(kind, part)] or kinds
    return {name for kind in kinds if _is_model(kind) for name in _fields(kind)}


def _rooted(detail: ErrorDetails, title: str) -> ErrorDetails:
    """The error with the model of the whole file, whose words messages name."""
    root = RasterLayer if title == RasterLayer.__name__ else Layer
    return {**detail, "ctx": {**detail.get("ctx", {}), "root": root}}


def _known(detail: ErrorDetails, location: Location) -> set[str]:
    return words_at(location, detail.get("ctx", {}).get("root", Layer))


def _message(detail: ErrorDetails) -> str:
    if "[key]" in detail["loc"]:
        return _key(detail)
    union = _UNIONS.get(_name(detail))
    if union and _UNION_TAGS & {str(part) for part in detail["loc"]}:
        return f"`{_name(detail)}` must be {union}"
    message = _MESSAGES.get(detail["type"])
    if message:
        return message(detail)
    kind = _KINDS.get(detail["type"])
    if kind:
        return f"`{_name(detail)}` cannot be `{_shown(detail['input'])}`: it must be {kind}"
    return f"`{_name(detail)}` cannot be `{_shown(detail['input'])}`: {_plain(detail)}"


def _key(detail: ErrorDetails) -> str:
    """The message for a name before a colon, where the names are the writer's own."""
    given = detail["input"]
    if detail["type"] == "string_pattern_mismatch":
        return _pattern(detail)
    return f"`{_shown(given)}` stands where a zoom is meant, a whole number from 0 to 22"


def _unknown(detail: ErrorDetails) -> str:
    word, known = str(detail["loc"][-1]), _known(detail, detail["loc"][:-1])
    if detail["input"] is None and known == set(LocalizedText.model_fields):
        # `{vi: Xã, phường}` is read as a text and a word without a value.
        return f"`{word}` follows a comma{_under(detail)}: a text with a comma stands in quotes"
    return f"unknown word `{word}`{_under(detail)}{near(word, known)}"


def _missing(detail: ErrorDetails) -> str:
    return f"`{detail['loc'][-1]}` is missing{_under(detail)}"


def _choice(detail: ErrorDetails) -> str:
    given, expected = detail["input"], str(detail.get("ctx", {}).get("expected", ""))
    words = [word.strip("'\" ") for word in expected.replace(" or ", ", ").split(", ")]
    return f"`{_name(detail)}` cannot be `{given}`{near(str(given), words)}"


def _tag(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    words = str(context.get("expected_tags", "")).replace("'", "").split(", ")
    given = str(context.get("tag"))
    return f"`{_discriminator(detail)}` cannot be `{given}`{near(given, words)}"


def _no_tag(detail: ErrorDetails) -> str:
    if _discriminator(detail) == "connector":
        others = ", ".join(f"`{name}`" for name in CONNECTORS)
        return (
            "`connector` is missing under `source`: say `connector: file` or `connector: view`, or "
            f"what another system is read by: {others}"
        )
    return f"`{_discriminator(detail)}` is missing under `{'.'.join(_words(detail))}`"


def _discriminator(detail: ErrorDetails) -> str:
    return str(detail.get("ctx", {}).get("discriminator", "")).strip("'")


def _text(detail: ErrorDetails) -> str:
    name, given = _name(detail), detail["input"]
    if name in ("colour", "outline") and given is None:
        return f'`{name}` is empty: `#` begins a comment, so write it in quotes, as in "#1f6f8b"'
    if given is None:
        return f"`{name}` is empty: write a text or leave the word out"
    if isinstance(given, dict | list):
        return f"`{name}` must be a text"
    return f"`{name}` must be a text: write `{_shown(given)}` in quotes"


def _pattern(detail: ErrorDetails) -> str:
    name, given = _name(detail), detail["input"]
    if name in ("colour", "outline"):
        return f'`{name}` cannot be `{given}`: write six hexadecimal digits, as in "#1f6f8b"'
    if name == "who":
        return f"`{given}` is no name of a subscription: `gis subscriptions add` keeps the address"
    if name in ("day_boundary", "day_starts", "fresh_by"):
        return f'`{name}` cannot be `{given}`: write an hour in quotes, as in "19:00"'
    if name in ("every", "fresh_within"):
        return f"`{name}` cannot be `{given}`: write a length of time, as in 30min, 1h or 2d"
    if name == "zone":
        return f"`zone` cannot be `{given}`: write an offset, as in +07:00"
    return (
        f"`{given}` is no identifier: a small letter, then small letters, digits and `_`, "
        "without diacritics, at most 48 in all"
    )


def _empty(detail: ErrorDetails) -> str:
    return f"`{_name(detail)}` cannot be empty: write at least one, or leave the word out"


def _section(detail: ErrorDetails) -> str:
    words = ", ".join(f"`{word}`" for word in sorted(_known(detail, detail["loc"])))
    return f"`{_name(detail)}` must be a section with words of its own: {words}"


def _plain(detail: ErrorDetails) -> str:
    """Pydantic's own words, from `Input should be …` to `should be …`."""
    return fault_words(detail["msg"]).replace("Input should be", "it should be")


def _shown(given: object) -> str:
    """A value as it stands in YAML, shortened."""
    if given is None:
        return "nothing"
    text = str(given).lower() if isinstance(given, bool) else str(given)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _name(detail: ErrorDetails) -> str:
    """The innermost word of the path."""
    words = _words(detail)
    return words[-1] if words else "the file"


def _under(detail: ErrorDetails) -> str:
    above = _words(detail)[:-1] if isinstance(detail["loc"][-1], str) else _words(detail)
    return f" under `{'.'.join(above)}`" if above else ""


def _words(detail: ErrorDetails) -> list[str]:
    """The path without what are no words: indices, tags of unions and `[key]`."""
    path = pairwise((None, *detail["loc"]))
    return [
        part
        for before, part in path
        if isinstance(part, str)
        and part not in _TAGS
        and not (isinstance(before, int) and part in _RULE_KINDS)
    ]


_RULE_KINDS = frozenset({"sensor", "rain", "count", "quiet", "indicator"})
_UNION_TAGS = frozenset({"str", "bool", "int", "tuple[str, ...]"})
_TAGS = frozenset({"file", "view", "[key]", *CONNECTORS}) | _UNION_TAGS
_UNIONS = {
    "key": "the name of a column, or a list of names, in quotes where they are no words",
    "value": "a text, a whole number, true or false",
}
_KINDS = {
    "tuple_type": "a list, in [ ] or with `- ` before each",
    "dict_type": "a section of names, each with what belongs to it",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_too_short": "a text for people",
}
_MESSAGES: dict[str, Callable[[ErrorDetails], str]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "literal_error": _choice,
    "enum": _choice,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _no_tag,
    "string_type": _text,
    "string_pattern_mismatch": _pattern,
    "model_type": _section,
    "model_attributes_type": _section,
    "value_error": _plain,
    "too_short": _empty,
}


def _step(kind: Any, part: str | int) -> list[Any]:
    """The kinds of what stands under one part of a path, of the kinds that a field may have."""
    if _is_model(kind):
        if part in (fields := _fields(kind)):
            return _alternatives(fields[str(part)])
        return [kind] if _has_tag(kind, part) else []
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return _alternatives(arguments[1])
    return _alternatives(arguments[0]) if origin is tuple else []


def _fields(kind: type[BaseModel]) -> dict[str, Any]:
    """The words of a part of a layer file, with their kinds."""
    fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    return fields | method_sections() if kind is HotspotOptions else fields


def _alternatives(annotation: Any) -> list[Any]:
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _alternatives(arguments[0])
    if origin in (Union, types.UnionType):
        return [kind for argument in arguments for kind in _alternatives(argument)]
    return [annotation]


def _has_tag(kind: type[BaseModel], tag: str | int) -> bool:
    """True for the member of a union that a discriminator's value names."""
    return any(
        get_origin(field.annotation) is Literal and tag in get_args(field.annotation)
        for field in kind.model_fields.values()
    )


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
