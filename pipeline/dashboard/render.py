"""Turns what is known into one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2

from pipeline.dashboard import (
    glossary,
    headlines,
    history_tables,
    quality_tables,
    quality_views,
    tables,
    views,
)
from pipeline.dashboard.chart import Chart
from pipeline.dashboard.comparison import compare
from pipeline.dashboard.formats import metric, moment, number, seconds, signed
from pipeline.dashboard.history import History, Record
from pipeline.dashboard.theme import vega_config

_TEMPLATES = Path(__file__).parent / "templates"

_RUN_SECTIONS = (
    ("data", "Data"),
    ("training", "Training"),
    ("gate", "Gate"),
    ("quality", "Recall"),
    ("slices", "Slices"),
    ("comparison", "Comparison"),
    ("variants", "Variants"),
    ("registry", "Registry"),
    ("history", "History"),
    ("lineage", "Lineage"),
    ("configuration", "Configuration"),
)
_ALL_SECTIONS = (("history", "History"), ("runs", "Runs"), ("stories", "Each run"))


def run_page(run_id: str, history: History) -> str:
    """Returns the page about one run; the same facts give the same bytes.

    Args:
        run_id: One of the history's.
        history: All runs of the workspace.
    """
    record = history.record(run_id)
    d = record.dashboard
    return _page(
        "run.html",
        title=f"{d.title}: {d.verdict.headline} ({run_id})",
        sections=_RUN_SECTIONS,
        d=d,
        record=record,
        headlines=headlines.of_run(d),
        data=views.data(d),
        training=views.training(d),
        quality=quality_views.quality(d, history),
        variants=views.variants(d),
        registry=views.registry(d),
        past=views.past(history, history.of_pipeline(d.run.pipeline), run_id, links=False),
        lineage=views.lineage(d),
        config_text=views.configuration(d),
    )


def all_page(history: History, workspace: str) -> str:
    """Returns the page about all runs of a workspace.

    Args:
        history: All runs of the workspace.
        workspace: What to call it.
    """
    return _page(
        "all.html",
        title=f"All runs of {workspace}",
        sections=_ALL_SECTIONS,
        workspace=workspace,
        headlines=headlines.of_all(history),
        past=views.past(history, history.records, "", links=True),
        stories=[_story(record, history) for record in reversed(history.records)],
    )


def _story(record: Record, history: History) -> dict[str, Any]:
    """Returns a run in short: what the whole page about it begins with, and its main tables."""
    d = record.dashboard
    rows = compare(d.evaluation) if d.evaluation else []
    names = quality_views.recommender_names(d, history)
    return {
        "record": record,
        "d": d,
        "outcome": history_tables.outcome(record),
        "headlines": headlines.of_run(d),
        "gate": quality_tables.gate(d.evaluation) if d.evaluation else None,
        "comparison": quality_tables.compared(rows, names, glossary.GATED_K) if rows else None,
        "charts": [
            Chart(f"run-{record.number}-{chart.anchor}", chart.title, chart.spec)
            for chart in views.training(d)["charts"]
        ],
        "variants": tables.variants(d) if d.variants else None,
    }


def _page(template: str, **facts: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        metric=metric,
        seconds=seconds,
        moment=moment,
        signed=signed,
        as_json=_json,
        described=glossary.metric,
    )
    library, scripts = _chart_library(), _own_scripts()
    page = environment.get_template(template).render(
        style=(_TEMPLATES / "style.css").read_text("utf-8"),
        library=library,
        scripts=scripts,
        policy=_policy(library, scripts),
        vega_config=vega_config(),
        **facts,
    )
    return page + "\n"


def _chart_library() -> str:
    """Returns Vega, Vega-Lite and Vega-Embed as one script."""
    # Slow to import, and needed by no other command.
    import vl_convert

    # Its types ask for a script; without one, the library is bundled once a process.
    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]


def _own_scripts() -> str:
    return "\n".join(
        (_TEMPLATES / name).read_text("utf-8") for name in ("tables.js", "charts.js", "page.js")
    )


def _policy(*scripts: str) -> str:
    """Returns a content security policy: these scripts alone, and no connection to anywhere."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {hashes}"


def _json(tree: Any) -> str:
    """Returns JSON that may stand inside a script element."""
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
