"""The exceptions that a caller may want to tell apart.

Each message is the whole story: what is wrong, where (file and line where there is one) and
what to do about it. All of them are `ValueError`, so that a caller who does not care for the
difference needs to know nothing about this module.
"""


class FunkSVDError(ValueError):
    """Base class of every error that this package raises on purpose."""


class UnknownHyperparameterError(FunkSVDError):
    """A name that is not one of a hyperparameter.

    Parameters
    ----------
    message : str
    name : str
        The name.
    """

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class RatingsError(FunkSVDError):
    """Ratings, pairs or titles that cannot be read or make no sense."""


class UnknownIdError(FunkSVDError, KeyError):
    """A user or an item that the model has never seen, where it has to know it."""

    __str__ = ValueError.__str__  # KeyError would print the message in quotes


class NotFittedError(FunkSVDError, AttributeError):
    """A model that is asked for something it only has after `fit`."""


class DivergenceError(FunkSVDError):
    """Training that diverges however small the learning rate is made."""


class ModelFileError(FunkSVDError):
    """A model file that is missing, truncated, foreign or altered."""


class ModelWriteError(FunkSVDError):
    """A model file that cannot be written."""


class DataChangedError(FunkSVDError):
    """Ratings that are no longer the ones a model was trained on."""


class DownloadError(FunkSVDError):
    """A data set that cannot be downloaded, or is not what was published."""


def how_to_install(extra: str) -> str:
    """The advice, for a message, on how to install the packages of an extra."""
    return f'in the folder that funksvd was installed from, pip install ".[{extra}]"'
