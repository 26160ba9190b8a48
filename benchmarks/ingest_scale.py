"""How time and memory of MovieLensExampleGen grow with the number of ratings.

Each size runs in a process of its own, so that its peak memory is its own; what is timed is the
executor alone, from the generated CSV files to the finished splits, without imports.

    .venv/bin/python -m benchmarks.ingest_scale

writes `benchmarks/results/ingest_scale.json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.results import write_result
from pipeline.config.data import DataConfig
from pipeline.datasets.generator import generate

RATINGS_A_USER = 154
MOVIES = 62_000
"""Both as in the release of 25 million ratings."""

_SEED = 7


@dataclasses.dataclass(frozen=True)
class Result:
    """One size.

    Attributes:
        ratings: Rows in the ratings file.
        users: Users in it.
        seconds: Wall time of the executor.
        cpu_seconds: Its processor time, over all threads: steadier than the wall time where the
            machine has other work.
        ratings_per_second: Ratings by wall time.
        peak_rss_mib: Highest memory of the process, imports included.
        base_rss_mib: Memory after the imports, before the executor.
        output_mib: Size of the written splits.
    """

    ratings: int
    users: int
    seconds: float
    cpu_seconds: float
    ratings_per_second: float
    peak_rss_mib: float
    base_rss_mib: float
    output_mib: float


def measure(release: Path, output: Path, config: str) -> Result:
    """Runs the executor once, in this process.

    Args:
        release: Folder of the release.
        output: Folder for the splits.
        config: A `DataConfig` as JSON.
    """
    # Here, not above: the parent process generates data and needs no TFX.
    from tfx.types import standard_artifacts

    from components.movielens_example_gen.component import MovieLensExampleGen
    from components.movielens_example_gen.executor import Executor

    component = MovieLensExampleGen(str(release), config, source_hash="benchmark")
    artifact = standard_artifacts.Examples()
    artifact.uri = str(output)
    base = _peak_mib()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    Executor(Executor.Context()).Do({}, {"examples": [artifact]}, component.exec_properties)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - begin_cpu
    ratings = artifact.get_int_custom_property("ratings_read")
    return Result(
        ratings=ratings,
        users=artifact.get_int_custom_property("users"),
        seconds=round(seconds, 2),
        cpu_seconds=round(cpu_seconds, 2),
        ratings_per_second=round(ratings / seconds),
        peak_rss_mib=round(_peak_mib(), 1),
        base_rss_mib=round(base, 1),
        output_mib=round(sum(f.stat().st_size for f in output.rglob("*.gz")) / 2**20, 1),
    )


def _peak_mib() -> float:
    # Linux counts in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measures every size and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--ratings", type=int, nargs="+", default=[1_000_000, 5_000_000, 25_000_000]
    )
    parser.add_argument("--work", type=Path, help="folder for the data; default: temporary")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="ingest-scale-"))
    config = DataConfig().model_dump_json()
    results = []
    # `spawn`: a forked child would begin with the parent's memory.
    context = multiprocessing.get_context("spawn")
    try:
        for ratings in arguments.ratings:
            release = generate(
                work / f"ratings-{ratings}",
                users=max(ratings // RATINGS_A_USER, 1),
                movies=MOVIES,
                ratings=ratings,
                seed=_SEED,
            )
            output = work / f"examples-{ratings}"
            shutil.rmtree(output, ignore_errors=True)
            with context.Pool(1) as pool:
                result = pool.apply(measure, (release, output, config))
            shutil.rmtree(output)
            print(json.dumps(dataclasses.asdict(result)), flush=True)
            results.append(dataclasses.asdict(result))
    finally:
        if arguments.work is None:
            shutil.rmtree(work)
    write_result("ingest_scale", results)


if __name__ == "__main__":
    main()
