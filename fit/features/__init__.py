"""What a recording shows: electrophysiological features, measured constants, and the models that they point at."""
