"""`pocketrec compile`: the pipeline as a Kubeflow Pipelines v2 spec."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli import choices
from pipeline.cli.common import add_overlay, add_workspace, quiet_tensorflow

EPILOG = """\
examples:
  pocketrec compile --target kubeflow --dataset ml-1m --output pipeline.yaml
  pocketrec compile --target vertex --pipeline-root gs://BUCKET/pocketrec \\
      --tracking-uri vertex://PROJECT/REGION --image IMAGE --output pipeline.json
"""
_SUFFIXES = (".yaml", ".yml", ".json")


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "compile",
        help="write the pipeline as a Kubeflow Pipelines v2 spec",
        description=(
            "Compiles the same pipeline that `run` runs into a Kubeflow Pipelines v2 spec and "
            "checks it against Kubeflow's own schema. Nothing is submitted."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--target",
        required=True,
        choices=("kubeflow", "vertex"),
        help="kubeflow: open-source Kubeflow Pipelines; vertex: Vertex AI Pipelines",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="the file to write: .yaml or .json",
    )
    choices.of_yaml_files(
        parser.add_argument("--config", type=Path, metavar="FILE", help="the pipeline's settings")
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="overrides one setting, e.g. model.encoder.name=cnn; may be repeated",
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME|URI",
        help=(
            "URI of a MovieLens release, or its absolute path inside the image; a name NAME means "
            "PIPELINE_ROOT/data/NAME (default: the configuration's)"
        ),
    )
    parser.add_argument(
        "--image", help="container image of the steps, with the project in /opt/pocketrec"
    )
    parser.add_argument(
        "--pipeline-root",
        metavar="URI",
        help=(
            "object storage that the steps read and write (kubeflow: default "
            "s3://mlpipeline/pocketrec, its own store; vertex: needed, gs://...)"
        ),
    )
    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        help=(
            "the model registry: an MLflow server, or vertex://PROJECT/REGION (default: "
            "registry.tracking_uri; kubeflow: then http://mlflow:5000; vertex: needed)"
        ),
    )
    add_overlay(parser)
    add_workspace(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Compiles, writes the file and says what was written."""
    from kubeflow.targets import settings
    from pipeline.config.select import load_selected
    from pipeline.errors import ConfigError, PocketRecError

    if args.output.suffix not in _SUFFIXES:
        raise ConfigError(f"--output {args.output}: must end in one of {', '.join(_SUFFIXES)}")
    config = load_selected(args.config, args.dataset, args.set, args.overlays)
    deployment = settings(
        config,
        args.target,
        image=args.image,
        pipeline_root=args.pipeline_root,
        tracking_uri=args.tracking_uri,
    )
    quiet_tensorflow()
    # Half a minute of imports: only now that everything else is known to be right.
    from kubeflow.compile import compile_pipeline, write

    compiled = compile_pipeline(config, args.target, deployment)
    try:
        write(compiled, args.target, args.output)
    except OSError as error:
        raise PocketRecError(
            f"--output {args.output}: cannot be written ({error.strerror})"
        ) from None
    tasks = compiled.spec["root"]["dag"]["tasks"]
    print(f"{args.output}: {deployment.name}, {len(tasks)} tasks, image {deployment.image}")
    print(f"  reads {deployment.input_base}")
    print(f"  writes {deployment.pipeline_root}, registers with {deployment.tracking_uri}")
    parameters = sorted(compiled.spec["root"]["inputDefinitions"]["parameters"])
    print(f"  runtime parameters: {', '.join(parameters)}")
    return 0
