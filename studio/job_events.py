"""The types of the events that a job writes and the page receives; see `answers` for how the page declares them."""

from typing import Literal, NotRequired, TypedDict

from .answers import JobState, OfBench, Outcome, Scale, Settings


class FittedParameter(TypedDict):
    name: str
    unit: str
    meaning: str
    value: float
    free: bool
    at_bound: bool
    range: tuple[float, float] | None
    bounds: NotRequired[tuple[float, float]]  # between which it was searched; missing in fits of earlier versions


class Row(TypedDict):
    rank: int
    model: str
    settings: Settings
    combined_score: float | None
    training: float | None
    float64: float | None
    voltage: NotRequired[float | None]  # missing, as timing_term, in fits of earlier versions
    timing_term: NotRequired[float]
    timing: float | None
    count: float | None
    masked_rmse: float | None
    gamma: float | None
    spikes_model: int
    spikes_data: int
    tied: bool | None
    word: int
    dt: float
    i_span: float
    codes: dict[str, int]
    params: list[FittedParameter]


class Ranking(TypedDict):
    type: Literal["ranking"]
    rows: list[Row]
    how: str
    tie: str | None
    outcome: str
    ended_early: list[str]
    validated: bool
    scale: NotRequired[Scale | None]
    scale_sentences: NotRequired[list[str]]


class Better(TypedDict):
    type: Literal["better"]
    model: str
    loss: float
    settings: Settings
    i_span: NotRequired[float]
    codes: NotRequired[dict[str, int]]  # if they are missing, the parameters are used
    params: dict[str, float]
    units: NotRequired[dict[str, str]]


class _HeldOut(TypedDict):
    sweep: int
    start: float  # ms
    stop: float


class Split(TypedDict):
    """Which parts of the recording are held out."""

    type: Literal["split"]
    held_out: list[_HeldOut]
    how: str


class _Portion(TypedDict):
    """From so many evaluations on, the losses of a model are over this share of the training data."""

    type: Literal["portion"]
    model: str
    evaluations: int
    share: float


class BuildReport(TypedDict):
    type: Literal["report"]
    board: str
    model: str
    word: int
    cells: tuple[int, int]
    multipliers: tuple[int, int]
    block_rams: tuple[int, int]
    mhz: float
    clock_mhz: float
    interval: int
    latency: int
    neurons: int
    # missing in reports of earlier versions, where `neurons` is what is possible
    baud: NotRequired[int]
    steps_per_second: NotRequired[int]
    times_real_time: NotRequired[float]
    possible_neurons: NotRequired[int]
    # missing in reports of earlier versions
    pll: NotRequired[bool]
    free_run: NotRequired[float]
    floorplan: str | None
    bitstream: str


class BuildOutcome(Outcome):
    type: Literal["outcome"]


class FrontPoint(TypedDict):
    """A neuron at a word and in a form, its score and what it takes of the board, estimated."""

    neuron: OfBench
    form: Literal["shared", "pipelined"]  # one neuron, or as many as fit
    score: float
    cells: int
    multipliers: int
    block_rams: int
    mhz: float
    neurons: int
    knee: bool
    command: str  # that builds it


class Front(TypedDict):
    """What the scores of a fit cost on a board: the points to which none is cheaper and as good."""

    type: Literal["front"]
    board: str
    points: list[FrontPoint]
    sentences: list[str]
    basis: str  # what the numbers are
    picture: str  # name of a file of the job
    validated: bool


class Check(TypedDict):
    stimulus: str
    steps: int
    spikes: int
    saturations: int
    mismatches: int


class Samples(TypedDict):
    """New samples of a run in a board: of many, the extremes, so that spikes stay visible."""

    type: Literal["samples"]
    anew: bool  # whether the run begins here, for the first time or again: what came before does not count
    times: list[float]  # ms
    voltage: list[float]  # mV
    spikes: list[float]  # ms; of many, some
    fired: int  # all spikes so far
    done: int  # steps so far
    total: int  # steps of the whole run
    dt: float  # ms


class BoardRun(TypedDict):
    """A run in a board that came to its end."""

    type: Literal["run"]
    mode: Literal["lockstep", "free-run"]
    board: str
    port: str
    where: str  # the board and its port, or what simulated it, in words
    simulated: bool
    steps: int
    samples: int
    spikes: int
    mismatches: int
    seconds: float  # that the run took
    dt: float  # ms


class _State(TypedDict):
    type: Literal["state"]
    state: JobState
    error: NotRequired[str | None]
    time: NotRequired[float]  # s since 1970; missing in jobs of earlier versions


class _Notice(TypedDict):
    type: Literal["notice"]
    text: str


class _Progress(TypedDict):
    type: Literal["progress"]
    model: str
    evaluations: int
    budget: int
    loss: float
    remaining: NotRequired[float | None]  # s until the last evaluation of all models, about


class _Step(TypedDict):
    type: Literal["step"]
    name: str
    state: Literal["start", "done", "note"]
    text: str


class _Log(TypedDict):
    type: Literal["log"]
    step: str
    text: str


class _Checks(TypedDict):
    type: Literal["checks"]
    rows: list[Check]


JobEvent = (
    _State | _Notice | Split | _Portion | _Progress | Better | Ranking | _Step | _Log | _Checks | BuildReport | BuildOutcome
    | Front | Samples | BoardRun
)  # fmt: skip
