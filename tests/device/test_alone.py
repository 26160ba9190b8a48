"""The runtime needs numpy and LiteRT, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.device import toy

PACKAGE = Path(__file__).resolve().parents[2] / "device" / "python"

SCRIPT = """
import json, sys
from pocketrec_device import Bundle, Recommender
bundle = Bundle.load(sys.argv[1])
bundle.verify()
found = Recommender(bundle).recommend(["The Matrix"], k=3)
json.dump([movie.movie_id for movie in found], sys.stdout)
"""

BLOCKER = """
import importlib.abc, sys
class OnlyNumpyAndLiteRt(importlib.abc.MetaPathFinder):
    allowed = {"numpy", "ai_edge_litert", "pocketrec_device"} | set(sys.stdlib_module_names)
    def find_spec(self, name, path=None, target=None):
        # Optional accelerators of numpy and platform modules begin with an underscore.
        if name.partition(".")[0] not in self.allowed and not name.startswith("_"):
            raise ImportError(f"the device runtime must not import {name}")
sys.meta_path.insert(0, OnlyNumpyAndLiteRt())
"""

EXPECTED = [toy.raw_id(3), toy.raw_id(4), toy.raw_id(5)]


def test_no_other_package_is_imported(toy_bundle: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", BLOCKER + SCRIPT, str(toy_bundle)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == EXPECTED


def test_the_blocker_blocks() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", BLOCKER + "import yaml"], capture_output=True, text=True, check=False
    )
    assert "must not import yaml" in answer.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_where_only_its_own_requirements_are_installed(
    toy_bundle: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    copied = tmp_path / "source"
    (copied / "pocketrec_device").mkdir(parents=True)
    for path in [PACKAGE / "pyproject.toml", *(PACKAGE / "pocketrec_device").glob("*.py")]:
        target = copied / path.relative_to(PACKAGE)
        target.write_bytes(path.read_bytes())
    install = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", str(copied)],
        capture_output=True,
        text=True,
        check=False,
    )
    if install.returncode and "No matching distribution" in install.stderr:
        pytest.skip("no package registry is reachable")
    assert install.returncode == 0, install.stderr
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {entry["name"].lower().replace("_", "-") for entry in json.loads(listed.stdout)}
    assert "tensorflow" not in installed
    answer = subprocess.run(
        [str(python), "-I", "-c", SCRIPT, str(toy_bundle)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == EXPECTED
