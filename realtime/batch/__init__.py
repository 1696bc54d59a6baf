"""Many recordings: plan, workers, resume, report."""
