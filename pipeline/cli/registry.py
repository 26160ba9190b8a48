"""`pocketrec registry`: the registered versions, and which one ships."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.common import add_workspace, give_up_soon, quiet_tensorflow

if TYPE_CHECKING:
    from pipeline.registry.registry import Promotion, Registry
    from pipeline.registry.store import ModelVersion
    from pocketrec_device.manifest import Manifest

_KIB = 1024

EPILOG = """\
examples:
  pocketrec registry list
  pocketrec registry show champion --json
  pocketrec registry fetch champion app/model
  pocketrec registry promote 3
  pocketrec registry rollback
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    parser = subparsers.add_parser(
        "registry",
        help="list, show, fetch, promote and roll back registered models",
        description=(
            "The model registry: versions of the model, and the champion that ships. It is the "
            "workspace's own, an MLflow server, or Vertex AI's (--tracking-uri "
            "vertex://PROJECT/REGION, with Google's usual credentials)."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_action(actions, "list", "list the versions")
    show = _add_action(actions, "show", "show one version: its variants, figures, files and origin")
    show.add_argument(
        "model", nargs="?", default="champion", metavar="MODEL", help="version or alias"
    )
    fetch = _add_action(actions, "fetch", "copy a version's bundle into a folder, for an app")
    fetch.add_argument("model", metavar="MODEL", help="version or alias")
    fetch.add_argument(
        "folder", type=Path, metavar="DIR", help="made, or replaced where it holds a bundle"
    )
    promote = _add_action(actions, "promote", "make a version the champion")
    promote.add_argument("model", metavar="MODEL", help="version or alias")
    _add_action(actions, "rollback", "make the champion before the present one champion again")


def add_registry_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which registry and which model in it."""
    add_workspace(parser)
    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        help=(
            "MLflow server or database, or vertex://PROJECT/REGION for Vertex AI's Model Registry "
            "(default: the workspace's own)"
        ),
    )
    parser.add_argument(
        "--model-name",
        default="pocketrec",
        metavar="NAME",
        help="registered model (default: pocketrec)",
    )


def handler(args: argparse.Namespace) -> int:
    """Runs the command."""
    from pipeline.registry.registry import open_registry
    from pipeline.workspace import Workspace

    give_up_soon()
    # It fetches bundles from object storage.
    quiet_tensorflow()
    registry = open_registry(Workspace.at(args.workspace), args.tracking_uri, args.model_name)
    if args.action == "list":
        _list(registry, as_json=args.json)
    elif args.action == "show":
        _show(registry, registry.find(args.model), as_json=args.json)
    elif args.action == "fetch":
        _fetch(registry, registry.find(args.model), args.folder, as_json=args.json)
    elif args.action == "promote":
        _moved(registry.promote(args.model), as_json=args.json)
    else:
        _moved(registry.rollback(), as_json=args.json)
    return 0


def _add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text.capitalize() + ".")
    add_registry_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=handler)
    return parser


def _fetch(registry: Registry, version: ModelVersion, folder: Path, *, as_json: bool) -> None:
    from pipeline.registry.fetch import fetch_bundle

    size = fetch_bundle(registry.bundle_path(version), folder)
    if as_json:
        _print_json({"version": version.version, "folder": str(folder), "bytes": size})
    else:
        print(f"{folder}: {registry.model} version {version.version}, {size:,} bytes")


def _list(registry: Registry, *, as_json: bool) -> None:
    versions = registry.versions()
    if as_json:
        _print_json([_described(version) for version in versions])
        return
    from tabulate import tabulate

    rows = [
        [
            version.version,
            ", ".join(version.aliases),
            _created(version),
            version.tags.get("encoder", ""),
            version.tags.get("history_length", ""),
            version.tags.get("recall_at_10", ""),
            version.tags.get("ndcg_at_10", ""),
            _kib(version.tags.get("bytes")),
            version.tags.get("dataset", ""),
        ]
        for version in reversed(versions)
    ]
    headers = ["version", "alias", "created", "encoder", "N", "recall@10", "NDCG@10", "KiB", "data"]
    print(tabulate(rows, headers=headers, disable_numparse=True))


def _show(registry: Registry, version: ModelVersion, *, as_json: bool) -> None:
    from pipeline.cli import variant_table

    path = str(registry.bundle_path(version))
    if as_json:
        variants = variant_table.described(_manifest(version, path))
        _print_json({**_described(version), "bundle": path, **variants})
        return
    print(f"{registry.model} version {version.version}")
    facts = {
        "aliases": ", ".join(version.aliases) or "none",
        "created": _created(version),
        **{name: value for name, value in version.tags.items() if not name.startswith("sha256/")},
        **({"run": version.run_id} if version.run_id else {}),
        "bundle": path,
    }
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"  {name:<{width}}  {value}")
    print("files (sha256):")
    for name, value in _digests(version, path).items():
        print(f"  {value}  {name}")
    print("variants (test windows):")
    for line in variant_table.lines(_manifest(version, path)):
        print(f"  {line}")


def _digests(version: ModelVersion, path: str) -> dict[str, str]:
    """Returns digests by file: the registry's, or the bundle's own where it keeps none."""
    kept = {
        name.removeprefix("sha256/"): value
        for name, value in version.tags.items()
        if name.startswith("sha256/")
    }
    if kept:
        return kept
    files = _manifest(version, path).files
    return {name: entry.sha256 for name, entry in files.items()}


def _manifest(version: ModelVersion, path: str) -> Manifest:
    from pipeline.errors import RegistryError
    from pocketrec_device.bundle import Bundle
    from pocketrec_device.errors import BundleError

    try:
        return Bundle.load(path).manifest
    except BundleError as error:
        raise RegistryError(f"version {version.version}: {error}") from None


def _moved(promotion: Promotion, *, as_json: bool) -> None:
    if as_json:
        _print_json({"champion": promotion.version, "previous": promotion.previous})
    elif promotion.previous is None:
        print(f"version {promotion.version} is champion; there was none before")
    elif promotion.previous == promotion.version:
        print(f"version {promotion.version} is champion already")
    else:
        print(f"version {promotion.version} is champion; it was version {promotion.previous}")


def _described(version: ModelVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "aliases": list(version.aliases),
        "created_ms": version.created_ms,
        "run_id": version.run_id,
        "source": version.source,
        "tags": dict(version.tags),
    }


def _created(version: ModelVersion) -> str:
    import datetime

    moment = datetime.datetime.fromtimestamp(version.created_ms / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _kib(text: str | None) -> str:
    return "" if text is None else f"{int(text) / _KIB:.0f}"


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
