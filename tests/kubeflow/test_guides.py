"""The deployment guides: their commands against the parsers and files that they are for."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubeflow.runtime_parameters import PARAMETERS
from pipeline.cli.main import build_parser
from pipeline.config.select import load_selected
from tests.kubeflow import manifests
from tests.kubeflow.manifests import PROJECT

KUBEFLOW = PROJECT / "docs/deploy-kubeflow.md"
VERTEX = PROJECT / "docs/deploy-vertex.md"
GUIDES = (KUBEFLOW, VERTEX, PROJECT / "kubeflow/README.md")
# Of Kubeflow Pipelines itself.
THEIRS = {"svc/ml-pipeline", "svc/minio-service"}


def blocks(path: Path) -> list[str]:
    """Returns the blocks of shell, lines that go on joined."""
    found: list[str] = []
    language: str | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            language = None if language is not None else line.removeprefix("```")
            found += [""] if language in ("", "sh") else []
        elif language in ("", "sh"):
            found[-1] += f"{line}\n"
    return [block.replace("\\\n", " ") for block in found]


def commands(path: Path, program: str) -> Iterator[list[str]]:
    """Yields the words of every command of a program, without its name."""
    for block in blocks(path):
        for line in block.splitlines():
            words = line.removesuffix("&").strip()
            if words.removeprefix(".venv/bin/").startswith(f"{program} "):
                yield shlex.split(words)[1:]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.name))
def test_pocketrec_understands_its_commands(path: Path) -> None:
    parser = build_parser()
    found = list(commands(path, "pocketrec"))
    assert len(found) >= 4
    names = {parameter.name for parameter in PARAMETERS}
    for words in found:
        # An unknown option would end the test with SystemExit.
        args = parser.parse_args(words)
        if args.command == "compile":
            config = None if args.config is None else PROJECT / args.config
            load_selected(config, args.dataset, args.set)
        if args.command == "submit":
            assert {value.partition("=")[0] for value in args.parameter} <= names


@pytest.mark.parametrize("path", [KUBEFLOW, VERTEX], ids=lambda path: str(path.name))
def test_make_has_their_targets(path: Path) -> None:
    found = list(commands(path, "make"))
    assert found
    for words in found:
        done = subprocess.run(
            ["make", "--dry-run", *words], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_kubectl_gets_names_of_objects_that_are_there() -> None:
    known = {f"{kind.lower()}/{name}" for kind, name in manifests.objects()}
    known |= {name.replace("service/", "svc/") for name in known}
    text = "\n".join(blocks(KUBEFLOW))
    named = set(re.findall(r"\b(?:svc|deployment|statefulset|job)/[a-z-]+", text))
    assert named <= known | THEIRS
    assert named >= THEIRS | {"deployment/mlflow", "statefulset/mlflow-postgres"}
    # The Secrets that the manifests read are Kubeflow's, or made by a command of the guide.
    assert "kubectl create secret generic mlflow-postgres" in text
    # A claim made from a template is named after it and the pod.
    (claim,) = manifests.objects()["StatefulSet", "mlflow-postgres"]["spec"]["volumeClaimTemplates"]
    assert f"{claim['metadata']['name']}-mlflow-postgres-0" in text
    for folder in re.findall(r"(?:apply|delete) -k (\S+)", text):
        assert folder == "my-cluster" or (PROJECT / folder / "kustomization.yaml").is_file()


def test_ports_of_forwards_are_those_of_the_services() -> None:
    forwards = [words for words in commands(KUBEFLOW, "kubectl") if words[0] == "port-forward"]
    ports = {words[-2]: words[-1] for words in forwards}
    assert ports == {"svc/minio-service": "9000", "svc/ml-pipeline": "8888", "svc/mlflow": "5000"}
