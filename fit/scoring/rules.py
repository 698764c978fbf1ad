"""Names and defaults of scoring. This file imports nothing, because the command line needs it for its help, which is fast."""

RULES = ("auto", "amplitudes", "tail", "none")  # rules by which parts are held out, see `split.split`
WEIGHTS = (1.0, 1.0, 1.0)  # weights of voltage, timing and spike count in `combined_score`
