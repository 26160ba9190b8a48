"""Starts runs on Kubeflow Pipelines, at once or on a schedule, through kfp's client."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from kubeflow.submission import Submission, SubmissionError, Submitted


def submit(
    submission: Submission,
    *,
    endpoint: str,
    experiment: str,
    namespace: str | None = None,
    token: str | None = None,
    cache: bool | None = None,
    schedule: str | None = None,
) -> Submitted:
    """Starts a run, or a recurring one.

    Args:
        submission: What is to be run.
        endpoint: Address of the API, e.g. `http://localhost:8888`.
        experiment: That the run belongs to; made where it is not there.
        namespace: Of a deployment with many users.
        token: Bearer token of the deployment's sign-in.
        cache: Whether steps may take cached results; None: as compiled.
        schedule: Cron's five fields, in UTC; None runs once, now.

    Raises:
        SubmissionError: The endpoint cannot be reached, or refuses.
    """
    import kfp
    import kfp_server_api  # type: ignore[import-untyped]
    import urllib3

    try:
        # The client prints links that lead nowhere behind a port-forward.
        with contextlib.redirect_stdout(io.StringIO()):
            client = kfp.Client(host=endpoint, existing_token=token)
            if schedule is not None:
                return _recur(client, submission, endpoint, experiment, namespace, cache, schedule)
            run = client.create_run_from_pipeline_package(
                str(submission.path),
                arguments=dict(submission.parameters),
                run_name=submission.name,
                experiment_name=experiment,
                namespace=namespace,
                enable_caching=cache,
            )
    except urllib3.exceptions.HTTPError as error:
        raise SubmissionError(
            f"{endpoint}: cannot be reached ({error}); is it the address of the Kubeflow Pipelines "
            "API? For a look from outside of the cluster: "
            "kubectl port-forward -n kubeflow svc/ml-pipeline 8888"
        ) from None
    except kfp_server_api.ApiException as error:
        raise SubmissionError(f"{endpoint}: {_said(error)}") from None
    return Submitted("run", run.run_id, f"{endpoint}/#/runs/details/{run.run_id}")


def _recur(
    client: Any,
    submission: Submission,
    endpoint: str,
    experiment: str,
    namespace: str | None,
    cache: bool | None,
    schedule: str,
) -> Submitted:
    found = client.create_experiment(experiment, namespace=namespace)
    recurring = client.create_recurring_run(
        experiment_id=found.experiment_id,
        job_name=submission.name,
        # Seconds come first there.
        cron_expression=f"0 {schedule}",
        # Two runs would begin with the same model, and a run that was missed has nothing that the
        # next one does not read.
        max_concurrency=1,
        no_catchup=True,
        params=dict(submission.parameters),
        pipeline_package_path=str(submission.path),
        enable_caching=cache,
    )
    number = recurring.recurring_run_id
    return Submitted("schedule", number, f"{endpoint}/#/recurringrun/details/{number}")


def _said(error: object) -> str:
    """Returns what the server says of an error, in one line."""
    status = getattr(error, "status", None)
    body = getattr(error, "body", None) or ""
    try:
        answer = json.loads(body)
        message = answer.get("message") or answer.get("error") or body
    except (json.JSONDecodeError, AttributeError):
        message = body or getattr(error, "reason", "")
    hint = ""
    if status in (401, 403):
        hint = "; give the sign-in's token with --token-file"
    return f"refused with status {status}: {str(message).strip()}{hint}"
