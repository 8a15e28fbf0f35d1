"""Jobs on one artifact, one bundle or one model from elsewhere, apart from any project."""
