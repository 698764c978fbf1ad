"""Many recordings: jobs, worker processes, and the table of what became of them."""
