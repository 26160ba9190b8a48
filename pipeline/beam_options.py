"""Beam's pipeline options, checked before anything runs: Beam itself drops unknown ones."""

from __future__ import annotations

import contextlib
import difflib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.errors import ConfigError

KEY = "runtime.beam_args"
JOB_SERVER_SECONDS = 10.0

# These start a job server of their own, whose options nobody can be asked for beforehand.
_OWN_JOB_SERVER = ("FlinkRunner", "SparkRunner")
_PORTABLE = ("PortableRunner", *_OWN_JOB_SERVER)


def check(beam_args: Sequence[str], *, ask_job_server: bool) -> None:
    """Checks names and values of options.

    Args:
        beam_args: As in the configuration, `--name` or `--name=value` each.
        ask_job_server: Whether the job server of a portable runner is asked which further options
            it knows. Where nobody is asked, an option of a portable runner that Python does not
            know may be the job server's and is let through.

    Raises:
        ConfigError: An option or the runner is unknown, an option has a value that it cannot have,
            or the job server does not answer.
    """
    if not beam_args:
        return
    with warnings.catch_warnings():
        # Google's libraries warn about versions that Beam pins.
        warnings.simplefilter("ignore")
        _check(beam_args, ask_job_server)


def _check(beam_args: Sequence[str], ask_job_server: bool) -> None:
    # Seconds: only for those who give options.
    from apache_beam.options.pipeline_options import (
        PipelineOptions,
        PortableOptions,
        StandardOptions,
    )

    known = set(PipelineOptions([]).get_all_options())
    with _parser_errors():
        options = PipelineOptions(list(beam_args))
        given = options.get_all_options(retain_unknown_options=True)
    runner = str(options.view_as(StandardOptions).runner or "DirectRunner").rpartition(".")[2]
    endpoint = options.view_as(PortableOptions).job_endpoint
    unknown = sorted(set(given) - known)
    if runner in _PORTABLE and endpoint and ask_job_server:
        of_server = _options_of(endpoint)
        known |= of_server
        unknown = sorted(set(unknown) - of_server)
    elif runner in _PORTABLE:
        unknown = []
    if unknown:
        raise ConfigError("\n".join(_describe(name, known, runner) for name in unknown))
    # What a runner demands beyond that it checks itself, some of it over the network.
    _check_runner(runner)


@contextlib.contextmanager
def _parser_errors() -> Iterator[None]:
    """Turns the exit of Beam's parser into an error, and keeps its log quiet."""
    said = io.StringIO()
    log = logging.getLogger("apache_beam.options.pipeline_options")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(said):
            yield
    except SystemExit:
        problem = said.getvalue().strip().rpartition("error: ")[2]
        raise ConfigError(f"{KEY}: {problem}") from None
    finally:
        log.setLevel(level)


def _options_of(endpoint: str) -> set[str]:
    import grpc  # type: ignore[import-untyped]
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            answer = stub.DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(),
                timeout=JOB_SERVER_SECONDS,
                wait_for_ready=False,
            )
        except grpc.RpcError as error:
            code: Any = error
            raise ConfigError(
                f"{KEY}: no job server answers at --job_endpoint={endpoint} "
                f"({code.code().name}); start one, on this machine: python -m tools.flink start"
            ) from None
    return {option.name for option in answer.options}


def _describe(name: str, known: set[str], runner: str) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"; did you mean {' or '.join(f'--{other}' for other in close)}?" if close else ""
    return f"{KEY}: --{name} is no option of Beam or of {runner}{hint}"


def _check_runner(name: str) -> None:
    from apache_beam.runners import create_runner

    try:
        create_runner(name)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{KEY}: --runner={name} cannot be used: {error}") from None
