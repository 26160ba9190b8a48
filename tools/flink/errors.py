"""What can go wrong around the cluster, each with the way out."""

from __future__ import annotations

from pipeline.errors import PocketRecError


class ClusterError(PocketRecError):
    """The cluster cannot be started, stopped or reached."""


class MissingProgramError(ClusterError):
    """A program that the cluster needs is not on this machine."""


class UnreachableError(ClusterError):
    """The packages cannot be fetched because nothing answers."""
