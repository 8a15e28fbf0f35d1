"""Inputs that nobody should give, for every reader, and what becomes of each of them."""
