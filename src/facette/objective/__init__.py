"""What a run minimises: the evidence lower bound, and the terms that a recipe may add to it, as pure functions.

bound            distortion and rate of each image, their weights, the bound of several draws
aggregate        terms of the whole batch: total correlation, covariance, maximum mean discrepancy
discriminator    the network of FactorVAE's estimate
schedule         β and capacity at a step
total            the sum
"""

from facette.objective.bound import (
    Elbo,
    FeatureNetwork,
    elbo_terms,
    focus_weights,
    identity_distance,
    importance_bound,
    importance_loss,
    log_likelihood,
    rate_price,
    scale_sums,
    weighted_loss,
)
from facette.objective.schedule import beta_at, capacity_at, draw_noise
from facette.objective.total import Total, WholeBatch, total_objective

__all__ = [
    "Elbo",
    "FeatureNetwork",
    "Total",
    "WholeBatch",
    "beta_at",
    "capacity_at",
    "draw_noise",
    "elbo_terms",
    "focus_weights",
    "identity_distance",
    "importance_bound",
    "importance_loss",
    "log_likelihood",
    "rate_price",
    "scale_sums",
    "total_objective",
    "weighted_loss",
]
