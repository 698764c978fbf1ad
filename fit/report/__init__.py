"""Views of the results of a fit: pictures, tables and an HTML report."""
