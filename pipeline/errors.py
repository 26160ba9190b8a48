"""Errors that are the user's to mend: shown as one message, without a traceback."""


class PocketRecError(Exception):
    """Bad input or state, with a message that names the place, the value and the way out."""


class ConfigError(PocketRecError):
    """A configuration file or override that cannot be used."""


class DataError(PocketRecError):
    """A data set that cannot be read, or that is not what it says it is."""


class WorkerError(PocketRecError):
    """A process of a distributed training that is lost."""


class RegistryError(PocketRecError):
    """A model, version, alias or bundle that cannot be found or trusted."""


class GateError(PocketRecError):
    """A gate that did not bless; the message says which one and why."""


class DemoError(PocketRecError):
    """A browser demo that cannot be put together, served or exported."""
