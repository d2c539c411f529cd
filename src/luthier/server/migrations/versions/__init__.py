"""The revisions, each in a file of its own that never changes again."""
