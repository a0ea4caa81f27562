"""Builds the zip of the Lambda function: amicleaner, and of its requirements those that a function needs.

python deploy/lambda/build_zip.py [FILE]        default: dist/amicleaner-lambda.zip

pip fetches the pinned requirements and checks their hashes.  The same tree and pins make the same bytes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TERMINAL = ("blessings", "click", "prettytable", "wcwidth")
"""Requirements of the command, which a function does not load."""
UNSTABLE = ("bin/*", "*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED")
"""What pip writes differently from one machine to the next."""


def requirements(text: str) -> str:
    """The entries of a requirements file that a function needs, with their hashes."""
    entries = re.findall(r"^[a-z].*(?:\n +.*)*", text, re.MULTILINE)
    return "\n".join(entry for entry in entries if not entry.startswith(tuple(f"{name}==" for name in TERMINAL))) + "\n"


def install(folder: Path) -> None:
    """Puts the requirements into a folder."""
    file = folder / "requirements.txt"
    file.write_text(requirements((ROOT / "requirements.txt").read_text("utf-8")), "utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, "--only-binary", ":all:", "--require-hashes", "--target", folder, "-r", file], check=True)
    file.unlink()


def pack(folder: Path, output: Path) -> None:
    """Adds the package to the requirements in a folder, and packs both: in order, without dates, owners or modes."""
    shutil.copytree(ROOT / "amicleaner", folder / "amicleaner", ignore=shutil.ignore_patterns("__pycache__"))
    unstable = {path for pattern in UNSTABLE for path in folder.glob(pattern)}
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path not in unstable and "__pycache__" not in path.parts:
                info = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                info.compress_type = zipfile.ZIP_DEFLATED
                info.create_system, info.external_attr = 3, 0o644 << 16
                archive.writestr(info, path.read_bytes())


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "amicleaner-lambda.zip"
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        pack(Path(folder), output)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
