"""Budgets of bytes: how they are written, and what files for them are called."""

from __future__ import annotations

PREFIX = "elastic_"
"""Of the names of variants for budgets."""

_UNITS = ((1024**2, "MB"), (1024, "KB"))


def size_text(count: int) -> str:
    """Returns a size as people write it, such as `64KB`, rounded up where it is no whole number.

    Args:
        count: Bytes.
    """
    for unit, name in _UNITS:
        if count % unit == 0:
            return f"{count // unit}{name}"
    return f"{count}B" if count < 1024 else f"{-(-count // 1024)}KB"


def budget_name(budget: int, group: int = 0) -> str:
    """Returns the name of the variant for a budget, such as `elastic_64kb`, `elastic_64kb_group_2`.

    Args:
        budget: Bytes of the file.
        group: Of users, from 1; 0 for everybody's table.
    """
    exact = next((f"{budget // unit}{name}" for unit, name in _UNITS if budget % unit == 0), None)
    name = f"{PREFIX}{exact or f'{budget}b'}".lower()
    return f"{name}_group_{group}" if group else name


def budget_bytes(text: str) -> int:
    """Returns the bytes that a text such as `64KB` stands for.

    Raises:
        ValueError: It is no size.
    """
    # Late: the package brings the interpreter, and most configurations have no budgets.
    from pocketrec_device.budgets import parse_size
    from pocketrec_device.errors import BudgetError

    try:
        return parse_size(text)
    except BudgetError as error:
        raise ValueError(str(error)) from None
