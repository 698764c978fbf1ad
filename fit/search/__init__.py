"""The search for parameters: its space, the loss that it minimises, and a journal to continue a search that was killed."""
