"""Reads Dockerfiles, with the parser of Docker's own builder."""

from __future__ import annotations

import dataclasses
import shlex
import string
from collections.abc import Mapping
from pathlib import Path

import dockerfile as buildkit
from docker.utils.build import exclude_paths


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: In capitals.
        flags: Values by name, without dashes.
        words: What follows; of a `RUN` in shell form the whole command as one word.
        exec_form: Whether the words are given as a JSON list.
        text: As written, for messages.
    """

    keyword: str
    flags: Mapping[str, str]
    words: tuple[str, ...]
    exec_form: bool
    text: str


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a build.

    Attributes:
        name: By which later stages copy from it; empty for a stage without.
        image: That it starts from, build arguments replaced by their defaults.
        instructions: Those after `FROM`, in order.
    """

    name: str
    image: str
    instructions: tuple[Instruction, ...]

    def last(self, keyword: str) -> Instruction:
        """Returns the instruction that is in force in the end."""
        found = [i for i in self.instructions if i.keyword == keyword]
        assert found, f"no {keyword} in the stage from {self.image}"
        return found[-1]


def read(path: Path) -> tuple[Stage, ...]:
    """Returns the stages of a Dockerfile."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for command in buildkit.parse_file(str(path)):
        flags = dict(flag.removeprefix("--").partition("=")[::2] for flag in command.flags)
        keyword = command.cmd.upper()
        parsed = Instruction(keyword, flags, command.value, command.json, command.original)
        if keyword == "ARG" and not stages:
            arguments.update(word.partition("=")[::2] for word in parsed.words)
        elif keyword == "FROM":
            image, *named = parsed.words
            name = named[1] if named else ""
            stages.append(Stage(name, string.Template(image).substitute(arguments), ()))
        else:
            told = (*stages[-1].instructions, parsed)
            stages[-1] = dataclasses.replace(stages[-1], instructions=told)
    return tuple(stages)


def environment(instruction: Instruction, before: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that an `ENV` sets, others in them replaced by their values before."""
    words = instruction.words
    return {
        name: string.Template("".join(shlex.split(value))).substitute(before)
        for name, value in zip(words[::2], words[1::2], strict=True)
    }


def context_files(context: Path) -> set[str]:
    """Returns what a build gets to see, as paths below `context`, folders too."""
    ignore = context / ".dockerignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return set(exclude_paths(str(context), patterns))
