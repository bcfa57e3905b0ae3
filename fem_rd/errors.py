"""The failures a user can meet, each with its exit status and the words that help.

Everything that goes wrong on purpose is a `FemRdError`; whatever else reaches the command line is
a defect of the program and is reported as one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class FemRdError(Exception):
    """Base of every failure that has a message for the user."""

    exit_status = 3


class CaseError(FemRdError):
    """The case is wrong: one line with the file, the key, what was found and what is valid."""

    exit_status = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        key: str | None = None,
        found: object = None,
        valid: str | Collection[str] | None = None,
    ) -> None:
        self.message, self.file, self.key, self.found = message, file, key, found
        # the names alone, in one order: errors travel between ranks, what the names are of may not
        named = valid is None or isinstance(valid, str)
        self.valid = valid if named else tuple(sorted(map(str, valid or ())))
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments do not survive the default: errors travel between ranks
        return _rebuild_case_error, (self.message, self.file, self.key, self.found, self.valid)

    def at(self, *, file: str | Path | None = None, key: str | None = None) -> CaseError:
        """The same error with the place filled in where it was not yet known."""
        return CaseError(
            self.message,
            file=self.file or file,
            key=self.key or key,
            found=self.found,
            valid=self.valid,
        )

    def __str__(self) -> str:
        place = "".join(f"{part}: " for part in (self.file, self.key) if part)
        found = "" if self.found is None else f"; found {self.found!r}"
        valid = "" if not self.valid else f"; valid: {_listed(self.valid)}"
        return " ".join(f"{place}{self.message}{found}{valid}".split())


def _rebuild_case_error(
    message: str,
    file: str | Path | None,
    key: str | None,
    found: object,
    valid: str | Collection[str] | None,
) -> CaseError:
    return CaseError(message, file=file, key=key, found=found, valid=valid)


class CaseErrors(FemRdError):
    """Several mistakes in one case, one line each."""

    exit_status = 2

    def __init__(self, errors: Sequence[CaseError]) -> None:
        self.errors = tuple(errors)
        super().__init__(self.errors)

    def __reduce__(self) -> tuple[object, ...]:
        return CaseErrors, (self.errors,)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class NumericalError(FemRdError):
    """The numerics failed: what happened, where, and what to try."""

    exit_status = 3

    def __init__(self, message: str, *, remedy: str) -> None:
        self.message, self.remedy = message, remedy
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_numerical_error, (self.message, self.remedy)

    def __str__(self) -> str:
        return f"{self.message}. Try: {self.remedy}."


def _rebuild_numerical_error(message: str, remedy: str) -> NumericalError:
    return NumericalError(message, remedy=remedy)


class Interrupted(FemRdError):
    """The run was stopped from outside after its state was saved."""

    exit_status = 4


@contextmanager
def located(file: str | Path) -> Iterator[None]:
    """Name ``file`` in the mistakes that are found inside and do not know where they are."""
    try:
        yield
    except CaseError as error:
        raise error.at(file=file) from None
    except CaseErrors as several:
        found = [error.at(file=file) for error in several.errors]
        raise (found[0] if len(found) == 1 else CaseErrors(found)) from None


def nearest(name: str, valid: Collection[str]) -> str:
    """A hint ``; did you mean 'x'?`` for a misspelt name, or an empty string."""
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _listed(valid: str | Collection[str]) -> str:
    return valid if isinstance(valid, str) else ", ".join(sorted(valid)) or "(none)"
