"""The model card: what the model is, how good, for what, and for what not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from components.registry_pusher.conversion import Conversion
from pipeline.config.root import Config
from pocketrec_device.bundle import Movie

_SHOWN_METRICS = ("recall_at_1", "recall_at_5", "recall_at_10", "recall_at_50", "ndcg_at_10", "mrr")
_REFERENCES = (
    ("recall_at_10_popularity", "most popular of all time"),
    ("recall_at_10_recent_popularity", "most popular of the last days"),
    ("recall_at_10_float32", "float32 variant of this model"),
    ("recall_at_10_blessed", "model blessed before this one"),
)
_KIB = 1024
_BY_POPULARITY = "recall_at_10_by_popularity"

_USE = """\
- Meant for: ranking unseen movies of this catalogue for one person, from that person's own
  history, which never leaves the device.
- Not meant for: people or purposes whose tastes differ from those of the raters of this data set,
  decisions about people, or movies that are not in the catalogue."""


def render_model_card(
    *,
    model_name: str,
    dataset: str,
    data_counts: Mapping[str, int | float | str],
    config: Config,
    conversion: Conversion,
    movies: Sequence[Movie],
    metrics: Mapping[str, Mapping[str, float | None]],
    gate: Sequence[Mapping[str, Any]],
    figures: Mapping[str, Mapping[str, Any]],
    left_out: Mapping[str, str],
) -> str:
    """Returns the card in Markdown.

    Args:
        model_name: Name in the registry.
        dataset: Name of the release.
        data_counts: What ingestion counted.
        config: The pipeline's configuration.
        conversion: The converter's report.
        movies: The vocabulary.
        metrics: Value by slice and metric; slice "overall" is all test windows.
        gate: Thresholds with values and verdicts.
        figures: What was measured of each variant that ships, see `shipping.figures`.
        left_out: Why a variant does not ship, by its name.
    """
    sections = [
        f"# {model_name}",
        f"Recommends the next movie from the last {conversion.history_length} watched ones, on "
        f"the device. Encoder: {config.model.encoder.name}, {config.model.dim} wide. "
        f"Catalogue: {len(movies)} movies.",
        *_further_inputs(conversion),
        "## Data",
        _data(dataset, data_counts, config),
        "## Quality",
        "Test windows: every candidate of the catalogue is ranked, movies that the user has seen "
        "are taken out, ties count against the model, and a score that is not a number is a miss. "
        f"Measured on the {conversion.gated} file that ships.",
        _metrics_table(metrics),
        *_reference_section(metrics.get("overall", {})),
        *_gate_section(gate),
        "## Variants",
        "Recall@10 on the test windows, whole and by the popularity of the target; the "
        "comparison with the Keras model is on eval windows.",
        _variants_table(conversion, figures),
        _parity_table(conversion, figures),
        *_left_out(left_out),
        "## Use",
        _USE,
        "## Limits",
        _limits(config, conversion),
    ]
    return "\n\n".join(sections) + "\n"


def _further_inputs(conversion: Conversion) -> list[str]:
    if not conversion.further_inputs:
        return []
    return [
        f"Reads beside the movies: {', '.join(conversion.further_inputs)}. What an app does not "
        "know it leaves at 0. These, too, never leave the device."
    ]


def _data(dataset: str, counts: Mapping[str, int | float | str], config: Config) -> str:
    lines = [
        f"- Release: {dataset}",
        f"- Kept: movies with {config.data.min_ratings_per_movie} and users with "
        f"{config.data.min_ratings_per_user} ratings or more",
        f"- Split: {config.data.split.strategy}",
    ]
    lines += [f"- {name.replace('_', ' ')}: {value}" for name, value in sorted(counts.items())]
    return "\n".join(lines)


def _limits(config: Config, conversion: Conversion) -> str:
    return f"""\
- Movies with fewer than {config.data.min_ratings_per_movie} ratings, and all that appeared after
  the data was gathered, are unknown to the model.
- A history needs {conversion.min_history} known movie(s) or more; with few, the answers lean on
  popularity. Compare the slices above.
- MovieLens raters chose to rate, and rate many movies in one sitting: the order of ratings is not
  always the order of watching.
- The licence of the training data applies; MovieLens releases allow research, and other use with
  permission alone."""


def _metrics_table(metrics: Mapping[str, Mapping[str, float | None]]) -> str:
    shown = [name for name in _SHOWN_METRICS if any(name in values for values in metrics.values())]
    rows = [
        [label, *(_number(values.get(name)) for name in shown)] for label, values in metrics.items()
    ]
    return tabulate(rows, headers=["windows", *shown], tablefmt="github", disable_numparse=True)


def _reference_section(overall: Mapping[str, float | None]) -> list[str]:
    rows = [
        [label, _number(overall[name])]
        for name, label in _REFERENCES
        if overall.get(name) is not None
    ]
    if not rows:
        return []
    table = tabulate(
        rows,
        headers=["on the same windows", "recall_at_10"],
        tablefmt="github",
        disable_numparse=True,
    )
    return [table]


def _gate_section(gate: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [check["metric"], _number(check["value"]), check["threshold"], check["verdict"]]
        for check in gate
    ]
    table = tabulate(
        rows,
        headers=["gate", "value", "must be", "verdict"],
        tablefmt="github",
        disable_numparse=True,
    )
    return ["## Gate", table]


def _variants_table(conversion: Conversion, figures: Mapping[str, Mapping[str, Any]]) -> str:
    segments = list(dict.fromkeys(one for told in figures.values() for one in told[_BY_POPULARITY]))
    rows = [
        [
            _variant(name, conversion),
            f"{told['bytes'] / _KIB:.1f}",
            "-" if told["memory_bytes"] is None else f"{told['memory_bytes'] / _KIB:.0f}",
            "-" if told["latency_ms"] is None else f"{told['latency_ms']:.3f}",
            _number(told["recall_at_10"]),
            _number(told["recall_change_from_float32"]),
            *(_number(told[_BY_POPULARITY].get(segment)) for segment in segments),
        ]
        for name, told in figures.items()
    ]
    headers = ["variant", "KiB", "KiB in memory", "ms", "recall@10", "against float32", *segments]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def _parity_table(conversion: Conversion, figures: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name in figures:
        parity = conversion.variants[name].parity
        rows.append(
            [
                _variant(name, conversion),
                _number(parity.get("top10_overlap")),
                _number(parity.get("recall_at_10")),
                _number(parity.get("keras_recall_at_10")),
            ]
        )
    return tabulate(
        rows,
        headers=["variant", "top-10 overlap", "eval recall@10", "of the Keras model"],
        tablefmt="github",
        disable_numparse=True,
    )


def _variant(name: str, conversion: Conversion) -> str:
    return f"{name} (gated)" if name == conversion.gated else name


def _left_out(reasons: Mapping[str, str]) -> list[str]:
    if not reasons:
        return []
    lines = [f"- {name}: {reason}" for name, reason in sorted(reasons.items())]
    return ["Left out of the bundle:", "\n".join(lines)]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}"
