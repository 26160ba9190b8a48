"""Starts a run on Kubeflow Pipelines, through kfp's client."""

from __future__ import annotations

import contextlib
import io
import json

from kubeflow.submission import Submission, SubmissionError, Submitted


def submit(
    submission: Submission,
    *,
    endpoint: str,
    experiment: str,
    namespace: str | None = None,
    token: str | None = None,
    cache: bool | None = None,
) -> Submitted:
    """Starts a run.

    Args:
        submission: What is to be run.
        endpoint: Address of the API, e.g. `http://localhost:8888`.
        experiment: That the run belongs to; made where it is not there.
        namespace: Of a deployment with many users.
        token: Bearer token of the deployment's sign-in.
        cache: Whether steps may take cached results; None: as compiled.

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
    return Submitted(run.run_id, f"{endpoint}/#/runs/details/{run.run_id}")


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
