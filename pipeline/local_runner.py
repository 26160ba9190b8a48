"""Runs the pipeline on this machine, all state in one workspace."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pipeline import beam_options, recovery
from pipeline.config.root import Config
from pipeline.datasets.resolve import resolve_dataset
from pipeline.errors import ConfigError, PocketRecError
from pipeline.interruption import Interruption, end_children, interruptible
from pipeline.naming import dataset_label, pipeline_name
from pipeline.progress.capture import captured
from pipeline.progress.events import Screen
from pipeline.progress.journal import Journal, Reached
from pipeline.progress.screens import screen_for
from pipeline.registry import vertex_address
from pipeline.text_file import write_text
from pipeline.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class RunOutcome:
    """What one run came to.

    Attributes:
        run_id: ML Metadata's name of the run.
        seconds: Wall time, imports included from the call on.
        log_file: Everything the steps logged.
        failed_step: The step that raised; None if all ended.
        error: Its message, empty if all ended.
        reached: How far it came.
        exit_status: What a signal that ended it asks for; None if none did.
    """

    run_id: str
    seconds: float
    log_file: Path
    failed_step: str | None = None
    error: str = ""
    reached: Reached = dataclasses.field(default_factory=Reached)
    exit_status: int | None = None


def run_locally(
    config: Config,
    workspace: Workspace,
    *,
    data_only: bool = False,
    make_screen: Callable[[IO[str]], Screen] | None = None,
    last_words: str = "interrupted",
) -> RunOutcome:
    """Runs every step with the local runner, on Beam in this process unless configured.

    Args:
        config: All settings.
        workspace: Held for the time of the run.
        data_only: Whether to end with the windows, before anything is trained.
        make_screen: Makes what shows the run, see `screen_for`; by default for people.
        last_words: Said where a signal ends the process before this function can return.

    Raises:
        PocketRecError: The data set cannot be had, another run holds the workspace, an option of
            Beam is none, or the configured registry cannot take bundles.
    """
    started = time.monotonic()
    beam_options.check(config.runtime.beam_args, ask_job_server=True)
    if not data_only:
        _check_registry(config, workspace)
    with recovery.exclusive(workspace):
        input_base = resolve_dataset(config.dataset, workspace, config.sample)
        return _run(
            config,
            workspace,
            input_base,
            started,
            data_only=data_only,
            make_screen=make_screen or screen_for(),
            last_words=last_words,
        )


def _run(
    config: Config,
    workspace: Workspace,
    input_base: Path,
    started: float,
    *,
    data_only: bool,
    make_screen: Callable[[IO[str]], Screen],
    last_words: str,
) -> RunOutcome:
    run_id = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S.%f")
    log_file = workspace.root / "logs" / f"{run_id}.log"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    failed_step, message = None, ""
    with (
        captured(log_file, make_screen) as journal,
        interruptible(lambda: _end(journal), lambda: journal.abandon(last_words)) as interruption,
    ):
        try:
            cleaned = recovery.clean_up_killed_runs(workspace)
            if cleaned:
                journal.say(f"cleaned up after an interrupted run ({', '.join(cleaned)})")
            journal.say("loading TensorFlow and TFX ...")
            runnable = _compiled(config, workspace, input_base, run_id, data_only=data_only)
            node_ids = [node.pipeline_node.node_info.id for node in runnable.nodes]
            journal.begin(run_id, config.dataset, node_ids, str(log_file))
            _run_all(runnable)
        except (Exception, KeyboardInterrupt) as error:
            if not _ran(journal, interruption):
                raise
            failed_step = journal.reached.current or "the runner"
            message = "interrupted" if interruption.signal else error_message(error)
            logging.getLogger(__name__).exception("the run failed")
            if interruption.signal:
                journal.interrupt()
            else:
                journal.fail()
    return RunOutcome(
        run_id,
        time.monotonic() - started,
        log_file,
        failed_step,
        message,
        journal.reached,
        interruption.exit_status if interruption.signal else None,
    )


def _end(journal: Journal) -> None:
    try:
        journal.say("interrupted, ending ... (once more to end at once)")
    finally:
        end_children()


def _ran(journal: Journal, interruption: Interruption) -> bool:
    """Returns whether an error ended a run, rather than what comes before its first step."""
    return bool(journal.reached.stages) or interruption.signal is not None


def _compiled(
    config: Config, workspace: Workspace, input_base: Path, run_id: str, *, data_only: bool
) -> Any:
    # Late: half a minute of imports that `--help` and the other commands do without.
    from tfx.dsl.compiler import compiler
    from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
    from tfx.orchestration.portable import runtime_parameter_utils

    pipeline = _pipeline(config, workspace, input_base, data_only=data_only)
    # The runner would make up a run id of its own; given here, every record can carry it.
    runnable = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        runnable, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    return runnable


def _run_all(runnable: Any) -> None:
    from tfx.orchestration.local import local_dag_runner

    local_dag_runner.LocalDagRunner().run_with_ir(runnable)


def _pipeline(config: Config, workspace: Workspace, input_base: Path, *, data_only: bool) -> Any:
    from tfx import v1 as tfx

    from pipeline.data_steps import create_data_pipeline
    from pipeline.pipeline import Locations, create_pipeline
    from pipeline.teachers import pinned

    name, label = pipeline_name(config), dataset_label(config.dataset)
    pipeline_root = str(workspace.pipeline_root / label)
    schema_file = str(_schema_file(workspace))
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(workspace.metadata_db)
    )
    if data_only:
        return create_data_pipeline(
            config,
            name=name,
            input_base=str(input_base),
            schema_file=schema_file,
            pipeline_root=pipeline_root,
            metadata_connection_config=metadata,
        )
    tracking_uri = config.registry.tracking_uri or workspace.tracking_uri
    config, given_teachers = pinned(config, tracking_uri)
    return create_pipeline(
        config,
        name=name,
        locations=Locations(
            input_base=str(input_base),
            pipeline_root=pipeline_root,
            schema_file=schema_file,
            checkpoint_root=str(workspace.checkpoints / label),
            tracking_uri=tracking_uri,
            registry_artifacts=_registry_artifacts(config, workspace),
            container_image=config.registry.container_image or "",
        ),
        given_teachers=given_teachers,
        metadata_connection_config=metadata,
    )


def _registry_artifacts(config: Config, workspace: Workspace) -> str:
    return config.registry.artifact_root or str(workspace.registry / "artifacts")


def _check_registry(config: Config, workspace: Workspace) -> None:
    """Raises `ConfigError` where the push at the end of the run could not succeed."""
    registry = config.registry
    if registry.tracking_uri is None or not vertex_address.is_vertex(registry.tracking_uri):
        return
    try:
        vertex_address.check_place(
            registry.tracking_uri,
            model=registry.model_name,
            artifact_root=_registry_artifacts(config, workspace),
            container_image=registry.container_image or "",
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def error_message(error: BaseException) -> str:
    """Returns what to tell the user: Beam and TFX wrap errors with errors of their own.

    An error of ours says it best, whatever caused it or wraps it; otherwise the innermost does.
    """
    cause: BaseException = error
    while not isinstance(cause, PocketRecError) and cause.__cause__ is not None:
        cause = cause.__cause__
    return str(cause) or type(cause).__name__


def _schema_file(workspace: Workspace) -> Path:
    """Returns a copy of the curated schema under a name made of its content.

    The step that imports it knows the path alone: a renewed schema at the same path would be
    served from the cache.
    """
    source = Path(__file__).resolve().parent.parent / "schema" / "schema.pbtxt"
    content = source.read_text(encoding="utf-8")
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    target = workspace.root / "schema" / digest / source.name
    if not target.is_file():
        write_text(target, content)
    return target
