"""`pocketrec demo`: the recommender in a browser, on this machine or exported."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.common import open_in_browser, quiet_tensorflow
from pipeline.cli.registry import add_registry_options

if TYPE_CHECKING:
    from pipeline.demo.site import Site

_DEFAULT_MODEL = "champion"
_DEFAULT_PORT = 8000

EPILOG = """\
examples:
  pocketrec demo --open
  pocketrec demo 3 --port 9000
  pocketrec demo --bundle path/to/bundle --export public
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    parser = subparsers.add_parser(
        "demo",
        help="try a model in the browser, or export the app for a web server",
        description=(
            "Serves a web app that runs the model inside the browser; nothing of the history "
            "leaves it. --export writes the app and the model for any static web server instead."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL_OR_BUNDLE",
        help=(
            f"an alias or version of the registry, or a bundle's folder (default: {_DEFAULT_MODEL})"
        ),
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="a bundle's folder")
    parser.add_argument(
        "--port",
        type=int,
        default=_DEFAULT_PORT,
        help=f"port to listen at, 0 for a free one (default: {_DEFAULT_PORT})",
    )
    parser.add_argument("--open", action="store_true", help="open the browser, too")
    parser.add_argument("--export", type=Path, metavar="DIR", help="write a folder; serve nothing")
    parser.add_argument(
        "--force",
        action="store_true",
        help="with --export: replace a folder that holds other files",
    )
    add_registry_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Runs the command."""
    from pipeline.demo.app import find_app
    from pipeline.demo.export import export
    from pipeline.demo.site import collect
    from pipeline.errors import DemoError

    if args.force and args.export is None:
        raise DemoError("--force goes with --export DIR")
    app = find_app()
    bundle = _bundle(args)
    site = collect(app, bundle)
    if args.export is None:
        return _serve(site, bundle, args.port, opens=args.open)
    export(site, args.export, force=args.force)
    print(f"{args.export}: the app and {bundle}; serve the folder over https, or from localhost")
    return 0


def _bundle(args: argparse.Namespace) -> Path:
    from pipeline.errors import DemoError
    from pipeline.registry.registry import resolve_bundle
    from pipeline.workspace import Workspace

    if args.model and args.bundle:
        raise DemoError(f"give {args.model!r} or --bundle {args.bundle}, not both")
    if args.bundle:
        if not args.bundle.is_dir():
            raise DemoError(f"--bundle {args.bundle}: no such folder; give a bundle's folder")
        return Path(args.bundle)
    # It may fetch the bundle from object storage.
    quiet_tensorflow()
    return resolve_bundle(
        args.model or _DEFAULT_MODEL,
        Workspace.at(args.workspace),
        args.tracking_uri,
        args.model_name,
    )


def _serve(site: Site, bundle: Path, port: int, *, opens: bool) -> int:
    from pipeline.demo.server import DemoServer

    with DemoServer(site, port) as server:
        print(f"{bundle}\nin the browser: {server.address} (ends with Ctrl-C)", flush=True)
        if opens:
            open_in_browser(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0
