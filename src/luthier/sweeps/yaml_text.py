"""A sweep as YAML that every reader of YAML understands alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Text that is a number to some readers (those of YAML 1.2, and ours) is written in quotes.
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|0[xob][0-9a-fA-F]+")


def dumped(mapping: Mapping[str, Any]) -> str:
    """Return *mapping*, of what YAML can say, as text; what is short stands on one line.

    >>> print(dumped({"name": "1e5", "tune": {"config": {"lr": {"tune.uniform": [0, 1e-05]}}}}), end="")
    name: '1e5'
    tune:
      config:
        lr:
          tune.uniform: [0, 1.0e-05]
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes each list and dict where it stands, never a reference to another one."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "'" if _NUMBER.fullmatch(value) else None if value.isprintable() else '"'  # which has escapes
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(
        dict(mapping), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
    )
