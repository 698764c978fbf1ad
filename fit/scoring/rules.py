"""The names and defaults of scoring that a command line shows in its help: this file imports nothing, so that help is fast."""

RULES = ("auto", "amplitudes", "tail", "none")  # how a part is held out, see `split.split`
WEIGHTS = (1.0, 1.0, 1.0)  # weights of voltage, timing and spike count in `combined_score`
