"""What a CI job needs of a comparison: one line, files, and artifacts found as subjects."""
