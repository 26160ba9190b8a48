"""Where the parts of a batch are computed: on one device, on several, or by several workers.

Exact data parallelism. Every process holds weights and optimizer in ordinary variables. Replicas of
`tf.distribute` form the gradients of their parts, a pure function of the weights; the sums are
reduced over all replicas, and every process makes the same update with the same sums. So there is
nothing to keep in step but these sums, and one process's checkpoint is everybody's.

How many parts a batch has belongs to what a seed means, and how many replicas share them does not:
any strategy makes the same batches and draws the same dropout, and differs by the order of sums.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy.typing as npt
import tensorflow as tf

from pipeline.config.training import DistributionConfig
from pipeline.errors import ConfigError, WorkerError

_VARIABLE = "TF_CONFIG"


class Distribution(Protocol):
    """Computes parts of batches, and lets all workers decide alike.

    Attributes:
        shards: Parts of a batch.
        is_chief: Whether this process evaluates, saves, reports and exports.
    """

    shards: int
    is_chief: bool

    def deal(self, values: npt.NDArray[Any]) -> Any:
        """Gives each replica of this process its share of `[shards, ...]`."""

    def total(self, compute: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Sums what a function returns of each replica's share; for use inside `tf.function`.

        Args:
            compute: Returns a structure of tensors.
            arguments: Results of `deal`, in any structure, and tensors that are the same for all.
        """

    def from_chief(self, compute: Callable[[], float]) -> float:
        """Returns to all workers what the chief computes; the others wait for it."""

    def watched(self, whose: str) -> contextlib.AbstractContextManager[None]:
        """Turns the loss of a worker inside the block into an error that says how to go on.

        Args:
            whose: Where the checkpoint is.
        """


class OneDevice:
    """TensorFlow's default device; the parts run side by side on its threads. See the protocol."""

    is_chief = True

    def __init__(self, shards: int) -> None:
        self.shards = shards

    def deal(self, values: npt.NDArray[Any]) -> Any:
        """See `Distribution.deal`."""
        return values

    def total(self, compute: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """See `Distribution.total`."""
        return compute(*arguments)

    def from_chief(self, compute: Callable[[], float]) -> float:
        """See `Distribution.from_chief`."""
        return compute()

    def watched(self, whose: str) -> contextlib.AbstractContextManager[None]:
        """See `Distribution.watched`."""
        del whose
        return contextlib.nullcontext()


class Replicas:
    """Replicas of a strategy of `tf.distribute`. See the protocol."""

    def __init__(self, strategy: tf.distribute.Strategy, shards: int, *, worker: int = 0) -> None:
        """Takes a strategy over.

        Args:
            strategy: Mirrored or multi-worker mirrored.
            shards: Parts of a batch.
            worker: This process's number; 0 is the chief.

        Raises:
            ConfigError: Replicas cannot share the parts equally.
        """
        replicas = strategy.num_replicas_in_sync
        if shards % replicas:
            raise ConfigError(
                f"training.distribution.shards: {shards} parts of a batch cannot be shared by "
                f"{replicas} replicas; set a multiple of {replicas} (another number of parts gives "
                "other weights from the same seed)"
            )
        self.shards = shards
        self.is_chief = worker == 0
        self._strategy = strategy
        self._worker = worker
        self._share = shards // replicas
        self._reduced = tf.function(self._sum_of_numbers, autograph=False)

    def deal(self, values: npt.NDArray[Any]) -> Any:
        """See `Distribution.deal`."""

        def share(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            first = context.replica_id_in_sync_group * self._share
            return tf.constant(values[first : first + self._share])

        return self._strategy.experimental_distribute_values_from_function(share)

    def total(self, compute: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """See `Distribution.total`."""

        def replica(*arguments: Any) -> Any:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, compute(*arguments))

        results = self._strategy.run(replica, args=arguments)
        return tf.nest.map_structure(
            lambda result: self._strategy.experimental_local_results(result)[0], results
        )

    def from_chief(self, compute: Callable[[], float]) -> float:
        """See `Distribution.from_chief`."""
        number = compute() if self.is_chief else 0.0

        def share(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            mine = self.is_chief and context.replica_id_in_sync_group == 0
            return tf.constant(number if mine else 0.0, tf.float64)

        numbers = self._strategy.experimental_distribute_values_from_function(share)
        return float(self._reduced(numbers))

    @contextlib.contextmanager
    def watched(self, whose: str) -> Iterator[None]:
        """See `Distribution.watched`."""
        try:
            yield
        except (tf.errors.OpError, RuntimeError) as error:
            if not isinstance(self._strategy, tf.distribute.MultiWorkerMirroredStrategy):
                raise
            reason = str(error).splitlines()[0]
            raise WorkerError(
                f"worker {self._worker} lost another worker, or failed itself ({reason}). Start "
                f"all workers again: training goes on from the checkpoint in {whose}"
            ) from error

    def _sum_of_numbers(self, numbers: Any) -> tf.Tensor:
        return self.total(tf.identity, (numbers,))


def build_distribution(config: DistributionConfig) -> Distribution:
    """Builds what `config.strategy` names.

    Args:
        config: The section.

    Raises:
        ConfigError: The replicas cannot share the parts of a batch equally, `TF_CONFIG` is not
            what several workers need, or TensorFlow runs already.
    """
    if config.strategy == "none":
        return OneDevice(config.shards)
    if config.strategy == "mirrored":
        return Replicas(tf.distribute.MirroredStrategy(_local_devices()), config.shards)
    worker = worker_number(os.environ)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ConfigError(
            "training.distribution.strategy: multi_worker has to be set up before TensorFlow "
            "computes anything, which it has done in this process; start each worker with "
            "`python -m modules.training.worker`"
        ) from error
    return Replicas(strategy, config.shards, worker=worker)


def worker_number(environment: Mapping[str, str]) -> int:
    """Reads which worker this process is from `TF_CONFIG`; 0 is the chief.

    Args:
        environment: Variables of the process.

    Raises:
        ConfigError: The variable is not there, or is not what it has to be.
    """
    example = (
        '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    text = environment.get(_VARIABLE)
    if not text:
        raise ConfigError(
            f"training.distribution.strategy: multi_worker needs ${_VARIABLE} on each worker, for "
            f"example {example}"
        )
    try:
        tree = json.loads(text)
        addresses = [
            (kind, index)
            for kind in ("chief", "worker")
            for index in range(len(tree["cluster"].get(kind, [])))
        ]
        return addresses.index((tree["task"]["type"], int(tree["task"]["index"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"${_VARIABLE} is {text}: it has to name all workers and this one (a `chief`, where "
            f"there is one, counts before the workers; nothing else takes part), for example "
            f"{example}"
        ) from error


def _local_devices() -> list[str]:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]
