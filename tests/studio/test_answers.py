"""The page's types (api.ts, events.ts in web/src/state) are the server's (answers.py, job_events.py), and it sends such."""

import re
import types
import typing
from pathlib import Path
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from spikefab.studio import answers, job_events

STATE = Path(__file__).parents[2] / "studio/web/src/state"
API = "".join(re.sub(r"(?m)^import .*\n", "", (STATE / name).read_text()) for name in ("api.ts", "events.ts"))
BINARY = {"Simulation", "Trace"}  # made on the page of arrays that follow a head
KINDS = {int: "number", float: "number", str: "string", bool: "boolean", type(None): "null", Any: "unknown"}


class Reader:
    """Reads the declarations of api.ts: `interface` and `type`, of which it needs no more than api.ts has."""

    def __init__(self, text: str):
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
        self.tokens = re.findall(r'"[^"]*"|-?\w+|[^\s\w]', text)
        self.interfaces: dict[str, tuple[str | None, dict[str, str]]] = {}
        self.aliases: dict[str, str] = {}
        while self.tokens:
            self.declaration()

    def take(self, *wanted: str) -> str:
        token = self.tokens.pop(0)
        assert not wanted or token in wanted, f"{token} where {wanted} was expected, before {self.tokens[:8]}"
        return token

    def has(self, token: str) -> bool:
        if self.tokens[:1] != [token]:
            return False
        self.tokens.pop(0)
        return True

    def declaration(self) -> None:
        self.take("export")
        kind, name = self.take("interface", "type"), self.take()
        if kind == "interface":
            parent = self.take() if self.has("extends") else None
            self.interfaces[name] = parent, self.fields()
        else:
            self.take("=")
            self.aliases[name] = self.union()
            self.take(";")

    def fields(self) -> dict[str, str]:
        found = {}
        self.take("{")
        while not self.has("}"):
            name = self.take()
            name += "?" if self.has("?") else ""
            self.take(":")
            found[name] = self.union()
            self.has(";")
        return found

    def union(self) -> str:
        self.has("|")
        members = [self.member()]
        while self.has("|"):
            members.append(self.member())
        return joined(members)

    def member(self) -> str:
        if self.tokens[0] == "{":
            kind = shape(self.fields())
        elif self.has("["):
            parts = [self.union()]
            while self.has(","):
                parts.append(self.union())
            self.take("]")
            kind = f"[{', '.join(parts)}]"
        elif self.has("("):
            kind = self.union()
            self.take(")")
        else:
            kind = self.take()
            if self.has("<"):
                parts = [self.union()]
                while self.has(","):
                    parts.append(self.union())
                self.take(">")
                kind = f"{kind}<{', '.join(parts)}>"
            kind = self.aliases.get(kind, kind)
        while self.has("["):
            self.take("]")
            kind = f"({kind})[]" if len(split(kind)) > 1 else f"{kind}[]"
        return kind


def joined(members: list[str]) -> str:
    """A union, whatever the order of its members."""
    return " | ".join(sorted({part for member in members for part in split(member)}))


def split(union: str) -> list[str]:
    """The members of a union that is not inside brackets."""
    parts, depth = [""], 0
    for c in union:
        depth += (c in "{[<(") - (c in "}]>)")
        if c == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts]


def shape(fields: dict[str, str]) -> str:
    return "{" + "; ".join(f"{name}: {kind}" for name, kind in sorted(fields.items())) + "}"


def kind_of(hint: Any) -> str:
    """A type of the server as TypeScript writes it."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in KINDS:
        return KINDS[hint]
    if origin is Literal:
        return joined([f'"{x}"' if isinstance(x, str) else str(x) for x in inner])
    if origin in (typing.Union, types.UnionType):
        return joined([kind_of(x) for x in inner])
    if origin is list:
        kind = kind_of(inner[0])
        return f"({kind})[]" if len(split(kind)) > 1 else f"{kind}[]"
    if origin is tuple:
        return f"[{', '.join(map(kind_of, inner))}]"
    if origin is dict:
        return f"Record<string, {kind_of(inner[1])}>"
    assert is_typeddict(hint), hint
    return (
        shape(fields_of(hint)) if hint.__name__.startswith("_") else hint.__name__
    )  # with _: without a name on the page


def fields_of(kind: Any) -> dict[str, str]:
    """All fields of a TypedDict, inherited ones too; those that may be missing end in a question mark."""
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        optional = get_origin(hint) is NotRequired
        found[name + "?" * optional] = kind_of(get_args(hint)[0] if optional else hint)
    return found


def page(text: str) -> dict[str, Any]:
    """What the page declares, by name: the fields of an interface, or the members of a type."""
    reader, found = Reader(text), {}
    for name, (parent, fields) in reader.interfaces.items():
        found[name] = (reader.interfaces[parent][1] if parent else {}) | fields
    return {name: kind for name, kind in (found | reader.aliases).items() if name not in BINARY}


def server() -> dict[str, Any]:
    """What the server declares, in the same form."""
    found = vars(answers) | vars(job_events)
    names = [name for name in found if name[0].isupper() and name not in ("Any", "Literal", "NotRequired", "TypedDict")]
    declared = {name: found[name] for name in names}
    return {name: fields_of(kind) if is_typeddict(kind) else kind_of(kind) for name, kind in declared.items()}


def test_the_page_and_the_server_declare_the_same():
    assert page(API) == server()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  duration: number; // ms\n", ""),
        ("  duration: number; // ms\n", "  duration: string;\n"),
        ("  duration: number; // ms\n", "  duration: number | null;\n"),
        ("  duration: number; // ms\n", "  duration?: number;\n"),
        ("  duration: number; // ms\n", "  duration: number;\n  more: number;\n"),
        ('kind: "fit" |', "kind:"),
        ("reason: string }[]", "reason: string; more: number }[]"),
        ("  | BoardRun;", ";"),
        ("  neuron: OfBench;", "  neuron: Neuron;"),
        ("  pll?: boolean;", "  pll: boolean;"),
    ],
)
def test_a_difference_is_found(before, after):
    assert before in API
    assert page(API.replace(before, after, 1)) != server()


def faults(value: Any, hint: Any, where: str) -> list[str]:
    """Where a value that the server has sent is not of its type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [faults(value, member, where) for member in inner]
        return [] if [] in found else [f"{where}: {value!r:.80} is none of {kind_of(hint)}", *min(found, key=len)]
    if origin is Literal:
        return [] if value in inner else [f"{where}: {value!r}"]
    if origin in (list, tuple):
        if not isinstance(value, list) or (origin is tuple and len(value) != len(inner)):
            return [f"{where}: {value!r:.80} is no {kind_of(hint)}"]
        kinds = inner if origin is tuple else inner * len(value)
        return [
            fault
            for k, (x, kind) in enumerate(zip(value, kinds, strict=True))
            for fault in faults(x, kind, f"{where}[{k}]")
        ]
    if origin is dict:
        return [fault for k, x in value.items() for fault in faults(x, inner[1], f"{where}.{k}")]
    if is_typeddict(hint):
        hints = get_type_hints(hint)
        if not isinstance(value, dict):
            return [f"{where}: {value!r:.80} is no {hint.__name__}"]
        missing = [f"{where}.{name} is missing" for name in hint.__required_keys__ - set(value)]
        return missing + [
            fault for name in hints if name in value for fault in faults(value[name], hints[name], f"{where}.{name}")
        ]
    kinds = (int, float) if hint is float else hint
    if hint is Any or (isinstance(value, kinds) and not (isinstance(value, bool) and hint is not bool)):
        return []
    return [f"{where}: {value!r:.80} is no {kind_of(hint)}"]


@pytest.mark.slow
def test_what_is_sent_is_of_its_type(studio, imported):
    key = imported["id"]
    assert faults(imported, answers.Recording, "recording") == []
    assert faults(studio.get(f"/api/recordings/{key}/features"), answers.Features, "features") == []
    assert faults(studio.get(f"/api/recordings/{key}/shapes", sweep=4), answers.Shapes, "shapes") == []
    assert faults(studio.get("/api/models"), dict[str, list[answers.Card]], "models") == []
    assert faults(studio.get("/api/boards"), dict[str, list[answers.Board]], "boards") == []
    for name in ("LIF", "HodgkinHuxley"):
        found = studio.get(f"/api/models/{name}/parameters", word=18, recording=key)
        assert faults(found, answers.Parameters, name) == []
    assert faults(studio.get("/api/models/LIF/trial", word=18, recording=key), answers.Trial, "trial") == []
    head = studio.simulate(model="LIF", recording=key, ideal=True)
    assert faults(head, answers.SimulationHead, "simulate") == []
    job = studio.post("/api/jobs", {"kind": "fit", "recording": key, "models": ["LIF"], "budget": 64})
    studio.wait(job["id"], lambda e: e.get("state") == "done")
    assert faults(studio.get(f"/api/jobs/{job['id']}"), answers.Job, "job") == []
    events = [event for _, event in studio.events(job["id"])]
    assert {"ranking", "progress", "state"} <= {event["type"] for event in events}
    assert faults(events, list[job_events.JobEvent], "events") == []
    assert faults(studio.get("/api/project"), answers.Project, "project") == []
    refused = studio.http.post("/api/jobs", json={"kind": "none"})
    assert faults(refused.json(), answers.Refused, "refused") == []
