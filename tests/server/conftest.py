import pytest
from luthier.server.database import connect
from luthier.server.tables import METADATA
@pytest.fixture
def engine(tmp_path):
    e = connect(f"sqlite:///{tmp_path}/db"); METADATA.create_all(e); yield e; e.dispose()
