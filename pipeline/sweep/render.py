"""A study's results as Markdown and as a plot: equal results give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from components.reference_ranks.popularity import SEGMENTS
from pipeline.config.sweep import CASE
from pipeline.sweep import frontier
from pipeline.sweep.drawing import COLOURS, MARKERS, style, svg
from pipeline.sweep.space import show
from pipeline.text_file import write_text

Results = Mapping[str, Any]
Trial = Mapping[str, Any]

_ENCODER, _HISTORY = "model.encoder", "history"
_OWN_COLUMNS = (_ENCODER, f"{_ENCODER}.name", _HISTORY, f"{_HISTORY}.length")
_KB = 1000
_PEAK = "train_peak_gib"


def markdown(results: Results, plot_file: str | None = None) -> str:
    """Returns the document of a study.

    Args:
        results: As `results.build` returns them.
        plot_file: Name of the plot's file, None where there is none.
    """
    done = [trial for trial in results["trials"] if trial["state"] == "done"]
    parts = [f"# Study {results['study']}", _introduction(results)]
    if done:
        split = _split(results)
        if _varies(done, "history") and _varies(done, "label"):
            parts.append(f"## Recall@10 on {split} by history length\n\n{_pivot(done, split)}")
        if plot_file is not None:
            parts.append(f"![Recall@10 on {split}]({plot_file})")
        if results.get("budgets"):
            title = f"## Recall@10 on {split} within a budget, chosen on eval"
            parts.append(f"{title}\n\n{frontier.table(results)}")
        parts.append(f"## All trials\n\n{_table(results, done)}")
        by_popularity = _segments(done, split)
        if by_popularity:
            title = f"## Recall@10 on {split} by the target's popularity"
            parts.append(f"{title}\n\n{by_popularity}")
    if results.get("cases"):
        parts.append(f"## Cases\n\n{_cases(results)}")
    failed = [trial for trial in results["trials"] if trial["state"] == "failed"]
    if failed:
        rows = [[t["trial"], _parameters(t), t["error"].splitlines()[0]] for t in failed]
        table = tabulate(rows, ["trial", "parameters", "what happened"], tablefmt="github")
        parts.append(f"## Failed\n\n{table}")
    return "\n\n".join(parts) + "\n"


def plot(results: Results) -> str | None:
    """Draws recall@10 over the history length, one line an encoder, or over the trials.

    A study with budgets is drawn over bytes instead.

    Args:
        results: As `results.build` returns them.

    Returns:
        An SVG file's content; None where no trial is done.
    """
    done = [trial for trial in results["trials"] if trial["state"] == "done"]
    if not done:
        return None
    if results.get("budgets"):
        return frontier.plot(results)
    # Slow to import, and needed only where there is something to draw.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    key = f"{_split(results)}.recall_at_10"
    by_length = _varies(done, "history")
    with mpl.rc_context(style(results["study"])):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        lengths = sorted({trial["history"] for trial in done})
        for index, label in enumerate(dict.fromkeys(_value(trial, "label") for trial in done)):
            own = [trial for trial in done if _value(trial, "label") == label]
            places = [trial["history" if by_length else "trial"] for trial in own]
            order = sorted(range(len(own)), key=lambda i: places[i])
            axes.errorbar(
                [places[i] for i in order],
                [own[i]["mean"][key] for i in order],
                yerr=[own[i]["spread"][key] for i in order] if len(results["seeds"]) > 1 else None,
                label=label,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=4,
                linestyle="-" if by_length else "none",
                linewidth=1.4,
                capsize=2,
            )
        if by_length:
            axes.set_xscale("log", base=2)
            axes.set_xticks(lengths, [str(length) for length in lengths])
            axes.minorticks_off()
        axes.set_xlabel("events of history (N)" if by_length else "trial")
        axes.set_ylabel(f"recall@10 on {_split(results)}")
        if _varies(done, "label"):
            axes.legend(frameon=False)
        return svg(figure)


def write_rendered(content: Mapping[str, Any], folder: Path, stem: str) -> list[Path]:
    """Writes the table, and the plot where there is something to draw.

    Args:
        content: The results.
        folder: Where the files go.
        stem: Their name without the ending.

    Returns:
        The files.
    """
    drawing = plot(content)
    files = [folder / f"{stem}.md"]
    if drawing is not None:
        files.append(folder / f"{stem}.svg")
        write_text(files[1], drawing)
    write_text(files[0], markdown(content, f"{stem}.svg" if drawing else None))
    return files


def _introduction(results: Results) -> str:
    trials = results["trials"]
    seeds = ", ".join(str(seed) for seed in results["seeds"])
    several = len(results["seeds"]) > 1
    lines = [
        f"Rendered from the study's results; do not edit. {len(trials)} of {results['total']} "
        f"trials are over, {sum(trial['state'] == 'failed' for trial in trials)} of them failed.",
        f"Search: {results['search']}; seed{'s' * several} {seeds}"
        + ("; figures are means, ± the standard deviation of a sample." if several else "."),
        f"Epochs and settings are chosen by {results['objective'].replace('_at_', '@')} on eval"
        + (", never on test, which is reported only." if results["report_test"] else "."),
        "Metrics rank the full catalogue without the movies that a user has seen. The latency is "
        "the median of one call of a file on one thread.",
    ]
    if _is_gzipped([trial for trial in trials if trial["state"] == "done"]):
        lines.append("Files ship gzipped; unless it says unzipped, a size is that of what ships.")
    if results["best"] is not None:
        best = next(trial for trial in trials if trial["trial"] == results["best"])
        lines.append(f"Best: trial {best['trial']} ({_parameters(best)}).")
    return "\n".join(lines)


def _pivot(done: Sequence[Trial], split: str) -> str:
    """The best trial of each encoder and length: where more than these two vary, there are more."""
    lengths = sorted({trial["history"] for trial in done})
    key = f"{split}.recall_at_10"
    rows = []
    for label in dict.fromkeys(_value(trial, "label") for trial in done):
        row = [label]
        for length in lengths:
            values = [
                trial
                for trial in done
                if _value(trial, "label") == label and trial["history"] == length
            ]
            # By eval, whichever split is shown.
            best = max(values, key=lambda trial: trial["mean"]["eval.recall_at_10"], default=None)
            row.append("" if best is None else _figure(best, key))
        rows.append(row)
    headers = ["encoder", *(f"N={length}" for length in lengths)]
    return _aligned(rows, headers)


def _table(results: Results, done: Sequence[Trial]) -> str:
    cases = [CASE] if results.get("cases") else []
    further = cases + [key for key in results["parameters"] if key not in _OWN_COLUMNS]
    if _HISTORY in results["parameters"]:
        kinds = {(show(trial["parameters"][_HISTORY]), trial["history"]) for trial in done}
        if len({length for _, length in kinds}) < len(kinds):
            further.append(_HISTORY)
    splits = ["eval", "test"] if results["report_test"] else ["eval"]
    columns = {
        f"{split} {metric.replace('_at_', '@').replace('ndcg', 'NDCG')}": f"{split}.{metric}"
        for split in splits
        for metric in ("recall_at_10", "ndcg_at_10")
    }
    variants = results.get("variants", ["int8"])
    memory = ["peak GiB"] if all(_PEAK in trial["mean"] for trial in done) else []
    columns |= {
        f"{variant} {split} recall@10": f"{variant}.{split}.recall_at_10"
        for variant in variants
        for split in splits
    }
    rows = [
        [
            str(trial["trial"]),
            _value(trial, "label"),
            str(trial["history"]),
            *(show(trial["parameters"][key]) for key in further),
            *(_figure(trial, key) for key in columns.values()),
            *(f"{trial['mean'][f'{variant}.bytes'] / _KB:.0f}" for variant in variants),
            *(f"{trial['mean'][f'{variant}.latency_ms']:.3f}" for variant in variants),
            f"{trial['mean']['train_seconds'] / 60:.1f}",
            *(f"{trial['mean'][_PEAK]:.1f}" for _ in memory),
        ]
        for trial in done
    ]
    headers = ["trial", "encoder", "N", *further, *columns]
    headers += [f"{variant} kB" for variant in variants]
    headers += [f"{variant} ms" if len(variants) > 1 else "latency ms" for variant in variants]
    return _aligned(rows, [*headers, "training min", *memory])


def _segments(done: Sequence[Trial], split: str) -> str:
    """A row a file; nothing where results are of before segments were told apart."""
    rows = []
    sizes = {"kB": "bytes"} | ({"kB unzipped": "unzipped_bytes"} if _is_gzipped(done) else {})
    for trial in done:
        mean = trial["mean"]
        prefixes = {"float32, as trained": split} | {
            name: f"{name}.{split}" for name in frontier.files_of(trial)
        }
        rows += [
            [
                str(trial["trial"]),
                trial["parameters"].get(CASE, _value(trial, "label")),
                file,
                *(
                    f"{mean[f'{file}.{size}'] / _KB:.0f}" if f"{file}.{size}" in mean else ""
                    for size in sizes.values()
                ),
                *(
                    _figure(trial, key) if key in mean else ""
                    for key in (
                        f"{prefix}.{part}recall_at_10"
                        for part in ("", *(f"segments.{name}." for name in SEGMENTS))
                    )
                ),
            ]
            for file, prefix in prefixes.items()
            if any(key.startswith(f"{prefix}.segments.") for key in mean)
        ]
    return _aligned(rows, ["trial", "case", "file", *sizes, "all", *SEGMENTS]) if rows else ""


def _is_gzipped(done: Sequence[Trial]) -> bool:
    """Whether files ship in fewer bytes than they have when they run."""
    return any(
        trial["mean"].get(f"{file}.unzipped_bytes", trial["mean"][f"{file}.bytes"])
        != trial["mean"][f"{file}.bytes"]
        for trial in done
        for file in frontier.files_of(trial)
    )


def _cases(results: Results) -> str:
    rows = [
        [name, ", ".join(f"`{key}`: {show(value)}" for key, value in settings.items())]
        for name, settings in results["cases"].items()
    ]
    return _aligned(rows, ["case", "settings"])


def _aligned(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _figure(trial: Trial, key: str) -> str:
    mean, spread = trial["mean"][key], trial["spread"][key]
    return f"{mean:.4f} ± {spread:.4f}" if len(trial["runs"]) > 1 else f"{mean:.4f}"


def _value(trial: Trial, name: str) -> str:
    if name == "label":
        return show(trial["parameters"].get(_ENCODER, trial["encoder"]))
    return str(trial[name])


def _varies(done: Sequence[Trial], name: str) -> bool:
    return len({_value(trial, name) for trial in done}) > 1


def _split(results: Results) -> str:
    return "test" if results["report_test"] else "eval"


def _parameters(trial: Trial) -> str:
    return ", ".join(f"{key}: {show(value)}" for key, value in trial["parameters"].items())
