"""The types of the JSON that server and page exchange under /api, but for the events of jobs, which are in `job_events`.

The page declares the same in `web/src/state/api.ts`. `tests/studio/test_answers.py` compares the two and holds the answers
against them. In the page, int and float are `number`; a type whose name begins with an underscore has no name there.
"""

from typing import Any, Literal, NotRequired, TypedDict

# a value of a setting that chooses the variant of a model, such as the kinetics of Hodgkin-Huxley
Setting = str | float | bool
Settings = dict[str, Setting]


class Sweep(TypedDict):
    index: int
    name: str
    samples: int
    duration: float  # ms
    spikes: int
    window: tuple[float, float] | None  # start and stop of the stimulus, ms
    current: tuple[float, float] | None  # lowest and highest, nA
    voltage: tuple[float, float]  # lowest and highest, mV
    baseline_current: float | None


class Same(TypedDict):
    """The command line and the Python code that do the same without the page."""

    command: NotRequired[str | None]
    python: NotRequired[str | None]


class Recording(Same):
    id: str
    name: str
    dt: float
    units: str
    current_origin: str
    electrode_resistance: float  # MOhm
    sweeps: list[Sweep]
    notes: list[str]
    warnings: list[str]
    doubts: list[str]  # with which it is fitted only if the user insists
    cannot_be_fitted: str | None
    reading_options: list[str]  # options of `read` that its format has
    options: dict[str, Any]  # those with which it was read
    same_as: NotRequired[str]  # in the answer to an import: the name of an earlier recording with the same content


class Feature(TypedDict):
    label: str
    name: str
    unit: str
    definition: str
    value: float | None


class _Recommended(TypedDict):
    model: str
    reason: str


class _FI(TypedDict):
    current: list[float]
    rate: list[float]


class Features(Same):
    features: list[Feature]
    recommended: list[_Recommended]
    f_i: _FI | None


class _Shape(TypedDict):
    """A spike: times in ms, and the features of its shape, null where it does not count for one."""

    onset_time: float
    time: float
    end_time: float
    ap_height: float | None
    ap_width: float | None
    ap_threshold: float | None
    ahp_depth: float | None


class _Defined(TypedDict):
    name: Literal["ap_height", "ap_width", "ap_threshold", "ahp_depth"]
    label: str
    unit: str
    definition: str


class Shapes(TypedDict):
    spikes: list[_Shape]
    features: list[_Defined]


class Cost(TypedDict):
    multiplies: int
    table_bits: int
    state_bits: int
    coefficient_bits: int


class _CardBuild(TypedDict):
    board: str
    word: int
    cells: int
    mhz: float


class _Thumbnail(TypedDict):
    v: list[float]
    i: list[float]


class Card(TypedDict):
    name: str
    short: str
    title: str
    equations: str  # HTML with MathML
    best_for: str
    source: str
    settings: dict[str, list[Setting]]  # setting: its possible values, the default first
    free: list[str]
    cost: dict[str, Cost]
    builds: list[_CardBuild]
    thumbnail: _Thumbnail


class Parameter(TypedDict):
    name: str
    unit: str
    doc: str
    bounds: tuple[float, float]
    log: bool
    default: float
    value: float


class Preset(TypedDict):
    name: str
    source: str
    params: dict[str, float]
    settings: Settings


class Parameters(TypedDict):
    model: str
    word: int
    dt: float
    i_span: float
    settings: Settings
    parameters: list[Parameter]
    presets: list[Preset]


class Trial(TypedDict):
    """What a model does with the values that were measured in a recording, in the sweep in which the cell fires most."""

    sweep: str
    spikes: int  # of the model
    recorded: int  # of the cell


class Stimulus(TypedDict):
    amplitude: float
    start: float
    stop: float
    duration: float


class _Nudge(TypedDict):
    param: str
    by: Literal[1, -1]


class SimulateRequest(TypedDict):
    model: str
    settings: Settings
    word: int
    dt: float
    params: NotRequired[dict[str, float]]
    codes: NotRequired[dict[str, int]]
    i_span: NotRequired[float]  # span of the input, nA, for which codes were made
    recording: NotRequired[str]
    sweep: NotRequired[int]
    stimulus: NotRequired[Stimulus]
    nudge: NotRequired[_Nudge]
    ideal: NotRequired[bool]


class Level(TypedDict):
    score: float
    voltage: float | None
    timing: float
    count: float


class Scale(TypedDict):
    floor: Level
    ceiling: Level | None


class Score(TypedDict):
    combined_score: float | None
    voltage: float | None
    timing_term: float
    masked_rmse: float | None
    timing: float | None
    count: float | None
    gamma: float | None
    spikes_model: int
    spikes_data: int


class SimulationHead(Same):
    n: int
    dt: float
    arrays: list[str]
    codes: dict[str, int]
    formats: dict[str, str]
    values: dict[str, float]
    spikes: list[float]
    ideal_spikes: NotRequired[list[float] | None]
    data_spikes: NotRequired[list[float] | None]
    i_span: float
    score: Score | None
    scale: NotRequired[Scale | None]
    scale_sentences: NotRequired[list[str]]


JobState = Literal["queued", "running", "paused", "done", "cancelled", "failed", "stopped"]


class JobFile(TypedDict):
    name: str
    what: str
    bytes: int


class Job(Same):
    id: str
    kind: Literal["fit", "pareto", "verify", "build", "export", "run"]
    state: JobState
    title: str  # the name that is shown: the user's, or one made of recording, models and score
    name: str  # that the user has given; empty if none
    note: str
    spent: float | None  # s for which it has run, up to `since`; None of jobs of earlier versions
    since: str | None  # since when it runs without a break
    created: str
    recording: str | None
    settings: dict[str, Any]
    error: str | None
    files: list[JobFile]


class _OfFit(TypedDict):
    fit: str
    rank: int


class OfBench(TypedDict):
    """A neuron that is described in full."""

    model: str
    settings: Settings
    word: int
    dt: float
    i_span: float
    codes: dict[str, int]


Neuron = _OfFit | OfBench


class _BoardBuild(TypedDict):
    model: str
    word: int
    cells: int
    multipliers: int
    block_rams: int
    mhz: float
    job: str | None


class Outcome(TypedDict):
    """Whether a neuron fits a board, as its build has shown."""

    board: str
    model: str
    settings: Settings
    word: int
    dt: float
    i_span: float
    fits: bool  # its resources suffice, and it reaches the clock
    why: str  # a sentence if it does not


class Tried(Outcome):
    job: str  # the build


class Board(TypedDict):
    name: str
    family: str
    device: str
    cells: int
    multipliers: int
    multiplier_bits: str | int
    block_rams: int
    block_ram_bits: int
    clock_mhz: float
    words: list[int]
    estimated: bool
    source: str
    builds: list[_BoardBuild]
    outcomes: list[Tried]


class Project(TypedDict):
    name: str
    version: str
    upload_limit: NotRequired[int]  # bytes of an uploaded file, at most
    recordings: list[Recording]
    jobs: list[Job]
    session: dict[str, Any]


class Again(TypedDict):
    """What a page is given that was open before the server was started anew."""

    token: str
    key: str


class Refused(TypedDict):
    error: str  # the sentence why a request is refused or cannot be done
    options: NotRequired[list[str]]  # options of the request that would help
