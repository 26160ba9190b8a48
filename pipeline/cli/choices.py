"""What shells may complete an argument with.

`pocketrec completion` prints scripts that shtab makes of the parser. It reads the attribute
`complete` of an argument: for each shell a function of the script's preamble, or a pattern.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

DATASETS = (
    "sample",
    "ml-100k",
    "ml-1m",
    "ml-10m",
    "ml-20m",
    "ml-25m",
    "ml-32m",
    "ml-latest-small",
    "ml-latest",
)
"""As `pipeline.datasets.releases` knows them, whose imports `--help` does without."""

DATASETS_TEXT = ", ".join(DATASETS)
STUDIES = (
    "best",
    "catalogue",
    "distillation",
    "elastic",
    "elastic_4bit",
    "encoders",
    "features",
    "frontier",
    "history_length",
    "limit_128kb",
    "limit_64kb",
    "limits",
    "sasrec",
    "smoke",
    "with_and_without",
    "with_and_without_narrow",
)
"""The files below `pipeline/configs/sweeps`."""

_MODELS = ("champion",)
_YAML_SUFFIXES = ("yaml", "yml")


def of_datasets(action: argparse.Action) -> None:
    """Completes data sets by name, and paths."""
    _complete(action, "datasets_or_file", DATASETS)


def of_yaml_files(action: argparse.Action) -> None:
    """Completes YAML files."""
    _complete(action, "yaml_file", ())


def of_studies(action: argparse.Action) -> None:
    """Completes the studies that ship with the project, and YAML files."""
    _complete(action, "studies_or_file", STUDIES)


def of_runs(action: argparse.Action) -> None:
    """Completes the ids of the workspace's runs."""
    _complete(action, "runs", ())


def of_models(action: argparse.Action) -> None:
    """Completes `champion` and folders of bundles."""
    _complete(action, "models_or_dir", _MODELS)


def of_files(action: argparse.Action) -> None:
    """Completes files."""
    _complete(action, "file", ())


def of_folders(action: argparse.Action) -> None:
    """Completes folders."""
    _complete(action, "dir", ())


def preamble() -> dict[str, str]:
    """Returns the functions that the arguments name, by shell."""
    return {"bash": _bash(), "zsh": _zsh()}


def _complete(action: argparse.Action, kind: str, names: Sequence[str]) -> None:
    # A script of tcsh has no functions: there it is the names, or files.
    tcsh = f"({' '.join(names)})" if names else {"dir": "d", "yaml_file": "f:*.yaml"}.get(kind, "f")
    patterns = {"bash": f"_pocketrec_{kind}", "zsh": f"_pocketrec_{kind}", "tcsh": tcsh}
    action.complete = patterns  # type: ignore[attr-defined]


def _bash() -> str:
    suffixes = "|".join(_YAML_SUFFIXES)
    return f"""\
_pocketrec_file() {{ compgen -f -- "$1"; }}
_pocketrec_dir() {{ compgen -d -- "$1"; }}
_pocketrec_yaml_file() {{
  compgen -f -- "$1" | grep -E '\\.({suffixes})$'
  compgen -d -- "$1"
}}
_pocketrec_datasets_or_file() {{
  compgen -W "{" ".join(DATASETS)}" -- "$1"
  compgen -f -- "$1"
}}
_pocketrec_studies_or_file() {{
  compgen -W "{" ".join(STUDIES)}" -- "$1"
  _pocketrec_yaml_file "$1"
}}
_pocketrec_models_or_dir() {{
  compgen -W "{" ".join(_MODELS)}" -- "$1"
  compgen -d -- "$1"
}}
_pocketrec_runs() {{
  local place=workspace word previous=
  for word in "${{COMP_WORDS[@]}}"; do
    [[ $previous == --workspace ]] && place=$word
    previous=$word
  done
  compgen -W "$(cd "$place/runs" 2>/dev/null && printf '%s\\n' *.json | sed 's/\\.json$//')" -- "$1"
}}"""


def _zsh() -> str:
    suffixes = "|".join(_YAML_SUFFIXES)

    def either(kind: str, names: Sequence[str], rest: str) -> str:
        return f"_pocketrec_{kind}() {{ compadd {' '.join(names)}; {rest} }}"

    return "\n".join(
        [
            "_pocketrec_file() { _files }",
            "_pocketrec_dir() { _files -/ }",
            f"_pocketrec_yaml_file() {{ _files -g '*.({suffixes})' }}",
            either("datasets_or_file", DATASETS, "_files"),
            either("studies_or_file", STUDIES, "_pocketrec_yaml_file"),
            either("models_or_dir", _MODELS, "_files -/"),
            """\
_pocketrec_runs() {
  local place=${words[${words[(i)--workspace]} + 1]:-workspace}
  compadd -- $place/runs/*.json(N:t:r)
}""",
        ]
    )
