"""What a recording shows: electrophysiological features, measured constants, and the models recommended for it."""
