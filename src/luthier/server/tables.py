"""The tables of the server's database.

``events`` is the truth: the log of each sweep.  ``runs`` and the moving columns of ``sweeps`` are a view of it, written
in the same transaction.  ``history``, ``output`` and ``files`` hold what runs produce; of history, only rows with a
metric that a policy hears also become events.  Times are unix seconds (UTC) as floats; texts of JSON carry NaN and
infinities as :mod:`luthier.store.values` writes them.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
TIME = sa.Double
COUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows by INTEGER alone

projects = sa.Table(
    "projects",
    METADATA,
    sa.Column("id", COUNT, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", TIME, nullable=False),
)

sweeps = sa.Table(
    "sweeps",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),  # eight letters and digits, unique on the server
    sa.Column("project_id", COUNT, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),  # "sweep", or "experiment": a Tuner's, sent here
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("config", sa.Text, nullable=False),  # the YAML as given
    sa.Column("seed", COUNT, nullable=False),
    sa.Column("metric", sa.Text),  # the first goal
    sa.Column("mode", sa.Text),  # "min" or "max"
    sa.Column("state", sa.Text, nullable=False),  # PENDING RUNNING PAUSED FINISHED CANCELED FAILED
    sa.Column("wanted", sa.Text, nullable=False, server_default="RUNNING"),  # by its users: RUNNING PAUSED FINISHED ...
    sa.Column("reason", sa.Text, nullable=False, server_default=""),  # why it is in that state
    sa.Column("length", COUNT, nullable=False, server_default="0"),  # of its log, in events
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("updated_at", TIME, nullable=False),
    sa.Column("ended_at", TIME),
    sa.Column("expected", COUNT),  # how many runs there will be, where that is known
    sa.Column("best_run", sa.Text),
    sa.Column("best_value", sa.Double),
    sa.Column("controller", sa.Text),  # JSON: what a controller elsewhere wants tried; null: the server searches
)

events = sa.Table(
    "events",
    METADATA,
    sa.Column("sweep_id", sa.Text, sa.ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("first", COUNT, primary_key=True, autoincrement=False),  # number of the batch's first event
    sa.Column("line", sa.LargeBinary, nullable=False),  # as luthier.store.codec writes it
)

runs = sa.Table(
    "runs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),  # the trial's id in its sweep's log
    sa.Column("sweep_id", sa.Text, sa.ForeignKey("sweeps.id", ondelete="CASCADE"), index=True),  # null: a run alone
    sa.Column("project_id", COUNT, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("number", COUNT, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    # waiting, running, stopping, paused, finished, stopped (early), failed, crashed (its agent was lost), deleted
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("config", sa.Text, nullable=False),  # JSON
    sa.Column("summary", sa.Text, nullable=False, server_default="{}"),  # JSON: the last value of each metric
    sa.Column("value", sa.Double),  # of the sweep's metric, as reported last
    sa.Column("attempt", COUNT, nullable=False, server_default="0"),
    sa.Column("agent_id", sa.Text),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("started_at", TIME),
    sa.Column("heartbeat_at", TIME),
    sa.Column("ended_at", TIME),
    sa.Column("rows", COUNT, nullable=False, server_default="0"),  # of history, in this attempt
    sa.Column("lines", COUNT, nullable=False, server_default="0"),  # of output, in this attempt
    sa.Column("exit_code", COUNT),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),  # why it was stopped or waits
    sa.Column("why", sa.Text),  # JSON: the same in names and values
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("group", sa.Text, nullable=False, server_default=""),
    sa.Column("tags", sa.Text, nullable=False, server_default="[]"),  # JSON
    sa.Column("notes", sa.Text, nullable=False, server_default=""),
    sa.Column("about", sa.Text, nullable=False, server_default="{}"),  # JSON: host, program, versions and so on
    sa.Index("ix_runs_sweep_id_number", "sweep_id", "number"),
    sa.Index("ix_runs_project_id_created_at", "project_id", "created_at"),
)

history = sa.Table(
    "history",
    METADATA,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempt", COUNT, primary_key=True, autoincrement=False),
    sa.Column("row", COUNT, primary_key=True, autoincrement=False),  # counted from 0 in each attempt
    sa.Column("at", TIME, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),  # JSON
    sqlite_with_rowid=False,
)

output = sa.Table(
    "output",
    METADATA,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempt", COUNT, primary_key=True, autoincrement=False),
    sa.Column("line", COUNT, primary_key=True, autoincrement=False),  # counted from 0 in each attempt
    sa.Column("at", TIME, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),  # "out" or "err"
    sa.Column("text", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

agents = sa.Table(
    "agents",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sweep_id", sa.Text, sa.ForeignKey("sweeps.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", COUNT),
    sa.Column("resources", sa.Text, nullable=False),  # JSON: slots, cpu, gpu ...
    sa.Column("count", COUNT),  # how many runs it wants to start at most
    sa.Column("launched", COUNT, nullable=False, server_default="0"),
    sa.Column("state", sa.Text, nullable=False),  # here, left, lost
    sa.Column("lease_s", sa.Double, nullable=False),
    sa.Column("joined_at", TIME, nullable=False),
    sa.Column("heartbeat_at", TIME, nullable=False),
    sa.Column("ended_at", TIME),
    sa.Index("ix_agents_state_heartbeat_at", "state", "heartbeat_at"),
)

files = sa.Table(
    "files",
    METADATA,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),  # relative, with slashes
    sa.Column("size", COUNT, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),  # names the bytes in the server's files directory
    sa.Column("at", TIME, nullable=False),
)

artifacts = sa.Table(  # versions of what runs keep, as W&B's client logs them; their bytes are files of the run
    "artifacts",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("project_id", COUNT, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("version", COUNT),  # counted from 0 in each collection; null until it is whole
    sa.Column("client_id", sa.Text, nullable=False, server_default="", index=True),  # what the client called it before
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("metadata", sa.Text, nullable=False, server_default="{}"),  # JSON
    sa.Column("aliases", sa.Text, nullable=False, server_default="[]"),  # JSON: each is one version's in its collection
    sa.Column("tags", sa.Text, nullable=False, server_default="[]"),  # JSON
    sa.Column("step", COUNT),
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("updated_at", TIME, nullable=False),
    sa.Index("ix_artifacts_project_id_collection_version", "project_id", "collection", "version"),
)

keys = sa.Table(
    "keys",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),  # SHA-256 of a key of 160 random bits
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),  # read, write, admin
    sa.Column("project_id", COUNT, sa.ForeignKey("projects.id", ondelete="CASCADE")),  # null: all projects
    sa.Column("created_at", TIME, nullable=False),
    sa.Column("used_at", TIME),
    sa.Column("revoked_at", TIME),
    sa.Column("expires_at", TIME),  # of a browser's session
    sa.Column(
        "parent_id", sa.Text, sa.ForeignKey("keys.id", ondelete="CASCADE"), index=True
    ),  # a session: of which key
)

audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", COUNT, primary_key=True, autoincrement=True),
    sa.Column("at", TIME, nullable=False, index=True),
    sa.Column("who", sa.Text, nullable=False),  # name of the key, or "local"
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, server_default="{}"),  # JSON
)
