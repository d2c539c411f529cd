"""A YAML file with the lines of what is in it, read without trusting whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from luthier.core.errors import BadSweep, Violation
from luthier.core.space import Path
from luthier.sweeps.scalar import PREFIX, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

MOST_BYTES: Final = 1 << 20
MOST_VALUES: Final = 100_000  # once all aliases are written out
DEEPEST: Final = 40

_MERGE = "<<"
_TEXTUAL = {"str", "int", "float", "bool", "null", "timestamp"}


class Document(NamedTuple):
    """What a file holds.

    Attributes:
        text: the file.
        value: dicts (their keys are text), lists, text, numbers, truth values and None.
        lines: on which line something begins, from 1, by its path; a key's line is that of the key.
        oddities: what may not be meant.
    """

    text: str
    value: Any
    lines: dict[Path, int]
    oddities: tuple[str, ...]

    def line(self, path: Path) -> int | None:
        """Return the line of *path*, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            found = self.lines.get(path[:length])
            if found is not None:
                return found
        return None


def opened(source: str | bytes) -> Document:
    r"""Return what *source*, the text of a file in YAML or JSON, holds.

    Raises:
        BadSweep: it is no YAML, has a key twice, or is larger, deeper or, its aliases written out, longer than any
            sweep; or it asks for Python objects.

    >>> document = opened("method: grid\nparameters:\n  lr: {values: [1e-3, 1e-2]}")
    >>> document.value["parameters"]["lr"], document.lines["parameters", "lr"]
    ({'values': [0.001, 0.01]}, 3)
    """
    text = _decoded(source)
    oddities: list[str] = []
    tree = _Builder(oddities).tree(text)
    lines: dict[Path, int] = {}
    value = None if tree is None else tree.value((), lines)
    return Document(text, value, lines, tuple(dict.fromkeys(oddities)))


def refuse(line: int | None, text: str) -> NoReturn:
    """Complain of a file.

    Raises:
        BadSweep: always.
    """
    raise BadSweep([Violation("", line, text)])


def _decoded(source: str | bytes) -> str:
    if len(source) > MOST_BYTES:
        refuse(None, f"it is longer than {MOST_BYTES} bytes")
    if isinstance(source, str):
        return source
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(source[: error.start].count(b"\n") + 1, "it is not text in UTF-8")


class _Scalar:
    """A word, or what it stands for."""

    __slots__ = ("found", "height", "line", "plain", "size", "text")

    def __init__(self, text: str, found: object, line: int, *, plain: bool) -> None:
        self.text, self.found, self.line, self.plain = text, found, line, plain
        self.size, self.height = 1, 0

    def value(self, path: Path, lines: dict[Path, int]) -> Any:
        lines.setdefault(path, self.line)
        return self.found


class _Container:
    """A list or a mapping; ``size`` counts what it is when all is written out."""

    __slots__ = ("anchor", "height", "items", "line", "mapping", "open", "size")

    def __init__(self, line: int, anchor: str | None, *, mapping: bool) -> None:
        self.line, self.anchor, self.mapping = line, anchor, mapping
        self.items: list[_Scalar | _Container] = []  # of a mapping: key, value, key, value ...
        self.size, self.height, self.open = 1, 1, True

    def add(self, node: _Scalar | _Container) -> None:
        self.items.append(node)
        self.size += node.size
        self.height = max(self.height, node.height + 1)
        if self.size > MOST_VALUES:
            refuse(self.line, f"it holds more than {MOST_VALUES} values once its aliases are written out")
        if self.height > DEEPEST:
            refuse(self.line, f"it is nested more than {DEEPEST} deep")

    def value(self, path: Path, lines: dict[Path, int]) -> Any:
        lines.setdefault(path, self.line)
        if not self.mapping:
            return [item.value((*path, place), lines) for place, item in enumerate(self.items)]
        found: dict[str, Any] = {}
        for key, node in self.pairs():
            lines[(*path, key.text)] = key.line
            found[key.text] = node.value((*path, key.text), lines)
        return found

    def pairs(self) -> Iterator[tuple[_Scalar, _Scalar | _Container]]:
        """Yield keys and values; what ``<<`` brings in goes behind its own."""
        own: dict[str, tuple[_Scalar, Any]] = {}
        merged: list[_Container] = []
        for key, node in zip(self.items[::2], self.items[1::2], strict=True):
            if not isinstance(key, _Scalar):
                refuse(key.line, "a key is a list or a mapping: keys are text")
            if key.text in own:
                refuse(key.line, f"the key {key.text!r} is there twice; the first time on line {own[key.text][0].line}")
            own[key.text] = (key, node)
            if key.plain and key.text == _MERGE:
                merged += _mappings(node)
        for other in merged:
            for key, node in other.pairs():
                own.setdefault(key.text, (key, node))
        if merged:
            del own[_MERGE]
        yield from own.values()


def _mappings(node: _Scalar | _Container) -> list[_Container]:
    inner = node.items if isinstance(node, _Container) and not node.mapping else [node]
    found = [item for item in inner if isinstance(item, _Container) and item.mapping]
    if len(found) < len(inner) or not found:
        refuse(node.line, "<< takes in a mapping, or a list of mappings")
    return found


class _Builder:
    """Puts a parser's events together; without recursion, however deep the file is."""

    def __init__(self, oddities: list[str]) -> None:
        self.oddities = oddities
        self.anchors: dict[str, _Scalar | _Container] = {}
        self.around: list[_Container] = []
        self.top: _Scalar | _Container | None = None

    def tree(self, text: str) -> _Scalar | _Container | None:
        import yaml

        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            for event in yaml.parse(text, Loader=loader):
                self._hear(event)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = None if mark is None else mark.line + 1
            refuse(line, f"it is no YAML: {error.problem or error.context}")
        except yaml.YAMLError as error:
            refuse(None, f"it is no YAML: {str(error).splitlines()[0]}")
        return self.top

    def _hear(self, event: Any) -> None:
        kind, line = type(event).__name__, event.start_mark.line + 1
        if kind == "ScalarEvent":
            self._add(self._scalar(event, line), event.anchor)
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            mapping = kind[0] == "M"
            if event.tag not in {None, "!", PREFIX + ("map" if mapping else "seq")}:
                refuse(line, f"the tag {event.tag} is not allowed")
            if len(self.around) >= DEEPEST:
                refuse(line, f"it is nested more than {DEEPEST} deep")
            container = _Container(line, event.anchor, mapping=mapping)
            if event.anchor:
                self.anchors[event.anchor] = container
            self.around.append(container)
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            done = self.around.pop()
            done.open = False
            self._add(done, None)
        elif kind == "AliasEvent":
            self._add(self._aliased(event.anchor, line), None)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> _Scalar:
        text: str = event.value
        tag: str | None = event.tag
        plain = bool(event.implicit[0])
        if tag is not None and tag != "!" and tag.removeprefix(PREFIX) not in _TEXTUAL:
            refuse(line, f"the tag {tag} is not allowed")
        quoted = tag in {"!", f"{PREFIX}str"} or (tag is None and not plain)
        heard: list[str] = []
        try:
            found = text if quoted else resolved(text, heard.append)
        except ValueError as error:
            refuse(line, str(error))
        is_key = bool(self.around) and self.around[-1].mapping and len(self.around[-1].items) % 2 == 0
        if not is_key:  # keys are text, whatever they look like
            self.oddities += [f"line {line}: {what}" for what in heard]
        return _Scalar(text, found, line, plain=plain)

    def _aliased(self, anchor: str, line: int) -> _Scalar | _Container:
        found = self.anchors.get(anchor)
        if found is None:
            refuse(line, f"there is no &{anchor} before *{anchor}")
        if isinstance(found, _Container) and found.open:
            refuse(line, f"*{anchor} is inside of what it stands for")
        return found

    def _add(self, node: _Scalar | _Container, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if self.around:
            self.around[-1].add(node)
        elif self.top is not None:
            refuse(node.line, "there is a second document; a file holds one sweep")
        else:
            self.top = node
