"""Executes Dockerfiles without Docker: every stage in a Debian root of its own.

A root is made by debootstrap, of the Debian release that the base image has, with the Python that
runs the tests in /usr/local, where the base image has its own. Instructions run in order, in a
chroot with mount and process namespaces of its own, under the user and with exactly the variables
that the Dockerfile gives.

Covered: the instructions themselves, apt-get and package installs from empty caches, which system
libraries have to be there, file owners and rights as the final user meets them.

Not covered: the base image's own Python build and layers, capabilities and seccomp profiles of a
container runtime, the network of a build (the machine's own, with its name resolution and its
certificates lent while a command runs), and the image's packing.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kubeflow.dockerfile import Instruction, Stage, context_files, environment

# What the official image's Python links to, and the packages that the image adds to Debian's least.
_PACKAGES = (
    "ca-certificates,netbase,tzdata,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8,"
    "libsqlite3-0,libssl3,libuuid1,zlib1g"
)
_SYSTEM_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_LENT = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def missing_means() -> str:
    """Returns what this machine lacks for making a root; empty where nothing is."""
    if os.geteuid() != 0:
        return "chroot needs root"
    if sys.base_prefix in ("/", "/usr"):
        return f"the tests' Python is the system's own ({sys.base_prefix}) and cannot be lent"
    lacking = [tool for tool in ("debootstrap", "unshare", "chroot") if not shutil.which(tool)]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    allowed = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    return "" if allowed.returncode == 0 else "this machine allows no namespaces"


@dataclasses.dataclass(frozen=True)
class Image:
    """A root, and how commands in it start.

    Attributes:
        root: The folder.
        variables: The environment, nothing else is in it.
        folder: The working directory inside the root.
        user: `UID:GID`.
    """

    root: Path
    variables: Mapping[str, str]
    folder: str = "/"
    user: str = "0:0"

    def run(
        self,
        command: Sequence[str],
        *,
        expect: int = 0,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Runs a command to its end.

        Args:
            command: Words.
            expect: The exit status that it must have.
            variables: Beside the image's own.

        Returns:
            What it wrote to standard output and error.
        """
        done = subprocess.run(
            self.words(command, variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        assert done.returncode == expect, (
            f"{command}: exit {done.returncode}\n{done.stdout[-6000:]}"
        )
        return done.stdout

    def words(
        self,
        command: Sequence[str],
        variables: Mapping[str, str] | None = None,
        writable: Sequence[str] | None = None,
    ) -> list[str]:
        """Returns the words that start a command in the root, on the machine itself.

        Args:
            command: Words.
            variables: Beside the image's own.
            writable: The only folders that can be written, and empty at first; None: all can.
        """
        settings = {**self.variables, **(variables or {})}
        inside = [
            *("chroot", f"--userspec={self.user}", str(self.root), "env", "--ignore-environment"),
            *(f"--chdir={self.folder}",),
            *(f"{name}={value}" for name, value in settings.items()),
            *command,
        ]
        root = shlex.quote(str(self.root))
        mounts = [f"mount --bind {root} {root}", f"mount -t proc proc {root}/proc"]
        for path in _LENT:
            mounts += [f"touch {root}{path}", f"mount --bind {path} {root}{path}"]
        for path in ("/dev/shm", *(writable or ())):
            mounts.append(f"mount -t tmpfs -o mode=1777 tmpfs {root}{path}")
        if writable is not None:
            mounts.append(f"mount -o remount,bind,ro {root}")
        script = "; ".join(["set -e", *mounts, f"exec {shlex.join(inside)}"])
        # Mounts end with the namespace: none is left behind, whatever becomes of the command.
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]


def base(folder: Path, release: str) -> Path:
    """Makes a root like the official Python image of a Debian release.

    Args:
        folder: Where to make it; must not exist.
        release: E.g. `bookworm`.
    """
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", release, str(folder)],
        check=True,
        capture_output=True,
    )
    prefix = Path(sys.base_prefix)
    # Installed packages stay behind; a new environment takes pip from the standard library.
    unneeded = shutil.ignore_patterns("site-packages", "test", "__pycache__", "share")
    shutil.copytree(
        prefix, folder / "usr/local", symlinks=True, dirs_exist_ok=True, ignore=unneeded
    )
    (folder / "dev/shm").mkdir(exist_ok=True)
    image = Image(folder, {"PATH": _SYSTEM_PATH})
    image.run(["ldconfig"])
    image.run(["python3.10", "-c", "import bz2, ctypes, lzma, readline, sqlite3, ssl, uuid, zlib"])
    return folder


def build(stages: Sequence[Stage], context: Path, start: Path, name: str) -> Image:
    """Executes all stages.

    Args:
        stages: Of the Dockerfile; every one starts from `start`.
        context: The build's folder.
        start: A root made by `base`.
        name: Of the image; its stages' roots are made beside `start`.

    Returns:
        The last stage.
    """
    seen = context_files(context)
    roots: dict[str, Path] = {}
    image = Image(start, {})
    for number, stage in enumerate(stages):
        root = start.with_name(f"{name}-{number}")
        subprocess.run(["cp", "--archive", str(start), str(root)], check=True)
        roots[stage.name] = root
        image = Image(root, {"PATH": _SYSTEM_PATH})
        for instruction in stage.instructions:
            image = _executed(instruction, image, context, seen, roots)
    return image


def _executed(
    instruction: Instruction, image: Image, context: Path, seen: set[str], roots: dict[str, Path]
) -> Image:
    words = instruction.words
    match instruction.keyword:
        case "ENV":
            told = environment(instruction, image.variables)
            return dataclasses.replace(image, variables={**image.variables, **told})
        case "WORKDIR":
            (image.root / words[0].lstrip("/")).mkdir(parents=True, exist_ok=True)
            return dataclasses.replace(image, folder=words[0])
        case "USER":
            return dataclasses.replace(image, user=words[0])
        case "RUN":
            command = words if instruction.exec_form else ("/bin/sh", "-c", words[0])
            image.run(command, variables=_lent_variables())
        case "COPY":
            _copy(instruction, image, context, seen, roots)
        case "CMD" | "HEALTHCHECK" | "EXPOSE" | "LABEL":
            pass
        case _:
            raise NotImplementedError(f"cannot execute: {instruction.text}")
    return image


def _lent_variables() -> dict[str, str]:
    """Returns what a build is told of this machine's network, as Docker's proxy settings would."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "UV_DEFAULT_INDEX")
    told = {name: os.environ[name] for name in proxies if name in os.environ}
    return {"SSL_CERT_FILE": _CERTIFICATES, "PIP_CERT": _CERTIFICATES, **told}


def _copy(
    instruction: Instruction, image: Image, context: Path, seen: set[str], roots: dict[str, Path]
) -> None:
    """Copies as `COPY` does: a folder's content, or files under their names."""
    unknown = set(instruction.flags) - {"from"}
    if unknown:
        raise NotImplementedError(f"cannot execute: {instruction.text}")
    *sources, target = instruction.words
    place = image.root / str(Path(image.folder, target)).lstrip("/")
    for source in sources:
        if "from" in instruction.flags:
            _copy_all(roots[instruction.flags["from"]] / source.lstrip("/"), place)
            continue
        assert source in seen, f"{instruction.text}: {source!r} is not in the build's context"
        if (context / source).is_dir():
            below = f"{source}/"
            for name in sorted(seen):
                if name.startswith(below) and (context / name).is_file():
                    _copy_file(context / name, place / name.removeprefix(below))
        else:
            into = place / Path(source).name if target.endswith("/") else place
            _copy_file(context / source, into)


def _copy_all(source: Path, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    # Gigabytes, and the stage that they come from is at its end: links do.
    subprocess.run(["cp", "--archive", "--link", f"{source}/.", str(place)], check=True)


def _copy_file(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, place)
    os.chown(place, 0, 0)
