"""A step of open-source Kubeflow Pipelines: which release lies at the address now.

Runs under `kubeflow.entrypoint` with the settings of ingestion, and puts out as a parameter what
ingestion's driver would ask a cache with.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.movielens_example_gen import driver
from kubeflow.caching import FINGERPRINT_OUTPUT


def release_fingerprint(properties: Mapping[str, Any]) -> str:
    """Identifies what ingestion would read: spans and content.

    Args:
        properties: Execution properties of `MovieLensExampleGen`.

    Raises:
        DataError: There is no release.
    """
    return json.dumps(driver.look(properties).as_properties(), sort_keys=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the invocation and writes the output parameter's file.

    Args:
        arguments: Of the container; default: this process's.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--json_serialized_invocation_args", required=True)
    known, _ = parser.parse_known_args(arguments)
    invocation = json.loads(known.json_serialized_invocation_args)
    found = release_fingerprint(invocation["inputs"]["parameterValues"])
    file = Path(invocation["outputs"]["parameters"][FINGERPRINT_OUTPUT]["outputFile"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(found, encoding="utf-8")
    logging.getLogger(__name__).info("%s", found)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    main()
