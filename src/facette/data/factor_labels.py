"""True factors as attributes: what made a generated face, in the form that labels of photos have.

Enters: a `FactorTable`. Leaves: an `AttributeTable` of −1 and 1. A continuous factor becomes "is above the middle of
its range", a circular one two attributes, sine and cosine above zero, a categorical one an attribute for each category.
"""

import numpy as np

from facette.data.attributes import NO, YES, AttributeTable, FactorTable
from facette.data.portrait import FACTORS


def factor_labels(factors: FactorTable) -> AttributeTable:
    """(N, F) factors of generated faces to (N, A) attributes."""
    names, columns = [], []
    for factor, values in zip(FACTORS, factors.values.T, strict=True):
        match factor.kind:
            case "continuous":
                names.append(factor.name)
                columns.append(values > (factor.low + factor.high) / 2)
            case "circular":
                names += [f"{factor.name}:sine", f"{factor.name}:cosine"]
                columns += [np.sin(2 * np.pi * values) > 0, np.cos(2 * np.pi * values) > 0]
            case "categorical":
                names += [f"{factor.name}:{category}" for category in factor.categories]
                columns += [np.round(values) == place for place in range(len(factor.categories))]
    table = np.where(np.stack(columns, axis=1), YES, NO).astype(np.int8)
    return AttributeTable(tuple(names), table)
