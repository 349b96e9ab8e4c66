"""Which few of many seeds lead to relatives that differ most from each other.

Enters: where each seed leads, as vectors. Leaves: indices. Knows neither pictures nor models.

The sum of all pairwise distances (maximum dispersion) is raised greedily, then by exchanges as long as they gain.

Legend: N seeds of the pool, K chosen, D numbers of a vector.
"""

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

EXCHANGES = 200
SMALLEST_GAIN = 1e-12


def most_various(ways: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """`count` of N vectors (N, D) that lie far apart: indices, ascending.

    Raises UsageError for a pool smaller than the choice.
    """
    if count > len(ways):
        raise UsageError(f"a pool of {len(ways)} holds no {count} to choose: make the pool larger.")
    squares = np.square(ways).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * ways @ ways.T, 0))  # (N, N)
    np.fill_diagonal(apart, 0)
    chosen = [int(apart.sum(axis=1).argmax())]
    while len(chosen) < count:
        gain = apart[:, chosen].sum(axis=1)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
    return np.sort(_exchanged(np.array(chosen), apart))


def _exchanged(chosen: NDArray[np.intp], apart: NDArray[np.float64]) -> NDArray[np.intp]:
    """The choice after the exchange that gains most, again and again, until none gains."""
    chosen = chosen.copy()
    for _ in range(EXCHANGES):
        reach = apart[:, chosen].sum(axis=1)  # (N,)
        # gain of putting n in the place of chosen[k]: its distances to the others, less those of chosen[k]
        gain = reach[:, None] - apart[:, chosen] - reach[chosen]
        gain[chosen] = -np.inf
        new, place = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[new, place] <= SMALLEST_GAIN:
            break
        chosen[place] = new
    return chosen
