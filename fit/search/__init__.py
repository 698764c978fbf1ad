"""The search: its space, the loss that it minimises, and the journal that lets it go on after a kill."""
