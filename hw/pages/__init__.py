"""What a model's page shows: its description, its data flow, published cells."""
