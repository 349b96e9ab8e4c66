"""Networks that only measure: what they see in pictures, and where that is kept. None is ever part of a loss."""
