"""A sweep that was built in Python, or read from a file of one."""

from __future__ import annotations

from collections import UserDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.sweeps.calls import encode
from luthier.sweeps.tune_form import TOP, read
from luthier.sweeps.yaml_text import dumped

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Self

    from luthier.sweeps.spec import SweepSpec

    Entries = UserDict[str, Any]
else:
    Entries = UserDict


class SweepConfig(Entries):
    """A sweep as a mapping; ``str()`` is its YAML.

    >>> sweep = SweepConfig({"program": "train.py", "tune": {"num_samples": 3}}).set(local=True, name="first")
    >>> print(sweep, end="")
    name: first
    program: train.py
    controller: {type: local}
    tune: {num_samples: 3}
    """

    def __str__(self) -> str:
        order = [key for key in TOP if key in self.data]
        return dumped({**{key: self.data[key] for key in order}, **self.data})

    @property
    def spec(self) -> SweepSpec:
        """What it is to do.

        Raises:
            BadArgument: something of it cannot be used.
        """
        return read(self.data, str(self))

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Write it to a file.

        Raises:
            BadArgument: something of it cannot be used; nothing is written.
        """
        text = self.spec.text
        Path(filename).write_text(text, "utf-8")

    @classmethod
    def load(cls, filename: str | os.PathLike[str]) -> Self:
        """Return the sweep in a file that :meth:`save` wrote, or the first client that had such.

        Raises:
            BadSweep: something of it cannot be used; the text names the line.
            BadArgument: it is no such file.
        """
        from luthier.sweeps.document import opened
        from luthier.sweeps.read import read as checked

        given = Path(filename).read_bytes()
        checked(given)
        found = opened(given).value
        if "tune" not in found:
            why = "it is not in the words of tune.run"
            raise BadArgument("filename", str(filename), "luthier.sweep(filename) for a file of this kind", why)
        return cls(found)

    def set(
        self, *, local: bool | None = None, name: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> Self:
        """Set several things at once; what is None stays as it is.

        Args:
            local: whether the sweep is decided where it is made, not by a server elsewhere.
            name: what people call it.
            settings: what agents are to know.
        """
        if local:
            self.set_local()
        elif local is not None:
            self.data.pop("controller", None)
        if name is not None:
            self.set_name(name)
        return self if settings is None else self.set_settings(settings)

    def set_local(self) -> Self:
        """Have it decided where it is made."""
        self.data["controller"] = {"type": "local"}
        return self

    def set_name(self, name: str) -> Self:
        """Set what people call it.

        Raises:
            BadArgument: *name* is no text.
        """
        if not isinstance(name, str):
            raise BadArgumentType("name", name, "text")
        self.data["name"] = name
        return self

    def set_settings(self, settings: Mapping[str, Any]) -> Self:
        """Set what agents are to know.

        Raises:
            BadArgument: *settings* are no dict, or a file cannot say them.
        """
        if not isinstance(settings, dict):
            raise BadArgumentType("settings", settings, "a dict")
        self.data["settings"] = {key: encode(value, f"settings[{key!r}]") for key, value in settings.items()}
        return self
