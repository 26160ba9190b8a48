"""How time and memory of the steps on Beam grow with the number of ratings.

    .venv/bin/python -m benchmarks.beam_scale
    .venv/bin/python -m tools.flink start
    .venv/bin/python -m benchmarks.beam_scale --flink --ratings 1000000 5000000

Each size is generated, runs from the release to the windows in a process of its own, and leaves one
record a step. Sampled are the memory and the processor time of that process, of its children and,
with `--flink`, of the local cluster's processes. Writes `results/beam_scale_local.json`, or
`_flink.json`, or `_NAME.json`, after every size.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.ingest_scale import MOVIES, RATINGS_A_USER
from benchmarks.results import write_result
from pipeline.config.root import CONFIGS_DIR, load_config
from pipeline.config.select import RELEASE_CONFIG
from pipeline.datasets.generator import generate
from pipeline.lineage import Lineage, Run, Step
from pipeline.workspace import Workspace
from tools.flink.cluster import DEFAULT_FOLDER, Cluster
from tools.flink.errors import ClusterError

STEPS = ("movielens_example_gen", "statistics_gen", "transform")
SAMPLE_SECONDS = 0.25

_SEED = 7


@dataclasses.dataclass(frozen=True)
class Sample:
    """What the processes held and had used at one time.

    Attributes:
        at: Seconds since 1970 UTC.
        resident: Bytes, summed over the processes; pages that they share count in each.
        processor: Seconds of all threads so far.
        load: The machine's load average of the last minute, with whatever else runs on it.
    """

    at: float
    resident: int
    processor: float
    load: float


def sample(roots: Sequence[psutil.Process]) -> Sample:
    """Looks at processes and all their descendants; those that just ended are left out."""
    at = time.time()
    resident, processor = 0, 0.0
    for root in roots:
        try:
            members = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for member in members:
            try:
                with member.oneshot():
                    times = member.cpu_times()
                    resident += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            # A process that ended counts in its parent's `children_*` from then on.
            processor += times.user + times.system + times.children_user + times.children_system
    return Sample(at, resident, processor, os.getloadavg()[0])


def of_step(step: Step, samples: Sequence[Sample]) -> dict[str, Any]:
    """Returns one record: what a step took, and the highest memory while it ran.

    Args:
        step: As ML Metadata knows it.
        samples: Of the whole run, by ascending time.
    """
    begin = step.started / 1000
    end = begin + step.seconds if step.state == "done" else samples[-1].at
    during = [one for one in samples if begin - SAMPLE_SECONDS <= one.at <= end + SAMPLE_SECONDS]
    during = during or [min(samples, key=lambda one: abs(one.at - begin))]
    return {
        "step": step.node_id,
        "state": step.state,
        "seconds": round(end - begin, 1),
        # Never below zero: a worker that ends and is not yet its parent's takes its time along.
        "processor_seconds": round(max(one.processor for one in during) - during[0].processor, 1),
        "peak_resident_gib": round(max(one.resident for one in during) / 2**30, 2),
        "load_average": round(statistics.fmean(one.load for one in during), 1),
    }


def measure(
    release: Path,
    work: Path,
    arguments: argparse.Namespace,
    beam_args: Sequence[str],
    cluster: Sequence[psutil.Process],
) -> dict[str, Any]:
    """Runs one size to the windows and returns its record.

    Args:
        release: Folder of the release.
        work: Gets the workspace, which is removed at the end.
        arguments: See `main`.
        beam_args: Pipeline options.
        cluster: Processes beside the run's own.
    """
    folder = work / f"workspace-{release.name}"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.beam_scale", "--child", str(release), str(folder)]
    command += ["--config", str(arguments.config), "--beam-args", json.dumps(beam_args)]
    begin = time.monotonic()
    child = subprocess.Popen(command, start_new_session=True)
    roots = [psutil.Process(child.pid), *cluster]
    samples, ended = [sample(roots)], ""
    try:
        while child.poll() is None and not ended:
            time.sleep(SAMPLE_SECONDS)
            samples.append(sample(roots))
            if samples[-1].resident > arguments.memory_gib * 2**30:
                ended = f"stopped: more than {arguments.memory_gib:g} GiB"
    finally:
        # Nor does a run outlive the one who measures it.
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    status = child.wait()
    run = Lineage(Workspace.at(folder).metadata_db).read()
    record = {
        "seconds": round(time.monotonic() - begin, 1),
        "ended": ended or ("whole" if status == 0 else "failed"),
        "steps": [of_step(step, samples) for step in run.steps if step.node_id in STEPS],
        "output_mib": _output_mib(run),
    }
    shutil.rmtree(folder)
    return record


def _output_mib(run: Run) -> dict[str, float]:
    sizes = {}
    for node, key in ((STEPS[0], "examples"), (STEPS[2], "transformed_examples")):
        artifact = run.output(node, key)
        if artifact is not None:
            files = [path for path in artifact.path.rglob("*") if path.is_file()]
            sizes[key] = round(sum(path.stat().st_size for path in files) / 2**20, 1)
    return sizes


def running_cluster() -> tuple[list[str], list[psutil.Process]]:
    """Returns the options that run a pipeline on the local Flink cluster, and its processes.

    Raises:
        ClusterError: It does not run.
    """
    cluster = Cluster(DEFAULT_FOLDER / "cluster", DEFAULT_FOLDER / "packages", print)
    status = cluster.status()
    if not status.whole or status.settings is None:
        raise ClusterError("--flink: no cluster runs; start it: python -m tools.flink start")
    return status.settings.beam_args(), list(cluster.processes.running().values())


def run_child(release: Path, folder: Path, config_file: Path, beam_args: str) -> int:
    """Runs the steps in this process; the exit status says whether all ended."""
    from pipeline.local_runner import run_locally

    overrides = [f"dataset={json.dumps(str(release))}", f"runtime.beam_args={beam_args}"]
    config = load_config(config_file, overrides)
    outcome = run_locally(config, Workspace.at(folder), data_only=True)
    if outcome.failed_step is not None:
        print(f"FAILED at {outcome.failed_step}: {outcome.error}", file=sys.stderr)
    return int(outcome.failed_step is not None)


def main() -> int:
    """Measures every size and writes the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flink", action="store_true", help="on the local Flink cluster")
    parser.add_argument("--config", type=Path, default=CONFIGS_DIR / RELEASE_CONFIG)
    parser.add_argument(
        "--ratings", type=int, nargs="+", default=[1_000_000, 5_000_000, 25_000_000]
    )
    parser.add_argument("--work", type=Path, help="folder for the data; default: temporary")
    parser.add_argument(
        "--memory-gib", type=float, default=10.0, help="a run that holds more is stopped"
    )
    parser.add_argument("--name", help="of the result, instead of the runner's")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--beam-args", default="[]", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        release, folder = arguments.child
        return run_child(release, folder, arguments.config, arguments.beam_args)
    beam_args, cluster = running_cluster() if arguments.flink else ([], [])
    idle = sample(cluster).resident
    work = arguments.work or Path(tempfile.mkdtemp(prefix="beam-scale-"))
    sizes: list[dict[str, Any]] = []
    try:
        for ratings in arguments.ratings:
            users = max(ratings // RATINGS_A_USER, 1)
            release = generate(
                work / f"ratings-{ratings}",
                users=users,
                movies=MOVIES,
                ratings=ratings,
                seed=_SEED,
            )
            record = measure(release, work, arguments, beam_args, cluster)
            sizes.append({"ratings": ratings, "users": users, **record})
            print(json.dumps(sizes[-1]), flush=True)
            write_result(
                f"beam_scale_{arguments.name or ('flink' if arguments.flink else 'local')}",
                {
                    "processors": len(os.sched_getaffinity(0)),
                    "cluster_idle_gib": round(idle / 2**30, 2),
                    "sizes": sizes,
                },
            )
    finally:
        if arguments.work is None:
            shutil.rmtree(work)
    return int(any(size["ended"] != "whole" for size in sizes))


if __name__ == "__main__":
    sys.exit(main())
