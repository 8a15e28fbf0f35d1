"""What a teacher claims, held against records: which of it may become a target."""
