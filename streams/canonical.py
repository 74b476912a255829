"""The canonical form of a keyword: what it counts under, as a version of the dictionary has it.

A dictionary is data. It says so much here and no more: which texts count under another form than their normal form.
Whoever counts is given the forms, and whoever keeps counts keeps the version beside them: counts under two versions
don't add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec

from infra.failure import Failure
from infra.settings import Settings
from streams.folding import fold
from streams.normal_form import normal_form

NO_VERSION = ""

_folded = lru_cache(maxsize=200_000)(fold)


class BadForms(Failure):
    """A file of canonical forms cannot be read. The text says why."""

    exit_code = 2


@dataclass(frozen=True)
class CanonicalForms:
    """The canonical form of any text. A text that the dictionary does not know counts under its normal form."""

    version: str = NO_VERSION
    """Of the dictionary; `NO_VERSION` when there is none."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Folded text to canonical form, of texts whose canonical form is not their normal form."""

    def __call__(self, text: str) -> str:
        """What `text` counts under; `streams.normal_form.EMPTY` when it has no word."""
        return (self.forms and self.forms.get(_folded(text))) or normal_form(text)


def form_words(canonical: str) -> list[str]:
    """The words of a canonical form, in normal form: without what tells it from another one of the same words."""
    return canonical.partition(" ~")[0].split()


def named(version: str) -> str:
    """A version as a message names it."""
    return f"dictionary {version}" if version else "no dictionary"


NORMAL = CanonicalForms()
"""No dictionary: everything counts under its normal form."""


def write_forms(path: Path, forms: CanonicalForms) -> None:
    """Write the forms as JSON, all or nothing. Those of no dictionary are no file."""
    if not forms.version:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(msgspec.json.encode(forms))
    fresh.replace(path)


def read_forms(path: Path) -> CanonicalForms:
    """Read what `write_forms` wrote.

    Raises:
        BadForms: the file is missing, or is not what it should be.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=CanonicalForms)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadForms(f"{path} cannot be read ({error}): run `keypulse keywords publish`") from None


def forms_file(settings: Settings) -> Path:
    """Where commands without a broker find the published forms."""
    return settings.home / "dictionary" / "forms.json"


def home_forms(settings: Settings) -> CanonicalForms:
    """The forms that were published from this home; the normal forms when none were.

    Raises:
        BadForms: they cannot be read.
    """
    path = forms_file(settings)
    return read_forms(path) if path.exists() else NORMAL
