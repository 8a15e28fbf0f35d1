"""Kinds of answer, one file each: see `edgekd.distill.learner`."""
