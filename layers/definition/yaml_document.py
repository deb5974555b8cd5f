"""YAML with the line of every word, read as YAML 1.2: `no`, `12:30` and `2024-01-05` are text.

What stands before a colon is a text always.

A layer file is written by people, so that faults which most parsers let pass are reported: a
key given twice, a second document, an alias that holds itself.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.resolver import Resolver

type Location = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class YamlFault:
    """A fault on one line, counted from 1, and what would be right."""

    line: int
    message: str


class BrokenYaml(Exception):
    """The text is not the YAML of one document; carries every fault found."""

    def __init__(self, faults: Sequence[YamlFault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema instead of those of YAML 1.1."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 – how PyYAML declares it


_SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    "merge": (r"<<", "<"),
}
for _tag, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )
# YAML 1.1 would read 010 as eight.
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


class _FastLoader(Composer, CParser, SafeConstructor, Resolver):
    """The same on libyaml's parser, four times as fast; what it says of a fault is poorer.

    Nodes are composed in Python: libyaml's binding composes them on the stack of C, which a text
    of a hundred thousand brackets overflows.
    """

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
    yaml_constructors = _Loader.yaml_constructors

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)


_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The data of a YAML text, and where each part of it stands."""

    data: Any
    root: yaml.Node | None

    def line_of(self, location: Location) -> int:
        """The line of the key, item or value at a path of keys and indices.

        Parts of the path that the text does not hold are passed over, so that the line of
        something missing is that of what it is missing from.
        """
        node, line = self.root, 1
        for part in location:
            found = _child(node, part)
            if found is not None:
                node, line = found
        return line


def parse_yaml(text: str) -> YamlDocument:
    """The one document of a text. Raises BrokenYaml."""
    with suppress(yaml.YAMLError, RecursionError, ValueError):
        return _document(_FastLoader(text))
    try:
        return _document(_Loader(text))
    except yaml.MarkedYAMLError as error:
        raise BrokenYaml([_marked(error)]) from error
    except yaml.reader.ReaderError as error:
        line = 1 + text.count("\n", 0, error.position)
        words = f"the character U+{int(error.character):04X} may not stand in YAML"
        raise BrokenYaml([YamlFault(line, words)]) from error
    except RecursionError as error:
        raise BrokenYaml([YamlFault(1, "the file is nested far too deeply for a layer")]) from error
    except ValueError as error:
        raise BrokenYaml([YamlFault(1, str(error))]) from error


def _document(loader: _Loader | _FastLoader) -> YamlDocument:
    try:
        root = loader.get_single_node()
        faults = [*_doubled_keys(root)]
        if faults:
            raise BrokenYaml(faults)
        _read_keys_as_texts(root)
        return YamlDocument(loader.construct_document(root) if root else None, root)
    finally:
        loader.dispose()


def _marked(error: yaml.MarkedYAMLError) -> YamlFault:
    mark = error.problem_mark or error.context_mark
    words = ", ".join(filter(None, (error.context, error.problem)))
    return YamlFault(mark.line + 1 if mark else 1, f"this is not YAML: {words}{_hint(words)}")


def _hint(words: str) -> str:
    if "\\t" in words:
        return "; indent with blanks, not with tabs"
    if "mapping values are not allowed" in words:
        return "; a text that holds `: ` must stand in quotes"
    if "single document" in words:
        return "; one file is one layer, without a second `---`"
    return ""


def _doubled_keys(node: yaml.Node | None, above: tuple[int, ...] = ()) -> Iterator[YamlFault]:
    if node is None:
        return
    if id(node) in above:
        yield YamlFault(node.start_mark.line + 1, "an alias (`*`) may not hold itself")
        return
    if isinstance(node, yaml.MappingNode):
        yield from _doubled_in(node)
    for child in _children(node):
        yield from _doubled_keys(child, (*above, id(node)))


def _doubled_in(node: yaml.MappingNode) -> Iterator[YamlFault]:
    first: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            yield YamlFault(line, "what stands before a colon must be a single word")
        elif key.value in first:
            yield YamlFault(
                line, f"`{key.value}` stands twice, first on line {first[key.value]}: keep one"
            )
        else:
            first[key.value] = line


def _read_keys_as_texts(node: yaml.Node | None) -> None:
    """Make each key a text: before a colon stands a name, also one like a number or a boolean."""
    if node is None:
        return
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if key.tag != _MERGE:
                key.tag = _TEXT
    for child in _children(node):
        _read_keys_as_texts(child)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, int] | None:
    """The value under a key or at an index, and the line on which its key or itself stands."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item, item.start_mark.line + 1
    return None
