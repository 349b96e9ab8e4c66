"""Which few of many draws differ most from each other without losing the likeness.

Enters: places of a pool of pictures and their likeness to the photo. Leaves: indices. Knows no pictures.

Draws that lie far from the photo also lie far from each other, so choosing by spread alone would buy it with likeness.
Here the chosen together are at least as like as is asked, and among such choices spread as far as can be found: the sum
of all pairwise distances (maximum dispersion) is maximised greedily and by exchanges, with a price on likeness that is
raised until the bound holds; what room is left below the bound is then used by further exchanges.

Legend: N pictures of the pool, K chosen.
"""

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.judges.likeness import Places

HIGHEST_PRICE = 64.0  # of a mean likeness, in units of spread
PRICES = 16  # halvings of the price
EXCHANGES = 200
SMALLEST_GAIN = 1e-12


def best_spread(places: Places, likeness: NDArray[np.float64], count: int, least: float) -> NDArray[np.intp]:
    """`count` of N pictures that spread far while their mean likeness stays at `least` or above: indices, ascending.

    Where no choice reaches `least`, the most like are taken. Raises UsageError for a pool smaller than the choice.
    """
    if count > len(places):
        raise UsageError(f"a pool of {len(places)} holds no {count} to choose: make the pool larger.")
    apart = 1 - places @ places.T  # (N, N)
    np.fill_diagonal(apart, 0)
    chosen = _priced(apart, likeness, count, 0.0)
    if likeness[chosen].mean() >= least:
        return np.sort(chosen)
    most_like = np.argsort(-likeness, kind="stable")[:count]
    if likeness[most_like].mean() < least:
        return np.sort(most_like)
    low, high, found = 0.0, HIGHEST_PRICE, [most_like]
    for _ in range(PRICES):
        price = (low + high) / 2
        chosen = _priced(apart, likeness, count, price)
        if likeness[chosen].mean() >= least:
            found.append(chosen)
            high = price
        else:
            low = price
    polished = [_exchanged(one, apart, np.zeros(len(places)), likeness, least) for one in found]
    return np.sort(max(polished, key=lambda one: apart[np.ix_(one, one)].sum()))


def _priced(
    apart: NDArray[np.float64], likeness: NDArray[np.float64], count: int, price: float
) -> NDArray[np.intp]:
    """The choice for one price: greedily, then exchanges as long as they gain."""
    pairs = max(count - 1, 1)
    worth = price * likeness * pairs / 2  # so that spread and likeness are both means over the chosen
    chosen = [int((apart.mean(axis=1) * pairs / 2 + worth).argmax())]
    while len(chosen) < count:
        gain = apart[:, chosen].sum(axis=1) + worth
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
    return _exchanged(np.array(chosen), apart, worth, likeness, -np.inf)


def _exchanged(
    chosen: NDArray[np.intp],
    apart: NDArray[np.float64],
    worth: NDArray[np.float64],
    likeness: NDArray[np.float64],
    least: float,
) -> NDArray[np.intp]:
    """The choice after the best exchanges of one for another that keep its mean likeness at `least` or above."""
    chosen = chosen.copy()
    for _ in range(EXCHANGES):
        to_chosen = apart[:, chosen].sum(axis=1)  # (N,)
        own = to_chosen[chosen] + worth[chosen]  # (K,): what each chosen one brings
        # (K, N): what is gained by putting n in the place of k; n must not count its distance to k
        gains = (to_chosen + worth)[None] - apart[chosen] - own[:, None]
        left = likeness[chosen].sum() - likeness[chosen][:, None] + likeness[None]
        gains[left < least * len(chosen)] = -np.inf
        gains[:, chosen] = -np.inf
        k, n = np.unravel_index(int(gains.argmax()), gains.shape)
        if gains[k, n] <= SMALLEST_GAIN:
            break
        chosen[int(k)] = int(n)
    return chosen
