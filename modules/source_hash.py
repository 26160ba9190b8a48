"""A fingerprint of the project's own code, for the cache keys of the steps that run it.

Steps that load code by dotted path are cached by their inputs and settings alone: without this
hash among the settings, changed code would be served from the cache.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_PROJECT_ROOT = Path(__file__).resolve().parent.parent


def source_hash(*roots: str) -> str:
    """Hashes the Python files of packages and modules, without importing them.

    Names and contents count, where the project lies does not; line ends are normalised,
    so that checkouts on different systems agree.

    Args:
        *roots: Dotted names inside the project: packages (with everything below) or modules.

    Returns:
        16 hexadecimal digits.

    Raises:
        ValueError: No root is given, or one is neither a package nor a module of the project.
    """
    if not roots:
        raise ValueError("source_hash needs at least one dotted package or module name")
    files = sorted({file for root in roots for file in _source_files(root)})
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes().replace(b"\r\n", b"\n")
        name = file.relative_to(_PROJECT_ROOT).as_posix().encode()
        # Lengths keep one file's end apart from the next one's start.
        digest.update(b"%d %s %d\n" % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()[:16]


def _source_files(root: str) -> list[Path]:
    path = _PROJECT_ROOT.joinpath(*root.split("."))
    if path.is_dir():
        files = list(path.rglob("*.py"))
        if files:
            return files
    module = path.with_suffix(".py")
    if module.is_file():
        return [module]
    raise ValueError(f"{root!r} is neither a package nor a module under {_PROJECT_ROOT.name}/")
