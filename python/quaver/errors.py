"""What can go wrong. Messages are one line and name the file, node, option or sample, as on the command line."""


class QuaverError(Exception):
    """Anything that Quaver complains about."""


class ModelError(QuaverError):
    """The model: its file, an operator, a shape, a value that is not finite."""


class DataError(QuaverError, ValueError):
    """The data: a file, a sample, a label."""


class OptionError(QuaverError, ValueError):
    """An argument that does not fit the model or the data."""


class StoreError(QuaverError):
    """A store: it is not complete, damaged, or holds another run."""


class OutputError(QuaverError, OSError):
    """A file that could not be written."""


class MissingDependencyError(QuaverError, ImportError):
    """A package that only this call needs is not installed."""


__all__ = ["DataError", "MissingDependencyError", "ModelError", "OptionError", "OutputError", "QuaverError", "StoreError"]
