"""What bundles for model servers share: golden answers, the client, what sharing a batch does."""
