"""`pocketrec slim`: a bundle for any budget of bytes, cut from an elastic model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli import choices
from pipeline.cli.common import give_up_soon, quiet_native
from pipeline.cli.registry import add_registry_options
from pipeline.cli.variant_choice import size

if TYPE_CHECKING:
    from pipeline.slim.cut import SlimBundle

_DEFAULT_MODEL = "champion"
_EVERYBODY = "0"
_ALL = "all"

EPILOG = """\
examples:
  pocketrec slim champion --budget 64KB
  pocketrec slim 3 --budget 24KB --group 2 --output app/model
  pocketrec recommend ./champion-64kb "Heat (1995)"

Needs a model that was trained with model.item_table=elastic, no data and no TensorFlow. What is cut
was not measured: `pocketrec evaluate` does that.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    parser = subparsers.add_parser(
        "slim",
        usage="pocketrec slim [MODEL_OR_BUNDLE] --budget SIZE [options]",
        help="cut a bundle for a budget of bytes from an elastic model",
        description=(
            "Cut a bundle from an elastic model, whose .tflite file is as large as a budget allows."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model = parser.add_argument(
        "model",
        nargs="?",
        default=_DEFAULT_MODEL,
        metavar="MODEL_OR_BUNDLE",
        help=f"an alias or version of the registry, or a bundle's folder (default: "
        f"{_DEFAULT_MODEL})",
    )
    choices.of_models(model)
    parser.add_argument(
        "--budget", type=size, required=True, metavar="SIZE", help="most bytes, e.g. 64KB or 1.5MB"
    )
    parser.add_argument(
        "--group",
        type=_group,
        default=_EVERYBODY,
        metavar="G",
        help=(
            "the table of a group of users, from 1, or all: a file for each group, of which a "
            "device takes its own (default: everybody's table)"
        ),
    )
    parser.add_argument(
        "--variant",
        help="variant that gives all but the table (default: what leaves most room for it)",
    )
    parser.add_argument(
        "--gzip",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="count and write gzipped files (default: as those of the bundle are)",
    )
    output = parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder to write (default: ./MODEL-64kb)"
    )
    choices.of_folders(output)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_registry_options(parser)
    parser.set_defaults(handler=handler)


def _group(text: str) -> str:
    if text != _ALL and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no group: must be 1, 2, ... or {_ALL}")
    return text


def handler(args: argparse.Namespace) -> int:
    """Runs the command."""
    from pipeline.errors import RegistryError
    from pipeline.registry.registry import resolve_bundle
    from pipeline.slim.cut import all_groups, cut, elastic_master
    from pipeline.slim.folder import write
    from pipeline.workspace import Workspace
    from pocketrec_device import Bundle, DeviceError

    give_up_soon()
    path = resolve_bundle(
        args.model, Workspace.at(args.workspace), args.tracking_uri, args.model_name
    )
    try:
        with quiet_native():
            bundle = Bundle.load(path)
            groups = [int(args.group)] if args.group != _ALL else all_groups(elastic_master(bundle))
            slim = cut(bundle, args.budget, groups=groups, variant=args.variant, gzip=args.gzip)
    except DeviceError as error:
        raise RegistryError(str(error)) from None
    target = args.output or Path(f"{Path(args.model).name}-{_suffix(args.budget, args.group)}")
    written = write(slim, target)
    if args.json:
        _print_json(slim, target)
    else:
        _print_text(slim, target, args.budget, written=written)
    return 0


def _suffix(budget: int, group: str) -> str:
    from pipeline.config.budgets import PREFIX, budget_name

    name = budget_name(budget, 0 if group == _ALL else int(group)).removeprefix(PREFIX)
    return name.replace("_", "-") + ("-groups" if group == _ALL else "")


def _print_json(slim: SlimBundle, target: Path) -> None:
    import json

    answer = {
        "bundle": str(target),
        "bundle_id": slim.bundle_id,
        "variants": {
            one.name: {
                "bytes": len(one.content),
                "unzipped_bytes": one.unzipped_bytes,
                "group": one.group or None,
                "of_variant": one.base,
                "blocks_by_segment": one.layout,
                "recall_at_10": None if one.measured is None else one.measured.recall_at_10,
            }
            for one in slim.cuts
        },
    }
    print(json.dumps(answer, indent=2))


def _print_text(slim: SlimBundle, target: Path, budget: int, *, written: bool) -> None:
    print(f"{target}: {'written' if written else 'is there already, the same'}")
    for one in slim.cuts:
        print(f"  {one.file}  {len(one.content):,} bytes of {budget:,}")
        if one.layout is None:
            print("    made by the pipeline for this budget")
        else:
            kept = ", ".join(str(blocks) for blocks in one.layout)
            all_of_it = ", the whole table" if one.is_whole else ""
            print(f"    blocks kept, most popular movies first: {kept}{all_of_it}")
            print(f"    all but the table is that of {one.base}")
        if one.measured is not None and one.measured.recall_at_10 is not None:
            print(f"    recall@10 {one.measured.recall_at_10:.4f}, measured by the pipeline")
    if any(one.measured is None for one in slim.cuts):
        print(f"  recall was not measured; to do so: pocketrec evaluate {target} --data RELEASE")
