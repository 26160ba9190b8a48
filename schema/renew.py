"""Proposes a schema that new data fits: `python -m schema.renew --statistics DIR --output FILE`.

It starts from the curated schema and loosens what the statistics contradict, prints every change
as a diff, and leaves the decision to a person: bad data would loosen the schema just as well.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipeline.errors import DataError, PocketRecError

CURATED = Path(__file__).resolve().parent / "schema.pbtxt"

_STATISTICS_FILE = "FeatureStats.pb"
_HEADER = """\
# What a timeline must look like: see modules/features.py for the meaning of each feature,
# and README.md in this folder for how to renew this file.

"""


def renew(
    schema: schema_pb2.Schema, statistics: Sequence[statistics_pb2.DatasetFeatureStatisticsList]
) -> schema_pb2.Schema:
    """Returns `schema`, loosened so that none of the statistics contradicts it."""
    for split in statistics:
        schema = tfdv.update_schema(schema, split)
    return schema


def read_statistics(folder: Path) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Reads StatisticsGen's output, by split; splits without examples are left out.

    Raises:
        DataError: The folder holds no statistics.
    """
    found = {
        file.parent.name.removeprefix("Split-"): tfdv.load_stats_binary(str(file))
        for file in sorted(folder.glob(f"Split-*/{_STATISTICS_FILE}"))
    }
    filled = {
        split: statistics
        for split, statistics in found.items()
        if any(dataset.num_examples for dataset in statistics.datasets)
    }
    if not filled:
        raise DataError(
            f"{folder}: holds no statistics of examples (Split-*/{_STATISTICS_FILE}); give the "
            "`statistics` artifact of StatisticsGen, in the workspace under "
            "artifacts/statistics_gen/statistics/<number>"
        )
    return filled


def write_schema(schema: schema_pb2.Schema, output: Path) -> None:
    """Writes a schema with the header of the curated one; the file is whole or not there."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(_HEADER + _text(schema))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _text(schema: schema_pb2.Schema) -> str:
    return str(text_format.MessageToString(schema))


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads statistics, prints the changes and writes the proposed schema."""
    parser = argparse.ArgumentParser(prog="python -m schema.renew", description=__doc__)
    parser.add_argument(
        "--statistics", type=Path, required=True, help="folder of StatisticsGen's output"
    )
    parser.add_argument("--output", type=Path, required=True, help="file for the proposed schema")
    parser.add_argument(
        "--schema", type=Path, default=CURATED, help="schema to start from (default: the curated)"
    )
    options = parser.parse_args(arguments)
    try:
        curated = tfdv.load_schema_text(str(options.schema))
        before = _text(curated)
        renewed = renew(curated, list(read_statistics(options.statistics).values()))
        write_schema(renewed, options.output)
    except (PocketRecError, OSError, text_format.ParseError) as error:
        print(f"schema.renew: {error}", file=sys.stderr)
        return 2
    changes = difflib.unified_diff(
        before.splitlines(), _text(renewed).splitlines(), str(options.schema), str(options.output)
    )
    lines = list(changes)
    print("\n".join(line.rstrip("\n") for line in lines) or "no change: the data fits the schema")
    return 0


if __name__ == "__main__":
    sys.exit(main())
