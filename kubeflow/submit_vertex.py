"""Starts runs on Vertex AI Pipelines, at once or on a schedule, through Google's client."""

from __future__ import annotations

import copy
from typing import Any, Literal

from kubeflow.submission import Submission, SubmissionError, Submitted
from pipeline.registry.vertex_client import SCOPE
from pipeline.registry.vertex_failures import SIGN_IN

_TIMEOUT = 60  # seconds


def submit(
    submission: Submission,
    *,
    project: str,
    region: str,
    service_account: str | None = None,
    endpoint: str | None = None,
    cache: bool | None = None,
    schedule: str | None = None,
) -> Submitted:
    """Starts a run, or a schedule of runs.

    Args:
        submission: What is to be run.
        project: Google Cloud project.
        region: E.g. `europe-west4`.
        service_account: That the steps run as; None: the project's default.
        endpoint: Address of the API where it is not the region's public one.
        cache: Whether steps may take cached results; None: as compiled.
        schedule: Cron's five fields, in UTC; None runs once, now.

    Raises:
        SubmissionError: There are no credentials, or the API refuses or cannot be reached.
    """
    import google.auth
    import google.auth.exceptions
    from google.api_core import exceptions
    from google.cloud import aiplatform_v1

    job: dict[str, Any] = {
        "display_name": submission.name,
        "pipeline_spec": _spec(submission, cache),
        "runtime_config": {
            "gcs_output_directory": submission.spec.get("defaultPipelineRoot", ""),
            "parameter_values": dict(submission.parameters),
        },
    }
    if service_account is not None:
        job["service_account"] = service_account
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
        # REST passes proxies that gRPC does not. Google's larger client would also make a bucket
        # where there is none.
        service = (
            aiplatform_v1.PipelineServiceClient
            if schedule is None
            else aiplatform_v1.ScheduleServiceClient
        )
        client = service(
            credentials=credentials,
            transport="rest",
            client_options={"api_endpoint": endpoint or f"{region}-aiplatform.googleapis.com"},
        )
        parent = f"projects/{project}/locations/{region}"
        if schedule is None:
            started = client.create_pipeline_job(parent=parent, pipeline_job=job, timeout=_TIMEOUT)
        else:
            started = client.create_schedule(
                parent=parent,
                schedule={
                    "display_name": submission.name,
                    "cron": schedule,
                    "max_concurrent_run_count": 1,
                    "create_pipeline_job_request": {"parent": parent, "pipeline_job": job},
                },
                timeout=_TIMEOUT,
            )
    except google.auth.exceptions.GoogleAuthError as error:
        raise SubmissionError(f"{project}: no credentials ({error}); {SIGN_IN}") from None
    except exceptions.GoogleAPICallError as error:
        raise SubmissionError(
            f"{project} in {region}: refused with status {error.code}: {error.message}"
        ) from None
    except (exceptions.GoogleAPIError, OSError) as error:
        raise SubmissionError(f"{project} in {region}: cannot be reached ({error})") from None
    kind: Literal["run", "schedule"] = "run" if schedule is None else "schedule"
    link = (
        f"https://console.cloud.google.com/vertex-ai/locations/{region}/pipelines/{kind}s/"
        f"{started.name.rpartition('/')[2]}?project={project}"
    )
    return Submitted(kind, started.name, link)


def _spec(submission: Submission, cache: bool | None) -> dict[str, Any]:
    spec = copy.deepcopy(dict(submission.spec))
    if cache is not None:
        for task in spec["root"]["dag"]["tasks"].values():
            task["cachingOptions"] = {"enableCache": cache}
    return spec
