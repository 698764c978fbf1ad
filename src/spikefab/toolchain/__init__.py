"""External tools and caches: finds and runs the programs for synthesis, place and route, and hardware simulation."""
