from __future__ import annotations

import pytest

from luthier.store.jsonl import JsonlStore
from luthier.store.memory import MemoryStore
from luthier.testing.stores import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestJsonlStore(StoreContract):
    @pytest.fixture(params=["never", "interval", "always"])
    def store(self, request, tmp_path):
        store = JsonlStore(tmp_path / "experiment", fsync=request.param)
        yield store
        store.close()

    def reopen(self, store):
        store.close()
        return JsonlStore(store.directory)


class TestJsonlStoreOfManySegments(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = JsonlStore(tmp_path / "experiment", segment_bytes=1)
        yield store
        store.close()

    def reopen(self, store):
        store.close()
        return JsonlStore(store.directory, segment_bytes=300)
