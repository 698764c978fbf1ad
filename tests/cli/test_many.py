"""The commands fit-many and collect."""

import pytest

OPTIONS = ("--models", "lif", "--budget", "64", "--jobs", "1")


@pytest.fixture(scope="module")
def cells(recording, tmp_path_factory):
    path = tmp_path_factory.mktemp("many")
    (path / "good.csv").write_bytes(recording.read_bytes())
    (path / "empty.csv").touch()
    return path


@pytest.mark.slow
def test_a_folder_with_a_bad_file(spikefab, cells, tmp_path):
    out = tmp_path / "out"
    ran = spikefab("fit-many", cells, "--out", out, *OPTIONS, "--json")
    assert ran.code == 4
    assert (ran.json["fitted"], ran.json["kept"], ran.json["failed"]) == (1, 0, 1)
    assert "2 of 2: " in ran.err
    assert "LIFNeuron" in ran.err
    again = spikefab("fit-many", cells, "--out", out, *OPTIONS)
    assert again.code == 4
    assert "0 fitted, 1 kept from before, 1 failed." in again.out
    assert "empty.csv is empty." in again.out
    table = spikefab("collect", out)
    assert table.code == 4
    assert "1 done, 1 failed, 0 missing." in table.out
    assert {p.name for p in out.iterdir()} == {"cells", "shards", "table.csv", "table.json"}
    assert spikefab("collect", out, "--json").json["done"] == 1
    cell = next(c for c in ran.json["cells"] if c["state"] == "done")
    assert (
        spikefab("export", out / "cells" / f"{cell['key']}.json", "--to", "verilog", "--out", tmp_path / "v").code == 0
    )


def test_files_and_shards(spikefab, cells, tmp_path):
    out = tmp_path / "out"
    first = spikefab("fit-many", cells / "good.csv", cells / "empty.csv", "--out", out, "--shard", "2/2", *OPTIONS)
    assert first.code == 0
    assert "shard 2/2: 1 fitted, 0 kept from before, 0 failed." in first.out
    table = spikefab("collect", out)
    assert table.code == 4
    assert "1 done, 0 failed, 1 missing." in table.out


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (("--shard", "3"), 2, "is not of the form i/N"),
        (("--shard", "0/2"), 2, "shard 0/2 does not exist"),
        (("--jobs", "0"), 2, "not a number of 1 or more"),
        (("--models", "lyf"), 2, "did you mean LIFNeuron?"),
        (("--word", "17"), 2, "word 17 is not one of"),
        (("--current", "absent.csv"), 3, "absent.csv does not exist"),
    ],
)
def test_wrong_options(spikefab, cells, tmp_path, more, code, sentence):
    ran = spikefab("fit-many", cells, "--out", tmp_path / "out", *more)
    assert ran.code == code
    assert sentence in ran.sentence
    assert not list(tmp_path.iterdir())


def test_wrong_folders(spikefab, cells, tmp_path):
    assert "holds no recordings" in spikefab("fit-many", tmp_path, "--out", tmp_path / "out").sentence
    assert "choose another folder" in spikefab("fit-many", cells, "--out", cells).sentence
    assert "no folder of spikefab fit-many" in spikefab("collect", tmp_path).sentence
    assert "required: --out" in spikefab("fit-many", cells).sentence
