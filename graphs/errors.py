"""One tree of errors: everything a user can cause or must act on derives from ArchgenError."""

import difflib
from collections.abc import Iterable


class ArchgenError(Exception):
    """Base of all errors that archgen raises on purpose; the message says what to do."""


class InvalidArchitecture(ArchgenError):
    """A graph or string breaks a rule of its search space; names the rule and the node."""


class UnknownName(ArchgenError):
    """A space, task, strategy, metric or option that does not exist."""


class InvalidOption(ArchgenError):
    """An option whose value cannot be used, such as a budget below 1."""


class TableError(ArchgenError):
    """A benchmark table that is missing, cut short, or holds something it must not hold."""


class DataError(ArchgenError):
    """A data set to train on that is missing, or holds something that cannot be trained on."""


class TooLarge(DataError):
    """A data set that does not fit into memory; says what it needs and what there is."""


class StoreError(ArchgenError):
    """A campaign store that cannot be read or written, is newer, or belongs to another campaign."""


class CampaignBusy(StoreError):
    """Another process works on the campaign directory."""


class LeaseLost(StoreError):
    """What was to be written belongs to another process by now, since this one was silent for too long."""


class CheckpointError(ArchgenError):
    """A generator checkpoint that is cut short, edited, or made for another space."""


class ExportError(ArchgenError):
    """A trained network that cannot be written in another form, or does not compute the same there."""


class EvaluationError(ArchgenError):
    """An evaluator returned something that is not a mapping of finite metrics."""


class NotFinite(EvaluationError):
    """A metric that an objective or a bound needs is NaN or infinite."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for a mistyped `name`, with the nearest known one and the list of all."""
    choices = sorted(known)
    close = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UnknownName(f"unknown {kind} {name!r}.{hint} Choose one of: {', '.join(choices)}.")
