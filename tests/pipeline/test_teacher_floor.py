"""A teacher under a floor is said before anything is labelled, and the verdict of the run names it."""
