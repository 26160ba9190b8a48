"""Options that say which variant of a model is run: by name, or the best within a budget."""

from __future__ import annotations

import argparse
import dataclasses


@dataclasses.dataclass(frozen=True)
class VariantChoice:
    """What was asked for; with nothing said it is the gated variant.

    Attributes:
        variant: A variant's name.
        budget: Most bytes of the file.
        memory_budget: Most bytes that the running model takes.
    """

    variant: str | None = None
    budget: int | None = None
    memory_budget: int | None = None

    @classmethod
    def of(cls, args: argparse.Namespace) -> VariantChoice:
        """Reads the options that `add_variant_options` added."""
        return cls(args.variant, args.budget, args.memory_budget)


def add_variant_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--variant`, `--budget` and `--memory-budget`."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--variant", help="variant of the model (default: the gated one)")
    one.add_argument(
        "--budget",
        type=size,
        metavar="SIZE",
        help="the variant with the best recall whose file has at most so many bytes, e.g. 64KB",
    )
    parser.add_argument(
        "--memory-budget",
        type=size,
        metavar="SIZE",
        help="the same of the bytes that the running model takes; goes with --budget, too",
    )


def size(text: str) -> int:
    """Returns the bytes of a size such as `64KB`, as argparse reads an argument."""
    from pocketrec_device.budgets import parse_size
    from pocketrec_device.errors import BudgetError

    try:
        return parse_size(text)
    except BudgetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
