"""What every container of a compiled pipeline runs: TFX's own module for it, with mended arguments.

    python -m kubeflow.entrypoint --json_serialized_invocation_args JSON ... --tfx_module MODULE

The run's parameters are put in their places (see `kubeflow.runtime_parameters`), and what
open-source Kubeflow Pipelines leaves out is added (see `kubeflow.mending`). All other arguments
go on as they are. Where the run lies on `s3://`, that file system is made known first (see
`kubeflow.object_storage`).
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from kubeflow import mending, object_storage, runtime_parameters

MODULE_FLAG = "--tfx_module"
OUTPUTS_FLAG = "--json_serialized_outputs_spec_args"
_INVOCATION_FLAG = "--json_serialized_invocation_args"
_INPUTS_FLAG = "--json_serialized_inputs_spec_args"


def prepared(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Takes our own arguments out and mends TFX's.

    Args:
        arguments: Of the container, without the command.

    Returns:
        The module to run, and the arguments for it.

    Raises:
        ValueError: An argument is missing, or a parameter has no value.
    """
    rest = list(arguments)
    module = _take(rest, MODULE_FLAG)
    outputs_spec = json.loads(_take(rest, OUTPUTS_FLAG))
    told = json.loads(_take(rest, runtime_parameters.FLAG, default="{}"))
    inputs_spec = json.loads(_value(rest, _INPUTS_FLAG, default="{}"))
    invocation = json.loads(_value(rest, _INVOCATION_FLAG))
    invocation = mending.mended(invocation, inputs_spec, outputs_spec)
    inputs = invocation.setdefault("inputs", {})
    given = inputs.get("parameterValues", {})
    inputs["parameterValues"] = runtime_parameters.placed(given, told)
    rest[rest.index(_INVOCATION_FLAG) + 1] = json.dumps(invocation)
    return module, rest


def main() -> None:
    """Runs the module in this process, as `python -m` would."""
    module, arguments = prepared(sys.argv[1:])
    sys.argv[1:] = arguments
    os.environ.update(object_storage.variables(os.environ))
    if not any(object_storage.SCHEME in argument for argument in arguments):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    object_storage.register_file_system()
    status = _status_of(module)
    sys.stdout.flush()
    sys.stderr.flush()
    # The file system would abort an orderly end, and so fail a step that has done its work.
    os._exit(status)


def _status_of(module: str) -> int:
    """Runs a module and returns what the process's exit status would be."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _value(arguments: list[str], flag: str, default: str | None = None) -> str:
    if flag in arguments:
        return arguments[arguments.index(flag) + 1]
    if default is None:
        raise ValueError(f"{flag} is missing: the pipeline was compiled by something else")
    return default


def _take(arguments: list[str], flag: str, default: str | None = None) -> Any:
    value = _value(arguments, flag, default)
    if flag in arguments:
        place = arguments.index(flag)
        del arguments[place : place + 2]
    return value


if __name__ == "__main__":
    main()
