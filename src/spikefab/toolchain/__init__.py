"""External tools and caches: finding and running synthesis, place and route, simulators."""
