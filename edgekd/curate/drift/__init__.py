"""Whether what a student learned from is still true: ages, changes of the traffic, and what to renew."""
