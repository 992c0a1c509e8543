"""A file of a track that cannot be read: the commands go on with the others, and say which file it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT


def test_a_syntax_error_in_one_track_stops_no_command(tmp_path: Path) -> None:
    """`check` fails with the line; `tracks` lists the others."""
    shutil.copytree(ROOT / "workflows", tmp_path / "workflows")
    (tmp_path / "workflows" / "tracks" / "half_written.py").write_text("async def half(lead:\n", encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "perennial.cli", "--data-dir", str(tmp_path / "data"), *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PERENNIAL_CONTENT_DIR": str(ROOT / "content")},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("migrate").returncode == 0
    checked, counted = run("check", "re-engagement"), run("tracks")
    assert (checked.returncode, counted.returncode) == (2, 0)
    assert "half_written.py:1: " in "".join(checked.stderr.split("\n"))
    assert "half_written.py:1: " in "".join(counted.stderr.split("\n"))
    assert "new-lead" in counted.stdout
