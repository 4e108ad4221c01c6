"""Every error that a user can meet, as one tree.

    ZooError
     +-- SpecError        a YAML file, or a --set value, that does not describe a model  (exit code 2)
     +-- DataError        data that cannot be found, read or trusted                     (exit code 2)
     +-- ServeError       a wrong call of an exported generator, or a damaged artifact   (exit code 2)
     +-- UsageError       a command line that cannot be carried out                      (exit code 2)
     +-- TrainingError    a run that broke: non-finite losses, a foreign checkpoint      (exit code 1)
     +-- ExportError      an ONNX file that does not compute what Keras computes         (exit code 1)
     +-- DiskFullError    a file for which the disk has too little space                 (exit code 1)

A message is one clear line: the place, the rule, what was received, the nearest right thing.
"""

from __future__ import annotations


class ZooError(Exception):
    """Base of all expected errors. The command line returns `exit_code`: 2 for the user's mistake, 1 for ours."""

    exit_code = 1


class SpecError(ZooError):
    """One or many located mistakes in a spec; `str()` has a line for each, in file order."""

    exit_code = 2


class DataError(ZooError):
    """A data set that cannot be found or read, or whose SHA-256 is not the stated one."""

    exit_code = 2


class ServeError(ZooError):
    """A wrong call of an exported generator, or an artifact that was changed, truncated or made by a later zoo."""

    exit_code = 2


class UsageError(ZooError):
    """A command line that cannot be carried out; the message names what can be done instead."""

    exit_code = 2


class TrainingError(ZooError):
    """A run that cannot go on: non-finite losses, a checkpoint of another spec."""


class ExportError(ZooError):
    """An ONNX file that differs from Keras, or that could not be made."""


class DiskFullError(ZooError):
    """A file that was not written because its disk is full; what stood in its place still stands."""
