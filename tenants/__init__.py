"""Who exists, who may touch what, and what happened."""
