"""Tables for `streamer eval --data` from data sets as they are published, on stdout.

    python -m benchmarks.datasets esc50 ESC-50-master > esc50.csv
    python -m benchmarks.datasets --help

A row is a file, its label and, where labels are names of one class, the class it counts as. Labels
come from the data sets. docs/reference/published.md has the commands for each.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.llvip import llvip
from benchmarks.rows import Row
from sources.pictures import SUFFIXES
from streamer.errors import ConfigError

# The scenes of the classification benchmark of SUN RGB-D: those with more than 80 pictures (Song et
# al., CVPR 2015).
SUN_SCENES = frozenset(
    {
        "bathroom",
        "bedroom",
        "classroom",
        "computer_room",
        "conference_room",
        "corridor",
        "dining_area",
        "dining_room",
        "discussion_area",
        "furniture_store",
        "home_office",
        "kitchen",
        "lab",
        "lecture_theatre",
        "library",
        "living_room",
        "office",
        "rest_space",
        "study_space",
    }
)
# The scenes of NYU Depth V2 that are a class each; all others are the tenth (Gupta et al., CVPR
# 2013).
NYU_SCENES = frozenset(
    {
        "bathroom",
        "bedroom",
        "bookstore",
        "classroom",
        "dining_room",
        "home_office",
        "kitchen",
        "living_room",
        "office",
    }
)


def esc50(folder: Path) -> Iterator[Row]:
    """Every clip of `audio/` with its category of `meta/esc50.csv`."""
    for row in _table(folder / "meta" / "esc50.csv", ("filename", "category")):
        yield Row(folder / "audio" / row["filename"], row["category"])


def kinetics(videos: Path, table: Path) -> Iterator[Row]:
    """The videos of a Kinetics annotation, trimmed or not, in any folders below `videos`.

    Names are ID_000010_000020 (start and end in seconds) or the bare ID.
    """
    found = _by_stem(videos)
    for row in _table(table, ("label", "youtube_id", "time_start", "time_end")):
        start, end = _whole(table, row["time_start"]), _whole(table, row["time_end"])
        name = row["youtube_id"]
        path = found.get(f"{name}_{start:06d}_{end:06d}", found.get(name))
        if path is not None:
            yield Row(path, row["label"])


def vggsound(videos: Path, table: Path) -> Iterator[Row]:
    """The test clips of vggsound.csv (no header: id, start, label, split), named ID_000010."""
    found = _by_stem(videos)
    columns = ("id", "start", "label", "split")
    for row in _table(table, columns, header=False):
        path = found.get(f"{row['id']}_{_whole(table, row['start']):06d}")
        if row["split"] == "test" and path is not None:
            yield Row(path, row["label"])


def folder(pictures: Path, names: Path | None) -> Iterator[Row]:
    """A folder a class, as torchvision's ImageFolder reads it; `names` says what a folder means.

    A line of `names` is a folder's name, a space and its names with commas, of which the first is
    taken: LOC_synset_mapping.txt of ImageNet.
    """
    words = None if names is None else _names(names)
    for path in _files(pictures):
        if path.suffix.lower() in SUFFIXES and path.parent != pictures:
            name = path.relative_to(pictures).parts[0]
            if words is not None and name not in words:
                raise ConfigError(f"{names}: expected a line for the folder {name}")
            yield Row(path, name if words is None else words[name])


def sun(pictures: Path, only: Path | None) -> Iterator[Row]:
    """The filled depth of SUN RGB-D with its scene, of the 19 scenes that are classes.

    `only` lists the folders to take, a line each, as `alltest` of allsplit.mat does.
    """
    chosen = None if only is None else {_below_sunrgbd(line) for line in _lines(only)}
    for place in _scenes(pictures):
        scene = _scene(place)
        if scene in SUN_SCENES and (
            chosen is None or place.relative_to(pictures).as_posix() in chosen
        ):
            yield Row(_depth(place), scene)


def nyu(pictures: Path, only: Path | None) -> Iterator[Row]:
    """The pictures of NYU Depth V2 in SUN RGB-D (kv1/NYUdata/NYU0001 to NYU1449), in ten classes.

    `only` lists the numbers to take, a line each, as `testNdxs` of splits.mat does.
    """
    chosen = None if only is None else {f"NYU{_whole(only, n):04d}" for n in _lines(only)}
    for place in _scenes(pictures / "kv1" / "NYUdata"):
        if chosen is None or place.name in chosen:
            scene = _scene(place)
            yield Row(_depth(place), scene, scene if scene in NYU_SCENES else "others")


def write(rows: Iterable[Row]) -> int:
    """The table on stdout; how many rows. Raises `ConfigError` for none."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    count = 0
    for row in rows:
        if not count:
            writer.writerow(["file", "label", "counts_as"])
        writer.writerow([row.file.absolute(), row.label, row.counts_as or row.label])
        count += 1
    if not count:
        raise ConfigError("expected files of this data set there, found none")
    return count


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = _parser().parse_args(arguments)
    rows: Callable[[argparse.Namespace], Iterator[Row]] = chosen.rows
    try:
        count = write(rows(chosen))
    except (ConfigError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{count} files", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.datasets", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    verbs = parser.add_subparsers(required=True, metavar="DATA SET")

    def verb(
        name: str, about: str | None, rows: Callable[[argparse.Namespace], Iterator[Row]]
    ) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=(about or "").splitlines()[0], description=about)
        added.add_argument("folder", type=Path, help="the data set as it was unpacked")
        added.set_defaults(rows=rows)
        return added

    verb("esc50", esc50.__doc__, lambda a: esc50(a.folder))
    for name, rows in (("kinetics", kinetics), ("vggsound", vggsound)):
        added = verb(name, rows.__doc__, lambda a, rows=rows: rows(a.folder, a.table))
        added.add_argument("table", type=Path, help="its CSV of labels")
    added = verb("folder", folder.__doc__, lambda a: folder(a.folder, a.names))
    added.add_argument("--names", type=Path, help="what the folders' names mean")
    for name, rows in (("sun", sun), ("nyu", nyu)):
        added = verb(name, rows.__doc__, lambda a, rows=rows: rows(a.folder, a.only))
        added.add_argument("--only", type=Path, help="a list of what to take, such as a test split")
    added = verb("llvip", llvip.__doc__, lambda a: llvip(a.folder, a.crops))
    added.add_argument("crops", type=Path, help="a new folder for the cropped pictures")
    return parser


def _table(path: Path, columns: Sequence[str], *, header: bool = True) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, fieldnames=None if header else columns)
        missing = set(columns) - set(reader.fieldnames or ())
        if missing:
            raise ConfigError(f"{path}: expected the columns {', '.join(columns)}")
        yield from reader


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]


def _names(path: Path) -> Mapping[str, str]:
    pairs = (line.partition(" ") for line in _lines(path))
    return {name: words.split(",")[0].strip() for name, _, words in pairs}


def _whole(path: Path, number: str) -> int:
    try:
        return int(number)
    except ValueError:
        raise ConfigError(f"{path}: expected a whole number, got {number[:40]!r}") from None


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: expected a folder")
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _by_stem(folder: Path) -> Mapping[str, Path]:
    return {path.stem: path for path in _files(folder)}


def _scenes(folder: Path) -> Iterator[Path]:
    return (path.parent for path in _files(folder) if path.name == "scene.txt")


def _scene(place: Path) -> str:
    return (place / "scene.txt").read_text("utf-8").strip()


def _depth(place: Path) -> Path:
    pictures = sorted((place / "depth_bfx").glob("*.png"))
    if len(pictures) != 1:
        raise ConfigError(f"{place / 'depth_bfx'}: expected one picture, found {len(pictures)}")
    return pictures[0]


def _below_sunrgbd(line: str) -> str:
    return line.rpartition("SUNRGBD/")[2].strip("/")


if __name__ == "__main__":
    main()
