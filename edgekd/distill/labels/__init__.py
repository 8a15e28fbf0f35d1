"""Soft labels: made once by a teacher, kept by content, read by every student."""
