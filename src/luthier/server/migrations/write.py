"""``python -m luthier.server.migrations.write NAME``: a revision with what :mod:`luthier.server.tables` has changed."""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from luthier.server.database import connect
from luthier.server.schema import REVISIONS, VERSION_TABLE, migrate
from luthier.server.tables import METADATA

if TYPE_CHECKING:
    from pathlib import Path

_TEXT = '''"""{title}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down}


def upgrade() -> None:
    """{title}."""
    {steps}
'''


def write(name: str, directory: Path = REVISIONS / "versions") -> Path:
    """Write the revision that follows the newest one into *directory*; return its path."""
    last = max((path.name[:4] for path in directory.glob("[0-9]*.py")), default=None)
    revision = f"{int(last or 0) + 1:04}"
    with tempfile.TemporaryDirectory() as place:
        engine = connect(f"{place}/empty.db")
        try:
            if last is not None:
                migrate(engine)
            with engine.connect() as connection:
                options = {"version_table": VERSION_TABLE, "compare_type": True}
                found = produce_migrations(MigrationContext.configure(connection, opts=options), METADATA)
        finally:
            engine.dispose()
    steps = render_python_code(found.upgrade_ops, render_as_batch=last is not None) if found.upgrade_ops else "pass"
    steps = "\n".join(line for line in steps.splitlines() if "# ###" not in line).strip()
    title = name.replace("_", " ").capitalize()
    down = "None" if last is None else f'"{last}"'
    path = directory / f"{revision}_{name}.py"
    path.write_text(_TEXT.format(title=title, revision=revision, down=down, steps=steps), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write(sys.argv[1]))  # noqa: T201 (it is a command)
