"""Files to read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write text or bytes to a file of the test's own folder, and return its path."""

    def written(content: str | bytes, name: str = "ratings.csv") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return written


@pytest.fixture
def movielens() -> Path:
    """The folder of the real MovieLens files."""
    folder = Path(os.environ.get("FUNKSVD_TEST_DATA") or HERE.parents[3] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no MovieLens files in {folder}; set FUNKSVD_TEST_DATA")
    return folder
