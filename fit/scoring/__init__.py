"""How a fitted model is judged: held-out parts of a recording, scores, repeats, and the certainty of a ranking."""
