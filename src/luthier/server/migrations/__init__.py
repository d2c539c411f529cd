"""How the database came to be as it is: one revision (Alembic) for each change of :mod:`luthier.server.tables`.

``luthier.server.schema`` runs them, from code.  A change of the tables takes a new revision; ``make revision
NAME=what_changed`` writes one to look through.  On SQLite a column is changed with ``op.batch_alter_table``.
"""
