"""Who counts as whom, at which app."""
