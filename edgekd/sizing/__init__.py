"""Which student fits a hardware budget: shapes, what they cost on a target, and how good they get."""
