"""What the runtime refuses, and why."""


class DeviceError(Exception):
    """Base of every error of the runtime; the message says what to do about it."""


class BundleError(DeviceError):
    """A bundle that is missing, damaged, or made for another version of the runtime."""


class HistoryError(DeviceError):
    """A history that the model cannot start from."""


class BudgetError(DeviceError):
    """A budget that is no size, or that no variant keeps."""


class TitleError(DeviceError):
    """A title that names no movie of the catalogue, or more than one."""
