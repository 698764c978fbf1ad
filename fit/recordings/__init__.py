"""Recordings: readers of files by format, the stimulus and the spikes of a recording, and warnings about its quality."""
