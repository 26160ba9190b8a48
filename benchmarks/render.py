"""Renders `docs/benchmarks.md` and `docs/studies/` from the JSON in `results/`.

.venv/bin/python -m benchmarks.render
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.results import read_results
from pipeline.sweep.render import write_rendered
from pipeline.text_file import write_text

TARGET = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
STUDIES = TARGET.parent / "studies"
STUDY_PREFIX = "sweep_"
HEADER = """\
# Benchmarks

Rendered by `.venv/bin/python -m benchmarks.render` from `benchmarks/results/*.json`; do not edit.
Two virtual cores, shared with other work, unless a table says otherwise: compare figures within a
table.
"""


def pipeline_runs(results: Iterable[tuple[str, Any]]) -> str:
    """Returns one table for each measured run: its steps, their seconds, and the whole."""
    parts = []
    for name, result in results:
        rows = [[step["step"], step["state"], step["seconds"]] for step in result["steps"]]
        rows.append(["whole command", f"exit {result['exit_status']}", result["seconds"]])
        parts.append(
            f"### {name}\n\n"
            f"`pocketrec run {' '.join(result['arguments'])}`; peak resident memory of the process "
            f"tree {result['peak_resident_gib']} GiB.\n\n"
            + tabulate(rows, ["step", "state", "seconds"], tablefmt="github")
        )
    return "\n\n".join(parts)


def records(rows: Sequence[dict[str, Any]]) -> str:
    """Returns a table of records that share their keys, in the first one's order."""
    keys = list(rows[0])
    return tabulate([[row[key] for key in keys] for row in rows], keys, tablefmt="github")


def training_speed(result: dict[str, Any]) -> str:
    """Returns what a plain version and ours take for an epoch, and for updates by length."""
    sides = [
        [side, result[f"{name}_epoch_seconds"], result[f"{name}_peak_gib"]]
        for side, name in (("plain TensorFlow", "plain"), ("PocketRec", "ours"))
    ]
    return (
        "`.venv/bin/python -m benchmarks.training_speed`: processor seconds of one thread for an "
        "epoch of the same updates, made in turns; "
        f"two blocks, dim 64, N = 200, full softmax over {result['movies']:,} movies, "
        f"{result['windows']:,} windows, {result['targets']:,} targets, batches of 128. The yard"
        "stick is `benchmarks/plain_sasrec.py`. Without dropout the losses of the two differ by "
        f"{result['largest_loss_difference']:.0e} of their size at most.\n\n"
        + tabulate(sides, ["", "epoch, seconds", "peak memory, GiB"], tablefmt="github")
        + f"\n\nRatio: **{result['ratio']}**. Mean milliseconds of an update by the length that "
        "ours cuts windows to; putting batches together takes ours "
        f"{result['preparing_seconds']} s an epoch more.\n\n" + records(result["rows"])
    )


def beam_scale(results: Mapping[str, Any]) -> str:
    """Returns what the steps on Beam took by number of ratings, and what a million more adds.

    Args:
        results: Of `beam_scale`, by runner.
    """
    columns = ["ratings", "step", "runner", "seconds", "processor s", "peak GiB", "load average"]
    keys = ("seconds", "processor_seconds", "peak_resident_gib", "load_average")
    rows = [
        [f"{size['ratings']:,}", step["step"], runner] + [step.get(key, "") for key in keys]
        for runner, result in results.items()
        for size in result["sizes"]
        for step in size["steps"]
        if step["state"] == "done"
    ]
    rows.sort(key=lambda row: (int(row[0].replace(",", "")), row[1]))
    growth = [
        [step, runner, f"{low:,}", f"{high:,}", processor]
        for runner, result in results.items()
        # A cluster's fixed costs vary by more than these sizes differ in.
        if not runner.startswith("flink")
        for step, low, high, processor in _growth(result["sizes"])
    ]
    table = tabulate(rows, columns, tablefmt="github")
    if not growth:
        return table
    return (
        f"{table}\n\nWhat a million ratings more take, between the two largest sizes:\n\n"
        + tabulate(
            growth, ["step", "runner", "from", "to", "processor s a million"], tablefmt="github"
        )
    )


def _growth(sizes: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int, float]]:
    whole = sorted(
        (size for size in sizes if size["ended"] == "whole"), key=lambda size: size["ratings"]
    )
    if len(whole) < 2:
        return []
    low, high = whole[-2:]
    millions = (high["ratings"] - low["ratings"]) / 1e6
    return [
        (
            before["step"],
            low["ratings"],
            high["ratings"],
            round((after["processor_seconds"] - before["processor_seconds"]) / millions, 2),
        )
        for before, after in zip(low["steps"], high["steps"], strict=True)
    ]


def warm_start(result: dict[str, Any]) -> str:
    """Returns recall by epoch, of a model from new weights and of one from an earlier span's."""
    reached = result["warm_reaches_cold_best_at"]
    outcome = "does not reach that" if reached is None else f"is there after epoch {reached}"
    return (
        f"`.venv/bin/python -m benchmarks.warm_start --dataset {result['dataset']} --share "
        f"{result['share']} --seed {result['seed']}`: recall@10 of the eval split by epoch. The "
        f"earlier span has {result['share']:.0%} of the ratings, {result['users'][0]:,} of "
        f"{result['users'][1]:,} users and {result['movies'][0]:,} of {result['movies'][1]:,} "
        "movies. From new weights the best recall@10 is "
        f"{result['cold_best']} after epoch {result['cold_best_epoch']}; a warm start {outcome}, "
        f"and comes to {result['warm_best']}.\n\n" + records(result["rows"])
    )


def demo(result: Mapping[str, Any]) -> str:
    """Returns what the browser demo loads, and what its answers take by variant."""
    return (
        "`.venv/bin/python -m benchmarks.demo --bundle ...`: the app itself, in headless "
        f"{result['browser']} on the machine that serves it; {result['dataset']}, "
        f"{result['movies']:,} movies, N = {result['history_length']}; load average "
        f"{result['load_average']}. From the start of a first visit to the first recommendation: "
        f"**{result['first_recommendation_seconds']} s** (median of {result['visits']}; the "
        f"slowest {result['slowest_first_recommendation_seconds']} s). What such a visit loads "
        "before it:\n\n"
        + records(result["parts"])
        + f"\n\nMilliseconds of an inference over {result['taps']:,} taps:\n\n"
        + records(result["rows"])
    )


def ladder(result: Mapping[str, Any]) -> str:
    """Returns what each variant of each encoder takes, one table a figure."""
    rows = result["rows"]
    figures = {
        "Bytes of the file": ("bytes", "{:,}"),
        "Milliseconds of a recommendation, median": ("latency_ms", "{:.3f}"),
        "Memory, kB": ("memory_bytes", "{:,.0f}"),
        "Share of the SavedModel's first ten that is shown too": ("top10_overlap", "{:.3f}"),
        "Recall@10 of the eval split": ("recall_at_10", "{:.4f}"),
    }
    parts = [
        "`.venv/bin/python -m benchmarks.ladder --trained WORKSPACE`: models with cosine scores of "
        f"{result['movies']:,} movies, dim {result['dim']}, N = {result['history']}, the best 100 "
        "of which the graph returns; one thread; load average of the machine "
        f"{result['load_average']}. Encoders are untrained but for the one that says so: their "
        "random weights are harder to round than trained ones. Memory is how much the peak of a "
        "process's resident memory grows by loading the file and answering once, with some "
        "megabytes of the interpreter's own code."
    ]
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    for title, (key, form) in figures.items():
        by_model: dict[str, dict[str, str]] = {}
        for row in rows:
            if row[key] is not None:
                value = row[key] / 1000 if key == "memory_bytes" else row[key]
                by_model.setdefault(row["model"], {})[row["variant"]] = form.format(value)
        table = [
            [name, *(by_variant.get(variant, "-") for variant in variants)]
            for name, by_variant in by_model.items()
        ]
        if table:
            columns = ["model", *variants]
            parts.append(
                f"{title}:\n\n"
                + tabulate(
                    table,
                    columns,
                    tablefmt="github",
                    disable_numparse=True,
                    colalign=("left", *["right"] * len(variants)),
                )
            )
    return "\n\n".join(parts)


def build() -> str:
    """Returns the document, with a section for each result that has been measured."""
    sections = [HEADER]
    runs = read_results("pipeline_run_*")
    if runs:
        sections.append(
            "## Whole runs\n\n`.venv/bin/python -m benchmarks.pipeline_run --name NAME --workspace "
            "NEW -- ...`, cold.\n\n"
            + pipeline_runs((name.removeprefix("pipeline_run_"), run) for name, run in runs.items())
        )
    for ingest in read_results("ingest_scale").values():
        sections.append(
            "## Ingest of generated ratings\n\n`.venv/bin/python -m benchmarks.ingest_scale`: "
            "MovieLensExampleGen's executor alone, one process a size.\n\n" + records(ingest)
        )
    beam = {
        name.removeprefix("beam_scale_").replace("_", ", "): result
        for name, result in sorted(
            read_results("beam_scale_*").items(), key=lambda item: ("flink" in item[0], item[0])
        )
    }
    if beam:
        sections.append(
            "## Steps on Beam by number of ratings\n\n`.venv/bin/python -m benchmarks.beam_scale`, "
            "with `--flink` on the local cluster of [beam.md](beam.md), which also says what the "
            "figures mean. Processor seconds and the highest resident memory are sums over all "
            "processes: the run's own and, on Flink, the cluster's and the Python workers', which "
            "count shared pages once each. The load average counts what else ran on the machine's "
            "two processors; it was below 5 where it was not recorded.\n\n" + beam_scale(beam)
        )
    for name, latency in read_results("device_latency*").items():
        sections.append(
            f"## {name.replace('_', ' ').capitalize()}\n\n"
            "`.venv/bin/python -m benchmarks.device_latency`: milliseconds of one recommendation, "
            f"{latency['threads']} thread of LiteRT, {latency['invocations']:,} invocations, load "
            f"average of the machine {latency['load_average']:.1f}.\n\n" + records(latency["rows"])
        )
    for result in read_results("ladder").values():
        sections.append("## The quantization ladder\n\n" + ladder(result))
    for result in read_results("item_tables_*").values():
        sections.append(
            f"## Item tables of {result['movies']:,} movies\n\n"
            f"`.venv/bin/python -m benchmarks.item_tables --movies {result['movies']}`: files of "
            "one encoder, a mixer of three blocks that share their weights, dim 64, "
            f"N = {result['history']}, untrained; one thread; {result['rounds']} rounds in which "
            f"each file answers {result['invocations']} times, load average of the machine "
            f"{result['load_average']}.\n\n" + records(result["rows"])
        )
    for result in read_results("demo").values():
        sections.append("## The demo in a browser\n\n" + demo(result))
    for speed in read_results("loss_speed").values():
        sections.append(
            "## Losses in training\n\n`.venv/bin/python -m benchmarks.loss_speed`: processor "
            "milliseconds of a loss with its gradients, one thread, XLA, "
            f"{speed['positions']:,} positions of width {speed['dim']}.\n\n"
            + records(speed["rows"])
        )
    for speed in read_results("training_speed").values():
        sections.append("## An epoch of SASRec\n\n" + training_speed(speed))
    for start in read_results("warm_start").values():
        sections.append("## Warm start\n\n" + warm_start(start))
    studies = read_results(f"{STUDY_PREFIX}*")
    if studies:
        names = [name.removeprefix(STUDY_PREFIX) for name in studies]
        sections.append(
            "## Studies\n\n`pocketrec sweep NAME --output benchmarks/results/sweep_NAME.json`:\n\n"
            + "\n".join(f"- [{name}]({STUDIES.name}/{name}.md)" for name in names)
        )
    return "\n\n".join(section.strip() for section in sections) + "\n"


def main() -> None:
    """Writes `docs/benchmarks.md` and a document with a plot for each study."""
    write_text(TARGET, build())
    for name, study in read_results(f"{STUDY_PREFIX}*").items():
        write_rendered(study, STUDIES, name.removeprefix(STUDY_PREFIX))


if __name__ == "__main__":
    main()
