"""Builds the source archive and the wheel into dist/, twice, and fails unless both wheels have the same bytes.

python .ci/dist.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATE = "315532800"
"""Of all files in the wheel, in seconds since 1970: 1980-01-01, the first that a zip can hold."""


def build(folder: Path) -> Path:
    """Builds into a folder, the wheel from the source archive; returns the wheel."""
    # Zips record modes, and a new file's mode depends on the umask.
    os.umask(0o022)
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(words, env={**os.environ, "SOURCE_DATE_EPOCH": DATE}, stdout=subprocess.DEVNULL, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = (build(Path(folder, name)) for name in ("first", "second"))
        if first.read_bytes() != second.read_bytes():
            sys.exit(f"Two builds of {first.name} differ.")
        dist = ROOT / "dist"
        dist.mkdir(exist_ok=True)
        for file in first.parent.iterdir():
            shutil.copyfile(file, dist / file.name)
            print(dist / file.name)


if __name__ == "__main__":
    main()
