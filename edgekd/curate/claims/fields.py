"""Claims of the form "the FIELD of SUBJECT is VALUE", held against the record of that name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekd.curate.claims.records import OpenRecords, name_of
from edgekd.curate.claims.verdict import CONTRADICTED, SUPPORTED, UNSUPPORTED, Checked
from edgekd.data.normalise import normalise
from edgekd.errors import DataError

_NEAR = 1e-9  # numbers that files wrote in other precision are one


@dataclass(frozen=True)
class FieldClaim:
    """That a field of the record called `subject` has a value.

    Attributes:
        given: names of the records that whoever claims it was given to read; None where nobody knows. Another
            record may say so, but then the claim does not rest on what was read.
    """

    subject: str
    field: str
    value: Any
    given: tuple[str, ...] | None = None


def check_fields(claims: Sequence[FieldClaim], records: OpenRecords) -> Checked:
    """Give each claim its verdict; a claim's rule is its field's name.

    Numbers are compared as numbers, texts without case, accents' form and spacing; where a record has a list,
    one of its entries is enough. Unsupported is what no record says: it is not there, has no such field, or
    nothing in it, or was not among those that were given.
    """
    columns = {name: records.table[name].to_pylist() for name in records.table.column_names}
    found = np.full(len(claims), UNSUPPORTED, np.int8)
    for number, claim in enumerate(claims):
        subject = name_of(claim.subject)
        place = -1 if subject is None else records.places.get(subject, -1)
        is_given = claim.given is None or subject in {name_of(one) for one in claim.given}
        known = columns[claim.field][place] if place >= 0 and is_given and claim.field in columns else None
        if known is None or known == [] or known != known:
            continue
        found[number] = SUPPORTED if _says(known, claim.value) else CONTRADICTED
    return Checked(found, tuple(claim.field for claim in claims))


def read_field_claims(rows: Sequence[dict[str, Any]], source: str) -> list[FieldClaim]:
    """Read claims from rows with `subject`, `field` and `value`, and `given` where it is known.

    Raises:
        DataError: naming the row that lacks one.
    """
    claims = []
    for number, row in enumerate(rows, start=1):
        for name in ("subject", "field", "value"):
            if row.get(name) in (None, ""):
                raise DataError(
                    f"{source}: row {number}: '{name}' is empty; expected subject, field and value"
                )
        given = row.get("given")
        if given is not None and not isinstance(given, list):
            raise DataError(f"{source}: row {number}: 'given' must be a list of records, got {given!r:.60}")
        names = None if given is None else tuple(str(one) for one in given)
        claims.append(FieldClaim(str(row["subject"]), str(row["field"]), row["value"], names))
    return claims


def _says(known: Any, value: Any) -> bool:
    if isinstance(known, list | tuple):
        return any(_says(one, value) for one in known)
    one, other = _number(known), _number(value)
    if one is not None and other is not None:
        return math.isclose(one, other, rel_tol=_NEAR, abs_tol=_NEAR)
    return normalise(str(known)) == normalise(str(value))


def _number(value: Any) -> float | None:
    """Return what a value is as a number, None where it is none; true and false are none.

    >>> _number("12.50"), _number("vol. 3"), _number(True)
    (12.5, None, None)
    """
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
