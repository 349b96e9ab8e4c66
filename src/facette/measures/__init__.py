"""Measures: pure functions on arrays, each with its unit, its range and its source."""
