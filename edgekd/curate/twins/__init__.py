"""Noisy twins: the user's own rows, written once more as hurried or hostile customers would write them."""
