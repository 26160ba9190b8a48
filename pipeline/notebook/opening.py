"""Which workspace and run a notebook looks at."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.cli.common import quiet_tensorflow
from pipeline.lineage import Lineage, Run
from pipeline.workspace import Workspace

WORKSPACE_VARIABLE = "POCKETREC_WORKSPACE"
RUN_VARIABLE = "POCKETREC_RUN"
_BESIDE_THE_NOTEBOOKS = Path("../workspace")


def open_workspace() -> tuple[Lineage, Run]:
    """Returns the records of a workspace and one run of it, and quiets what is imported later.

    The workspace is $POCKETREC_WORKSPACE, else the checkout's; the run is $POCKETREC_RUN, else the
    latest.

    Raises:
        DataError: There is no workspace, no run, or none of that name.
    """
    quiet_tensorflow()
    workspace = Workspace.at(os.environ.get(WORKSPACE_VARIABLE) or _BESIDE_THE_NOTEBOOKS)
    lineage = Lineage(workspace.metadata_db)
    run = lineage.read(os.environ.get(RUN_VARIABLE) or None)
    print(f"run {run.run_id}, one of {len(lineage.run_ids())} in {workspace.root}")
    return lineage, run
