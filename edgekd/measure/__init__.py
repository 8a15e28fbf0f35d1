"""Times a callable in fresh processes; knows no model, dataset or metric.

Empty on purpose: the measured process imports this package, and whatever stood here would count as the
subject's cold start and memory.
"""
