"""What people look at: a queue within what they can do, their judgments, and what these say."""
