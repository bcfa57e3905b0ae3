"""What several modules of tests need around them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def own_meshes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Meshes are made here once, neither found in the user's cache nor left there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEM_RD_CACHE", str(tmp_path_factory.mktemp("meshes")))
        yield
