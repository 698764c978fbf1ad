"""What a fit is judged by: held-out parts, scores, repeats, and how certain a rank is."""
