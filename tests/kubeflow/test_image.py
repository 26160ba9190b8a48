"""The container images: what their Dockerfiles say, and that what they say works.

There is no Docker on every machine, so the slow tests execute the instructions themselves; see
`tests/kubeflow/clean_root.py` for what that covers.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setuptools import find_packages

from kubeflow import targets
from tests.kubeflow import clean_root, dockerfile
from tests.kubeflow.dockerfile import Stage
from tests.kubeflow.manifests import PROJECT

STEPS = PROJECT / "kubeflow/Dockerfile"
MLFLOW = PROJECT / "kubeflow/mlflow/Dockerfile"
CONTEXTS = {STEPS: PROJECT, MLFLOW: MLFLOW.parent}
IMAGES = pytest.mark.parametrize("path", [STEPS, MLFLOW], ids=["steps", "mlflow"])


def locked(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Returns the packages of a lock: version and hashes."""
    packages: dict[str, tuple[str, frozenset[str]]] = {}
    for entry in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if entry.strip() and not entry.startswith("#"):
            requirement, *hashes = entry.split("--hash=")
            name, _, version = requirement.strip().partition("==")
            packages[canonicalize_name(name)] = (version, frozenset(h.strip() for h in hashes))
    return packages


def needed(requirements: Iterable[str]) -> set[str]:
    """Returns the packages that these and what they need come to, as installed here."""
    found: set[str] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    expanded = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.add(name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) in expanded:
                continue
            expanded.add((name, wanted))
            try:
                below = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                below = []
            waiting += [(Requirement(text), wanted) for text in below]
    return found


def requirements() -> list[str]:
    """Returns the project's direct requirements."""
    table = tomli.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(table["project"]["dependencies"])


def copied_from_context(stages: Iterable[Stage]) -> Iterator[str]:
    for stage in stages:
        for instruction in stage.instructions:
            if instruction.keyword == "COPY" and "from" not in instruction.flags:
                yield from instruction.words[:-1]


@IMAGES
def test_every_base_is_the_same_python_with_a_full_version(path: Path) -> None:
    wanted = (PROJECT / ".python-version").read_text(encoding="utf-8").strip()
    images = {stage.image for stage in dockerfile.read(path)}
    assert len(images) == 1
    assert re.fullmatch(rf"python:{re.escape(wanted)}\.\d+-slim-bookworm", images.pop())


@IMAGES
def test_it_runs_as_a_numbered_user_other_than_root(path: Path) -> None:
    (user,) = dockerfile.read(path)[-1].last("USER").words
    # Kubernetes can check runAsNonRoot for a number alone.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


@IMAGES
def test_whatever_it_copies_is_in_the_context(path: Path) -> None:
    seen = dockerfile.context_files(CONTEXTS[path])
    sources = list(copied_from_context(dockerfile.read(path)))
    assert sources
    assert [source for source in sources if source not in seen] == []


@IMAGES
def test_every_package_is_installed_by_hash(path: Path) -> None:
    lines = [i.text for s in dockerfile.read(path) for i in s.instructions if i.keyword == "RUN"]
    installs = [
        command
        for line in lines
        for command in re.split(r"&&", line)
        if re.search(r"\b(pip install|pip sync)\b", command)
    ]
    assert installs
    for command in installs:
        assert "--require-hashes" in command or "--no-deps" in command, command


def test_the_health_check_is_the_console_script() -> None:
    check = dockerfile.read(STEPS)[-1].last("HEALTHCHECK")
    assert check.words == ("CMD", "pocketrec", "--help")
    assert check.exec_form


def test_every_package_of_the_project_is_copied() -> None:
    table = tomli.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    packages = find_packages(
        str(PROJECT), include=table["setuptools"]["packages"]["find"]["include"]
    )
    copied = set(copied_from_context(dockerfile.read(STEPS)))
    assert {name for name in packages if "." not in name} - copied == set()


def test_the_context_is_the_project_and_nothing_beside_it() -> None:
    seen = dockerfile.context_files(PROJECT)
    folders = {name.split("/")[0] for name in seen if (PROJECT / name).is_file()}
    assert folders == {
        *(".dockerignore", "LICENSE", "README.md", "pyproject.toml"),
        *("components", "device", "kubeflow", "modules", "pipeline", "schema", "tools"),
    }
    assert not [name for name in seen if "__pycache__" in name or "node_modules" in name]


def test_checkout_and_checkpoints_are_where_compiled_pipelines_look() -> None:
    build, final = dockerfile.read(STEPS)
    assert build.last("WORKDIR").words == (targets.IMAGE_HOME,)
    (made,) = (i.text for i in final.instructions if i.keyword == "RUN")
    assert targets.CHECKPOINT_ROOT in made


def test_the_steps_lock_is_what_the_project_needs_without_the_tools_of_development() -> None:
    lock = set(locked(PROJECT / "kubeflow/requirements.lock"))
    # setuptools installs the project itself.
    assert lock == needed([*requirements(), "setuptools"])


def test_both_locks_agree() -> None:
    image, here = (
        locked(PROJECT / "kubeflow/requirements.lock"),
        locked(PROJECT / "requirements.lock"),
    )
    assert {name for name in image.keys() & here.keys() if image[name] != here[name]} == set()


@pytest.mark.parametrize(
    ("target", "image", "path"),
    [("image", targets.DEFAULT_IMAGE, STEPS), ("mlflow-image", "pocketrec-mlflow:3.17.2", MLFLOW)],
)
def test_make_builds_the_image_that_is_asked_for_by_default(
    target: str, image: str, path: Path
) -> None:
    words = ["make", "--no-print-directory", "--dry-run", target]
    # Under another make this one would inherit its flags.
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(
        words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    command = done.stdout.split()
    assert command[:2] == ["docker", "build"]
    assert command[command.index("--tag") + 1] == image
    # Without --file, Docker takes the Dockerfile of the context.
    context = PROJECT / command[-1]
    assert context == CONTEXTS[path]
    file = command[command.index("--file") + 1] if "--file" in command else f"{context}/Dockerfile"
    assert PROJECT / file == path


def test_the_server_has_the_version_of_the_client() -> None:
    server = locked(MLFLOW.parent / "requirements.lock")
    assert server["mlflow"][0] == locked(PROJECT / "requirements.lock")["mlflow"][0]
    asked = (MLFLOW.parent / "requirements.in").read_text(encoding="utf-8")
    for line in asked.splitlines():
        if text := line.partition("#")[0].strip():
            name, _, version = text.partition("==")
            assert server[canonicalize_name(name)][0] == version


@pytest.fixture(scope="module")
def steps(python_root: Path) -> clean_root.Image:
    return clean_root.build(dockerfile.read(STEPS), PROJECT, python_root, "steps")


@pytest.mark.slow
@pytest.mark.timeout(2400)
class TestStepsImage:
    def test_the_health_check_passes(self, steps: clean_root.Image) -> None:
        check = dockerfile.read(STEPS)[-1].last("HEALTHCHECK")
        assert "usage: pocketrec" in steps.run(check.words[1:])

    def test_the_user_may_write_where_steps_write_and_nowhere_else(
        self, steps: clean_root.Image
    ) -> None:
        script = (
            "id --user; for folder in $HOME . /tmp /dev/shm CHECKPOINTS /opt/pocketrec "
            "/opt/pocketrec/pipeline /opt/venv/bin; do "
            "test -w $folder && echo yes $folder || echo no $folder; done"
        ).replace("CHECKPOINTS", targets.CHECKPOINT_ROOT)
        assert steps.run(["sh", "-c", script]).split("\n")[:-1] == [
            "1000",
            "yes /home/pocketrec",
            "yes .",
            "yes /tmp",
            "yes /dev/shm",
            "yes /opt/pocketrec/checkpoints",
            "no /opt/pocketrec",
            "no /opt/pocketrec/pipeline",
            "no /opt/venv/bin",
        ]

    def test_what_a_container_runs_can_be_imported(self, steps: clean_root.Image) -> None:
        modules = "kubeflow.entrypoint, pocketrec_device, tfx, mlflow, boto3, tensorflow_io, os"
        program = f"import {modules}; print(kubeflow.entrypoint.__file__, flush=True); os._exit(0)"
        said = steps.run(["python", "-c", program])
        assert said.splitlines()[-1] == f"{targets.IMAGE_HOME}/kubeflow/entrypoint.py"

    def test_nothing_is_left_to_compile(self, steps: clean_root.Image) -> None:
        # A step that is not root would compile TensorFlow and TFX anew each time.
        library = steps.root / "opt/venv/lib/python3.10/site-packages"
        for module in ("tensorflow/python/framework/ops", "tfx/v1/__init__", "kfp/__init__"):
            folder, _, name = module.rpartition("/")
            assert (library / folder / "__pycache__" / f"{name}.cpython-310.pyc").is_file()
        source = steps.root / "opt/pocketrec/kubeflow/__pycache__/entrypoint.cpython-310.pyc"
        assert source.is_file()

    def test_tools_of_the_build_are_left_behind(self, steps: clean_root.Image) -> None:
        script = "command -v g++ gcc uv; test -e /opt/uv && echo /opt/uv; exit 0"
        assert steps.run(["sh", "-c", script]) == ""

    def test_it_compiles_the_very_pipeline_of_the_checkout(
        self, steps: clean_root.Image, tmp_path: Path
    ) -> None:
        # Byte for byte: the hashes of the sources in it are those of the checkout too.
        command = ["compile", "--target", "kubeflow", "--dataset", "ml-1m", "--output"]
        steps.run(["pocketrec", *command, "/tmp/inside.yaml"])
        here = tmp_path / "here.yaml"
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli.main", *command, str(here)],
            cwd=PROJECT,
            check=True,
        )
        inside = (steps.root / "tmp/inside.yaml").read_bytes()
        assert b"source_hash" in inside
        assert inside == here.read_bytes()
