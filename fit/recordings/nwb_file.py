"""Opens an NWB file, follows its links and reads its datasets.

What HDF5 says of a missing filter or of a missing linked file does not name it, or HDF5 gives zeros in place of the data.
Here, each becomes a sentence that names what is missing and where it should be.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

from .hdf5_guard import require_sound

# number of an HDF5 filter, as it is registered with the HDF Group: its name
FILTERS = {4: "szip", 305: "LZO", 307: "bzip2", 32000: "LZF", 32001: "Blosc", 32002: "MAFISC", 32003: "Snappy"}
FILTERS |= {32004: "LZ4", 32008: "bitshuffle", 32013: "ZFP", 32015: "Zstandard", 32017: "SZ", 32018: "FCIDECOMP"}
FILTERS |= {32019: "JPEG", 32020: "VBZ", 32024: "SZ3", 32026: "Blosc2", 32028: "SPERR"}
# numbers of the filters in the package hdf5plugin
IN_HDF5PLUGIN = {307, 32001, 32004, 32008, 32013, 32015, 32017, 32018, 32024, 32026, 32028}
# samples of a dataset: more are not read, as a damaged file may give any number
LARGEST = 2_000_000_000


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open HDF5 file. Raises FileError if it cannot be opened; what is damaged in it, h5py tells later."""
    with contextlib.suppress(Exception):  # its import makes its filters known to HDF5; a broken one is as good as none
        import hdf5plugin  # noqa: F401
    import h5py

    require_sound(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if "signature" in str(error):
            raise FileError(f"{path} is named .nwb but is not an HDF5 file, as NWB files are.") from None
        if "unable to lock" in str(error) or "already open" in str(error):
            raise FileError(f"{path} is open for writing in another program, or was not closed after it.") from None
        raise FileError(f"{path} is truncated or damaged: HDF5 cannot open it.") from None
    with file:
        if "nwb_version" not in file.attrs and "nwb_version" not in file:
            raise FileError(f"{path} is an HDF5 file but not NWB: it has no nwb_version.")
        yield file


def address(item: Any) -> tuple[int, int]:
    """The place of an HDF5 object, as (number of the open file, address in it): the same under all names of the object."""
    import h5py

    info = h5py.h5o.get_info(item.id)
    return int(info.fileno), int(info.addr)


def follow(group: Any, name: str) -> tuple[Any, str]:
    """(the object of this name in a group or None, why a link of this name leads to nothing or "").

    The file of an external link is sought beside the file with the link only: HDF5 would also take a file of the same name
    from the folder in which the program was started.
    """
    import h5py

    if not group.id.links.exists(name.encode()):
        return None, ""
    link = group.get(name, getlink=True)
    where = f"{group.name.strip('/')}/{name}".strip("/")
    if isinstance(link, h5py.ExternalLink) and _beside(group, link.filename) is None:
        return None, f"{where} is in the file {link.filename}, which is missing: put it beside the recording"
    try:
        target = group[name]
    except (KeyError, OSError, RuntimeError):
        if isinstance(link, h5py.ExternalLink):
            return None, f"{where} is {link.path} of the file {link.filename}, which has no such part or is damaged"
        return None, f"{where} is a link to {getattr(link, 'path', 'nothing')}, which is not there"
    return target, ""


def _beside(item: Any, name: str) -> Path | None:
    """The file of this name in the folder of the file of an HDF5 object, or at its absolute path; None if it is missing."""
    folder = Path(item.file.filename).absolute().parent
    candidates = (folder / name, folder / PureWindowsPath(name).name)  # an absolute name replaces the folder
    return next((c for c in candidates if c.is_file()), None)


def load(dataset: Any, start: int = 0, stop: int | None = None) -> NDArray[Any]:
    """The samples of a dataset from `start` to before `stop`, in one row. Raises FileError if HDF5 lacks what it takes."""
    if dataset.size > LARGEST:
        where = dataset.name.strip("/")
        raise FileError(f"{dataset.file.filename}: {where} has {dataset.size:,} samples, more than any recording.")
    why = _missing_source(dataset)
    if why:
        raise FileError(f"{dataset.file.filename}: {dataset.name.strip('/')} {why}.")
    if dataset.external:
        return _raw(dataset)[start:stop]
    try:
        return np.asarray(dataset[start:stop]) if dataset.ndim == 1 else np.ravel(dataset[()])[start:stop]
    except OSError:
        why = _missing_filter(dataset)
        if not why:
            raise
        raise FileError(f"{dataset.file.filename}: {dataset.name.strip('/')} {why}.") from None


def _missing_source(dataset: Any) -> str:
    """Which file with samples of a dataset is missing, as the end of a sentence; "" if none is."""
    sources = [(s.file_name, s.dset_name) for s in dataset.virtual_sources()] if dataset.is_virtual else []
    for name, part in [*((name, "") for name, *_ in dataset.external or ()), *sources]:
        if name == "." or "%" in name:  # the file itself; %b stands for the numbers of many files
            continue
        found = _beside(dataset, name)
        if found is None:
            return f"is in the file {name}, which is missing: put it beside the recording"
        if part and not _has(found, part):
            return f"is {part} of the file {name}, which has no such part or is damaged"
    return ""


def _has(file: Path, part: str) -> bool:
    """Whether a file is HDF5 and has a part of this name."""
    import h5py

    try:
        with h5py.File(file, "r") as linked:
            return part in linked
    except OSError:
        return False


def _missing_filter(dataset: Any) -> str:
    """Which HDF5 filter the samples of a dataset need that is not installed, as the end of a sentence; "" if none is."""
    import h5py

    made = dataset.id.get_create_plist()
    for k in range(made.get_nfilters()):
        number, _, _, name = made.get_filter(k)
        if not h5py.h5z.filter_avail(number):
            what = FILTERS.get(number) or name.decode("utf-8", "replace") or "an unknown method"
            needs = f"is compressed with {what} (HDF5 filter {number}), which is not installed: "
            return needs + ("pip install hdf5plugin" if number in IN_HDF5PLUGIN else "install its plugin for HDF5")
    for source in dataset.virtual_sources() if dataset.is_virtual else ():
        file = Path(dataset.file.filename) if source.file_name == "." else _beside(dataset, source.file_name)
        with contextlib.suppress(OSError, KeyError), h5py.File(file or "", "r") as linked:
            why = _missing_filter(linked[source.dset_name])
            if why:
                return why
    return ""


def _raw(dataset: Any) -> NDArray[Any]:
    """The samples of a dataset that lie in files of another format, beside the recording. Raises FileError if one is cut."""
    left = dataset.size * dataset.dtype.itemsize
    parts = []
    for name, offset, size in dataset.external:
        with (_beside(dataset, name) or Path(name)).open("rb") as file:
            file.seek(offset)
            parts.append(file.read(min(size, left)))
        left -= len(parts[-1])
    if left:
        where = dataset.name.strip("/")
        raise FileError(
            f"{dataset.file.filename}: {where} is in the file {name}, which is too short: it may be truncated."
        )
    return np.frombuffer(b"".join(parts), dtype=dataset.dtype)
