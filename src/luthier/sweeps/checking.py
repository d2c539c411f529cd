"""What a sweep file says against what it may say: the schema, in words that lead to the mistake."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any, Final

from luthier.core.errors import Violation, shown_shortly
from luthier.sweeps.published import definition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from luthier.core.space import Path
    from luthier.sweeps.document import Document

    Schema = Mapping[str, Any]

_WORDS: Final = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
_NEAR, _VERY_NEAR = 0.6, 0.8  # how alike words are of which one was meant; and where there is no doubt


def spelled(path: Path) -> str:
    """Return *path* as people write it.

    >>> spelled(("points", 0, "lr"))
    'points[0].lr'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def near(word: object, known: Iterable[object], cutoff: float = _NEAR) -> str | None:
    """Return what *word* was probably meant to be.

    >>> near("paramters", ["parameters", "metric"])
    'parameters'
    """
    words = [text for text in known if isinstance(text, str)]
    found = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=cutoff)
    return found[0] if found else None


def among(word: object, known: Iterable[object], what: str = "such value") -> str:
    """Return the complaint that *word* is none of the *known* ones.

    >>> among("grod", ["grid", "random"])
    "there is no such value as 'grod'; did you mean 'grid'? There are: grid, random"
    """
    known = list(known)
    close = near(word, known)
    meant = f"did you mean {close!r}? There" if close else "there"
    listed = ", ".join(str(item).lower() if isinstance(item, bool) else str(item) for item in known)
    return f"there is no {what} as {shown_shortly(word)}; {meant} are: {listed}"


class Checked:
    """What is wrong with *document*, and what is odd.

    Attributes:
        violations: what is wrong.
        warnings: what has no effect, or may not be meant.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.violations: list[Violation] = []
        self.warnings: list[str] = list(document.oddities)

    def wrong(self, path: Path, text: str) -> None:
        """Note what is wrong at *path*."""
        self.violations.append(Violation(spelled(path), self.document.line(path), text))

    def warn(self, path: Path, text: str) -> None:
        """Note what is odd at *path*."""
        self.warnings.append(str(Violation(spelled(path), self.document.line(path), text)))

    def check(self, value: Any, schema: Schema, path: Path = ()) -> None:
        """Hold *value* at *path* against *schema*."""
        if "$ref" in schema:
            schema = definition(schema["$ref"].rpartition("/")[2])
        options = schema.get("anyOf")
        if options and "required" not in options[0]:
            self.check(value, _meant(value, options), path)
            return
        if not self._right(value, schema, path):
            return
        if isinstance(value, dict):
            self._keys(value, schema, path)
            if options and not any(all(key in value for key in option["required"]) for option in options):
                wanted = ", or ".join(" and ".join(option["required"]) for option in options)
                self.wrong(path, f"give {wanted}")
        elif isinstance(value, list):
            if len(value) < schema.get("minItems", 0):
                self.wrong(path, f"there must be {schema['minItems']} or more")
            for place, item in enumerate(value):
                self.check(item, schema.get("items", {}), (*path, place))

    def _right(self, value: Any, schema: Schema, path: Path) -> bool:
        wanted = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
        if wanted is not None:
            if any(item == value and type(item) is type(value) for item in wanted):
                return True
            self.wrong(path, among(value, wanted))
            return False
        kinds = schema.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(_is(value, kind) for kind in kinds):
            words = " or ".join(_WORDS[kind] for kind in kinds)
            self.wrong(path, f"{shown_shortly(value)} cannot be used: give {words}{_instead(value, kinds, path)}")
            return False
        wanted_bound = _bound(value, schema)
        if wanted_bound:
            self.wrong(path, f"{shown_shortly(value)} cannot be used: give {wanted_bound}")
        return not wanted_bound

    def _keys(self, value: dict[str, Any], schema: Schema, path: Path) -> None:
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        for key in schema.get("required", ()):
            if key not in value:
                close = near(key, value.keys() - known.keys(), _VERY_NEAR)
                self.wrong(path, f"{key!r} is missing" + (f"; is it {close!r}?" if close else ""))
        if len(value) < schema.get("minProperties", 0):
            self.wrong(path, "it is empty")
        for key in list(value):
            here = (*path, key)
            self._name(key, schema, here)
            if key in known:
                value[key] = self._number(value[key], known[key], here)
                self.check(value[key], known[key], here)
            elif others is False:
                self._stranger(value, key, known, path)
            elif others is not True:
                value[key] = self._number(value[key], others, here)
                self.check(value[key], others, here)

    def _name(self, key: str, schema: Schema, path: Path) -> None:
        pattern = schema.get("propertyNames", {}).get("pattern")
        if pattern is None or re.search(pattern, key):
            return
        if path[0] == "environment":
            self.wrong(path, "no variable has such a name: letters, digits and '_' are what it is made of")
        else:
            made = "letters, digits, '_', '.' and '-' are what a name is made of, and it begins with a letter or '_'"
            self.warn(path, f"elsewhere it may be refused: {made}")

    def _number(self, item: Any, schema: Schema, path: Path) -> Any:
        """Return *item* as the number that it spells, where one is wanted: clients quote ``1e-3``."""
        kind = schema.get("type")
        if kind not in ("number", "integer"):
            return item
        found = item
        if isinstance(item, str):
            try:
                found = float(item)
            except ValueError:
                return item
            self.warn(path, f"{item!r} is text, and read as a number")
        return int(found) if kind == "integer" and isinstance(found, float) and found.is_integer() else found

    def _stranger(self, value: dict[str, Any], key: str, known: Mapping[str, Any], path: Path) -> None:
        text = among(key, sorted(known), "such key")
        close = near(key, known, _VERY_NEAR)
        if path or (close and close not in value):
            self.wrong((*path, key), text)
        else:
            self.warn((*path, key), f"{text}. It has no effect")


def _is(value: object, kind: str) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "number":
            return number and math.isfinite(value)  # type: ignore[arg-type]
        case "integer":
            return number and float(value).is_integer()  # type: ignore[arg-type]
        case "boolean":
            return isinstance(value, bool)
    return value is None


def _instead(value: object, kinds: Iterable[str], path: Path) -> str:
    """Return what the user may have meant by a *value* of another kind."""
    named = path[-2:-1] in [("parameters",), ("choice",)] or path[-3:-2] == ("choice",)
    if "object" in kinds and "null" not in kinds and named:
        if isinstance(value, list):
            return f", such as {{values: {shown_shortly(value, 60)}}}"
        return f", such as {{value: {shown_shortly(value, 60)}}}"
    if "array" in kinds and path == ("command",) and isinstance(value, str):
        import shlex

        return f", such as {shown_shortly(_split(shlex.split, value))}"
    return ""


def _split(split: Any, text: str) -> list[str]:
    try:
        found: list[str] = split(text)
        return found
    except ValueError:  # a quote that does not end
        return text.split()


def _bound(value: Any, schema: Schema) -> str:
    """Return what *value*, of the right type, should be; nothing where it is that."""
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return "text that is not empty"
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return ""
    if value < schema.get("minimum", -math.inf):
        return f"{_WORDS[schema['type']]} of {schema['minimum']} or more"
    if value <= schema.get("exclusiveMinimum", -math.inf):
        return f"{_WORDS[schema['type']]} above {schema['exclusiveMinimum']}"
    if "not" in schema and value == schema["not"]["const"]:
        return f"something other than {schema['not']['const']}"
    return ""


def _meant(value: Any, options: list[Schema]) -> Schema:
    """Return which of *options* somebody had in mind who wrote *value*."""
    found = [definition(o["$ref"].rpartition("/")[2]) if "$ref" in o else o for o in options]
    if not isinstance(value, dict):
        for option in found:
            kind = option.get("type")
            if "enum" in option or (isinstance(kind, str) and kind != "object" and _is(value, kind)):
                return option
        return found[0] if len(found) < 4 else {"type": "object"}  # noqa: PLR2004 (parameters: all are mappings)
    if not value:
        return {"type": "object", "minProperties": 1}
    objects = [option for option in found if option.get("type") == "object"]
    named = value.get("distribution")
    if named is not None:
        kinds = [option for option in objects if "distribution" in option.get("properties", {})]
        allowed = {option["properties"]["distribution"]["const"]: option for option in kinds}
        if isinstance(named, str) and named in allowed:
            return allowed[named]
        if allowed:
            return {"type": "object", "properties": {"distribution": {"enum": list(allowed)}}}
    return max(objects, key=lambda option: _fit(value, option))


def _fit(value: Mapping[str, Any], option: Schema) -> tuple[int, int]:
    properties = option.get("properties", {})
    known = properties.keys() & value.keys()
    missing = [key for key in option.get("required", ()) if key not in value]
    wrong = sum(_kind_wrong(value[key], properties[key]) for key in known)
    return len(known) - wrong, -len(missing)


def _kind_wrong(value: object, schema: Schema) -> bool:
    kind = schema.get("type")
    if kind == "integer":  # 1.0 is a float here: what is written so is meant so
        return not isinstance(value, int) or isinstance(value, bool)
    return False
