"""The sentences that the Studio shows: advice in the words of its page, and paths without folders of this machine."""

from pathlib import Path

from spikefab.errors import Advice, worded

# advice -> its words on the page, which name the controls of the page
WORDS = {
    Advice.GIVE_DT: "give the time between two samples, in ms",
    Advice.ADD_CURRENT: "add its current, from a file of its own",
    Advice.ADD_CURRENT_OR_CHANNEL: "add its current, from a file of its own or a channel of this one",
    Advice.ONE_CURRENT: "The current comes from a file of its own or from a channel, not from both",
    Advice.CURRENT_TAKES: "a current comes as",
    Advice.VOLTAGE_CHANNEL_IS_FOR: "the channel of the voltage can be chosen in",
    Advice.CURRENT_CHANNEL_IS_FOR: "the channel of the current can be chosen in",
    Advice.CHOOSE_VOLTAGE: "give the channel of the voltage, by name or number",
    Advice.CHOOSE_CURRENT: "give the channel of the current, by name or number",
    Advice.UNITS_IS_FOR: "units can be given for",
    Advice.ELECTRODE_IS_FOR: "an electrode can be chosen in",
    Advice.RELABEL: "; if one holds the membrane's voltage, give its channel and its unit",
    Advice.IN_CURRENT_CLAMP: "; if it is current clamp, give the channels of voltage and current",
    Advice.OTHER_VOLTAGE: "; “Read it otherwise” takes another",
    Advice.OTHER_CHANNEL: "; “Read it otherwise” takes another",
    Advice.OTHER_ELECTRODE: "; “Read it otherwise” takes another",
    Advice.SOME_SWEEPS: "save some of them in a file of their own",
    Advice.SMALLER_SPIKES: "give the least height of a spike under “Read it otherwise”",
    Advice.NO_ELECTRODE: "choose none",
    Advice.OUT_IS_A_FOLDER: "a folder is needed",
    Advice.OTHER_OUT: "choose another folder",
    Advice.NAME_THE_MODEL: "fit it again with this version",
    Advice.OTHER_PORT: "choose another port",
    Advice.UNITS: ": give the units of the file",
    Advice.EXCHANGED: ": give the channel of each",
    Advice.OTHER_CURRENT: ": choose another channel, or add the current from a file of its own",
    Advice.SIGN: ": turn it around in the units of the file, such as mV,-nA",
    Advice.ANYWAY: "; tick Fit anyway to fit it all the same",
}


def said(text: object, *folders: Path) -> str:
    """The text, or the text of the error, in the words of the page. Paths within the folders become relative to them."""
    sentence = worded(text, WORDS.__getitem__)
    for folder in folders:
        sentence = sentence.replace(f"{folder}/", "")
    return sentence
