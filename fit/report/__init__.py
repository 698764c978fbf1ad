"""Views of results: pictures, tables, HTML."""
