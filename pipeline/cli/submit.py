"""`pocketrec submit`: a compiled pipeline runs on Kubeflow Pipelines or Vertex AI."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from pipeline.cli import choices
from pipeline.cli.common import quiet_tensorflow

ENDPOINT_VARIABLE = "KF_PIPELINES_ENDPOINT"
PROJECT_VARIABLE = "GOOGLE_CLOUD_PROJECT"

EPILOG = """\
examples:
  pocketrec submit pipeline.yaml --target kubeflow --endpoint http://localhost:8888
  pocketrec submit pipeline.yaml --target kubeflow --parameter epochs=5 --no-cache
  pocketrec submit pipeline.json --target vertex --project P --region R --schedule '0 3 * * 1'
"""


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "submit",
        help="run a compiled pipeline on Kubeflow Pipelines or Vertex AI",
        description=(
            "Starts a run of what `pocketrec compile` has written, now or on a schedule, and says "
            "where it is."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choices.of_files(
        parser.add_argument("file", type=Path, metavar="FILE", help="the compiled pipeline")
    )
    parser.add_argument(
        "--target", required=True, choices=("kubeflow", "vertex"), help="as it was compiled for"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="sets a runtime parameter of this run, e.g. epochs=5; may be repeated",
    )
    parser.add_argument(
        "--schedule",
        metavar="CRON",
        help="run again and again, at the times of cron's five fields, in UTC: '0 3 * * 1'",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="run every step, whatever is there already"
    )
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        help=f"of the API (kubeflow: default ${ENDPOINT_VARIABLE}; vertex: default the region's)",
    )
    kubeflow = parser.add_argument_group("kubeflow")
    kubeflow.add_argument(
        "--experiment", default="pocketrec", help="that the run belongs to (default: pocketrec)"
    )
    kubeflow.add_argument("--namespace", help="of a deployment with many users")
    kubeflow.add_argument(
        "--token-file", type=Path, metavar="FILE", help="bearer token of the deployment's sign-in"
    )
    vertex = parser.add_argument_group("vertex")
    vertex.add_argument("--project", help=f"Google Cloud project (default: ${PROJECT_VARIABLE})")
    vertex.add_argument("--region", help="e.g. europe-west4")
    vertex.add_argument(
        "--service-account", metavar="EMAIL", help="that the steps run as (default: the project's)"
    )
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Submits, and says which run or schedule was started."""
    from kubeflow.submission import check_cron, read_submission
    from pipeline.errors import ConfigError

    submission = read_submission(args.file, args.parameter)
    cache = False if args.no_cache else None
    schedule = None if args.schedule is None else check_cron(args.schedule)
    quiet_tensorflow()
    if args.target == "kubeflow":
        endpoint = args.endpoint or os.environ.get(ENDPOINT_VARIABLE)
        if not endpoint:
            raise ConfigError(
                "--target kubeflow needs --endpoint, the address of the Kubeflow Pipelines API "
                f"(or {ENDPOINT_VARIABLE} in the environment)"
            )
        from kubeflow import submit_kubeflow

        submitted = submit_kubeflow.submit(
            submission,
            endpoint=endpoint.rstrip("/"),
            experiment=args.experiment,
            namespace=args.namespace,
            token=None if args.token_file is None else _token(args.token_file),
            cache=cache,
            schedule=schedule,
        )
    else:
        project = args.project or os.environ.get(PROJECT_VARIABLE, "")
        for option, value in (("--project", project), ("--region", args.region)):
            if not value:
                raise ConfigError(f"--target vertex needs {option}")
        from kubeflow import submit_vertex

        submitted = submit_vertex.submit(
            submission,
            project=project,
            region=args.region,
            service_account=args.service_account,
            endpoint=args.endpoint,
            cache=cache,
            schedule=schedule,
        )
    print(f"{submission.name}: {submitted.kind} {submitted.name}")
    print(f"  {submitted.link}")
    return 0


def _token(path: Path) -> str:
    from pipeline.errors import ConfigError

    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file {path}: cannot be read ({error})") from None
    if not token:
        raise ConfigError(f"--token-file {path}: is empty")
    return token
