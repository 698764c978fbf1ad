"""The content of a model's page: description, tables, drawing of the data flow, published parameter sets."""
