"""Looks through HDF5 files, as a program: whoever started it sees that it hangs or dies, and does not read such a file.

The library HDF5 follows what is written in a file. In a damaged one, a list may be a circle, and the library then runs on for
ever or crashes; nothing within the same process could end it. So here is done what is needed to reach the samples: every group,
link, attribute and index of chunks is read, but of the samples only those that are no numbers (names, references). A path is
taken from each line of the input and answered by a line. Without a path for IDLE seconds, the program ends.
"""

import contextlib
import os
import select
import sys
from typing import Any

IDLE = 5.0  # s
SECONDS = 2.0  # of the processor for a small file; a file that is damaged so that HDF5 hangs takes them all
SPEED = 10e6  # bytes of a file that are looked through in a further second
MOST = 1_000_000  # samples of a dataset that are read if they are no numbers
MEMORY = 2 << 30  # bytes


def main() -> None:
    """Answer every path."""
    while select.select([sys.stdin], [], [], IDLE)[0]:
        path = sys.stdin.readline().rstrip("\n")
        if not path:
            return
        with contextlib.suppress(Exception):  # what HDF5 can tell of a file, the reader hears itself
            limit(path)
            look_through(path)
        print("looked through", flush=True)


def limit(path: str) -> None:
    """End this process when it has worked on a file for too long: also if HDF5 hangs and whoever waited for it is gone."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    seconds = round(used + SECONDS + os.path.getsize(path) / SPEED) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def look_through(path: str) -> None:
    """Read all of an HDF5 file but the numbers in its datasets, with the files that it links to."""
    import h5py

    with h5py.File(path, "r") as file:
        waiting, seen = [file], set()
        while waiting:
            item = waiting.pop()
            with contextlib.suppress(Exception):
                info = h5py.h5o.get_info(item.id)
                if (info.fileno, info.addr) in seen:
                    continue
                seen.add((info.fileno, info.addr))
                attributes(item)
                if isinstance(item, h5py.Dataset):
                    dataset(item)
                for name in item if isinstance(item, h5py.Group) else ():
                    with contextlib.suppress(Exception):
                        waiting.append(item[name])


def attributes(item: Any) -> None:
    """Read the attributes of an object."""
    for name in item.attrs:
        with contextlib.suppress(Exception):
            item.attrs[name]


def dataset(item: Any) -> None:
    """Read the shape of a dataset and its index of chunks; its samples if they are few or no numbers."""
    if item.size is not None and (item.size <= 1 or (item.dtype.kind not in "iuf" and item.size < MOST)):
        item[()]
    if item.chunks:
        item.id.get_num_chunks()


if __name__ == "__main__":
    main()
