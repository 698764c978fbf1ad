"""Recordings: files in, what they hold, their stimulus and spikes, and what is wrong with them."""
