"""What a file costs a device, measured in a process of its own: `costs MODEL SAMPLES OUTPUT`.

Memory is what the process holds in RAM at most, from before the file is opened to after the first
answer: the file, what the interpreter makes of it, and those parts of the interpreter's own code
that this model runs, some megabytes. Importing the interpreter is not counted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.tflite_converter.child_process import run, tail
from components.tflite_converter.convert import ConversionError
from components.tflite_converter.samples import Samples, read_samples, write_samples
from modules.evaluation.latency import measure
from modules.evaluation.litert import SIGNATURE
from pipeline.text_file import write_text

METER = (sys.executable, "-m", "components.tflite_converter.costs")

_SECONDS = 0.5
_PILOT = 20
_INVOCATIONS = (50, 2000)
_STATUS = Path("/proc/self/status")
_FORGET_PEAK = "5"


@dataclasses.dataclass(frozen=True)
class Costs:
    """Measured, so that no two measurements are the same.

    Attributes:
        latency_ms: Median of single inferences, one thread, batch of one.
        memory_bytes: Growth of the peak resident memory.
    """

    latency_ms: float
    memory_bytes: int


def measured_costs(
    content: bytes,
    samples: Samples,
    *,
    name: str,
    timeout_seconds: float,
    meter: Sequence[str] = METER,
) -> Costs:
    """Measures a file in a new process, in about a second.

    Args:
        content: A `.tflite` file.
        samples: What to ask it, taken in turn.
        name: What to call it in errors.
        timeout_seconds: After these the process is ended.
        meter: Command of the process.

    Raises:
        ConversionError: The process crashed, failed or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-costs-") as folder:
        model, output = Path(folder, "model.tflite"), Path(folder, "costs.json")
        model.write_bytes(content)
        asked = write_samples(Path(folder, "samples.npz"), samples)
        log = Path(folder, "log")
        outcome = run([*meter, str(model), str(asked), str(output)], log, timeout_seconds)
        if outcome is None and output.is_file():
            return Costs(**json.loads(output.read_text(encoding="utf-8")))
        raise ConversionError(
            f"variant {name}: the measurement of time and memory "
            f"{outcome or 'ended without a result'}:\n{tail(log)}"
        )


def main(arguments: Sequence[str]) -> None:
    """Measures and writes the result.

    Args:
        arguments: The `.tflite` file, samples, the JSON file to write.
    """
    model, samples, output = (Path(argument) for argument in arguments)
    asked = read_samples(samples)
    # First: a second load would find memory that the first one left behind.
    memory = growth_of_memory(model, asked)
    costs = Costs(median_ms(model.read_bytes(), asked), memory)
    answer_together(model, asked)
    write_text(output, json.dumps(dataclasses.asdict(costs)))


def growth_of_memory(model: Path, samples: Samples) -> int:
    """Returns how many bytes more this process takes at most for loading a file and one answer."""
    from ai_edge_litert.interpreter import Interpreter

    # Where the system allows for it, the highest memory so far is forgotten.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
    before = _peak()
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    details = interpreter.get_signature_runner(SIGNATURE).get_input_details()
    interpreter.allocate_tensors()
    for name, described in details.items():
        interpreter.set_tensor(described["index"], samples[name][:1])
    interpreter.invoke()
    return _peak() - before


def answer_together(model: Path, samples: Samples) -> None:
    """Asks for all samples at once, as only other batches make LiteRT prepare a graph anew.

    Some graphs end the process there. It is one that nothing else depends on.
    """
    from ai_edge_litert.interpreter import Interpreter

    Interpreter(model_path=str(model), num_threads=1).get_signature_runner(SIGNATURE)(**samples)


def median_ms(content: bytes, samples: Samples) -> float:
    """Returns the median time of an inference, over as many as half a second allows for."""
    inputs: dict[str, Any] = {name: np.asarray(values) for name, values in samples.items()}
    fewest, most = _INVOCATIONS
    pilot = measure(content, inputs, _PILOT)["median_ms"]
    invocations = int(np.clip(_SECONDS * 1000 / pilot, fewest, most))
    return measure(content, inputs, invocations)["median_ms"]


def _peak() -> int:
    if _STATUS.exists():
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(sys.argv[1:])
