"""Intervals and paired tests, on numpy and scipy."""
