"""Read a training: what its log shows, what is wrong with it, what to try next."""
