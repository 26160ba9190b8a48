"""Parsers whose errors say what was probably meant, and a help that is sorted by purpose."""

from __future__ import annotations

import argparse
import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

_CHOICE = re.compile(r"invalid choice: (?P<given>'[^']*'|\S+) \(choose from (?P<known>.*)\)$")
_NAMESPACE_PARSER = "parser"

N = TypeVar("N")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that names what is close to what was given."""

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2."""
        self.exit(2, f"{self.prog}: {self._with_hint(message)}; see `{self.prog} --help`\n")

    def unrecognized(self, words: Sequence[str]) -> NoReturn:
        """Ends the process, as nothing takes these words."""
        options = [word.partition("=")[0] for word in words if word.startswith("-")]
        hints = [_close(option, self._option_string_actions) for option in options]
        self.error(f"unrecognized arguments: {' '.join(words)}{_meant(hints)}")

    def _with_hint(self, message: str) -> str:
        match = _CHOICE.search(message)
        if match is not None:
            given, known = match["given"].strip("'"), re.findall(r"'([^']*)'", match["known"])
            start = message[: match.start()]
            names = f"one of {', '.join(known)}"
            return f"{start}{given!r} is not {names}{_meant([_close(given, known)])}"
        if message.endswith("required: ACTION"):
            return f"{message}, one of {', '.join(self._commands())}"
        return message

    def _commands(self) -> Sequence[str]:
        return [name for action in _subparsers(self) for name in action.choices]


class MainParser(Parser):
    """The parser of the program itself."""

    def __init__(self, groups: Mapping[str, Sequence[str]], **options: Any) -> None:
        """Makes a parser.

        Args:
            groups: Commands by the heading under which the help lists them.
            **options: Of `argparse.ArgumentParser`.
        """
        super().__init__(**options)
        self._groups = groups

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses; what the chosen command does not know is its own error, not the program's."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            getattr(found, _NAMESPACE_PARSER, self).unrecognized(rest)
        return found

    def format_help(self) -> str:
        """Returns the help, with the commands under their headings."""
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, [], [], "usage: ")
        formatter.add_text(self.description)
        listed = {
            entry.dest: entry for action in _subparsers(self) for entry in action._choices_actions
        }
        for heading, names in self._groups.items():
            formatter.start_section(heading)
            formatter.add_arguments([listed[name] for name in names])
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments(
            action for action in self._actions if action.option_strings and action.help
        )
        formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()


class TextFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of descriptions and examples; what is wider than the terminal is wrapped."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.expandtabs().splitlines()
        return "\n".join(
            textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent)
            if len(line) > width and not line.startswith(" ")
            else indent + line
            for line in lines
        )


def finish(parser: argparse.ArgumentParser) -> None:
    """Gives each command a help that fits, `--debug`, and a name for where it cannot parse."""
    for command in every(parser):
        if command is not parser:
            command.formatter_class = TextFormatter
    for command in leaves(parser):
        command.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show the traceback of an error",
        )
        command.set_defaults(**{_NAMESPACE_PARSER: command})


def every(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yields a parser and all below it."""
    yield parser
    for action in _subparsers(parser):
        for child in action.choices.values():
            yield from every(child)


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yields the parsers of commands that have no commands below them."""
    below = [child for action in _subparsers(parser) for child in action.choices.values()]
    if not below:
        yield parser
    for child in below:
        yield from leaves(child)


def _subparsers(
    parser: argparse.ArgumentParser,
) -> list[argparse._SubParsersAction[argparse.ArgumentParser]]:
    return [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]


def _close(given: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)), None)


def _meant(hints: Sequence[str | None]) -> str:
    found = [hint for hint in hints if hint is not None]
    return f"; did you mean {' '.join(found)}?" if found else ""
