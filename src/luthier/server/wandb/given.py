"""What operations on artifacts are given: newer clients say it in one variable, older ones in several of that name."""

from __future__ import annotations

from typing import Any

import msgspec

LONGEST = 128  # letters of names, aliases and tags
COUNTED = 2**53


class Alias(msgspec.Struct):
    """A name for a version."""

    alias: str


class Tag(msgspec.Struct, rename="camel"):
    """A word about a version."""

    tag_name: str


class File(msgspec.Struct):
    """A file that is to come."""

    name: str
    artifact: str = msgspec.field(name="artifactID")


class Given(msgspec.Struct, rename="camel"):
    """All that these operations may be given; each takes some of it."""

    artifact: str = msgspec.field(default="", name="artifactID")
    project_name: str | None = None
    run_name: str | None = None
    artifact_type_name: str | None = None
    artifact_collection_name: str | None = None
    artifact_collection_names: list[str] | None = None
    client_id: str | None = msgspec.field(default=None, name="clientID")
    digest: str | None = None
    description: str | None = None
    metadata: str | None = None
    aliases: list[Alias] | None = None
    tags: list[Tag] | None = None
    tags_to_add: list[Tag] | None = None
    tags_to_delete: list[Tag] | None = None
    artifact_files: list[File] | None = None
    history_step: Any = None

    @property
    def collection(self) -> str:
        """The collection that the version is to be in."""
        named = self.artifact_collection_names or [self.artifact_collection_name or ""]
        return named[0]

    @property
    def names(self) -> list[str]:
        """The aliases."""
        return [each.alias[:LONGEST] for each in self.aliases or ()]

    @property
    def step(self) -> int | None:
        """The step at which it was logged."""
        step = self.history_step
        return step if type(step) is int and 0 <= step < COUNTED else None


class Input(Given):
    """Variables that are all in one, or not.

    >>> msgspec.convert({"input": {"artifactID": "a"}}, Input).given.artifact
    'a'
    >>> msgspec.convert({"artifactID": "a"}, Input).given.artifact
    'a'
    """

    input: Given | None = None

    @property
    def given(self) -> Given:
        """What they say."""
        return self.input or self


def words(tags: list[Tag] | None) -> list[str]:
    """Return what *tags* say."""
    return [tag.tag_name[:LONGEST] for tag in tags or ()]
