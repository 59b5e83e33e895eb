"""Vectors of whole files: what `embed` writes and `search` looks through."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoders.zeroshot import PROMPTS_AT_ONCE
from sources.imu_csv import ImuCsv
from streamer.cli.embed.vectors import KINDS, LONGEST_TEXT, Row
from streamer.cli.files import embeddings_of, modalities_of, narrowed, source_of, start_ns
from streamer.cli.inputs import LINES, Reading
from streamer.encoding import Labeler
from streamer.errors import SourceLost
from streamer.plan import Plan
from streamer.protocols import OpenEncoder, Source
from streamer.types import MODALITIES, NS_PER_S, Embedding, Modality

LARGEST_TEXT = 16 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """Files as sources of windows, or as numbered lines of text."""

    sources: Mapping[Path, Source]
    lines: Mapping[Path, Sequence[tuple[int, str]]]

    @property
    def modalities(self) -> frozenset[Modality]:
        return modalities_of(self.sources.values())


def files_of(
    paths: Sequence[Path], still_s: float, reading: Reading | None, only: Collection[str] = KINDS
) -> Files:
    """`paths`, without what is of other kinds than `only`. Raises `SourceLost`."""
    sources: dict[Path, Source] = {}
    lines: dict[Path, Sequence[tuple[int, str]]] = {}
    wanted: list[Modality] = [m for m in MODALITIES if m in only]
    for path in paths:
        if path.suffix.lower() == LINES and not isinstance(reading, ImuCsv):
            if "text" in only:
                lines[path] = _lines(path)
        elif (source := narrowed(source_of(path, still_s, reading), wanted)) is not None:
            sources[path] = source
    return Files(sources, lines)


def rows_of(
    path: Path,
    files: Files,
    plan: Plan,
    encoder: OpenEncoder,
    model_hash: str,
    labeler: Labeler | None = None,
) -> list[Row]:
    """One row a window and modality, or a line; none where no window was full enough."""
    about = {"file": _name(path), "model": encoder.name, "model_hash": model_hash}
    if path in files.lines:
        lines = files.lines[path]
        rows: list[Row] = []
        for start in range(0, len(lines), PROMPTS_AT_ONCE):
            some = lines[start : start + PROMPTS_AT_ONCE]
            vectors = encoder.text([text for _, text in some])
            rows += [
                ({**about, "modality": "text", "line": number, "text": text}, vector)
                for (number, text), vector in zip(some, vectors, strict=True)
            ]
        return rows
    source = files.sources[path]
    zero_ns = start_ns(source)
    found = embeddings_of(source, plan, encoder, labeler)
    return [({**about, **_window(each, zero_ns)}, each.vector) for each in found]


def _window(embedding: Embedding, zero_ns: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        "modality": embedding.modality,
        "t0_s": (embedding.span.start_ns - zero_ns) / NS_PER_S,
        "t1_s": (embedding.span.end_ns - zero_ns) / NS_PER_S,
    }
    if embedding.labels is not None:
        rows = zip(
            embedding.labels.names,
            embedding.labels.probabilities.tolist(),
            embedding.labels.cosines.tolist(),
            strict=True,
        )
        best = sorted(rows, key=lambda row: -row[1])
        record["labels"] = [{"label": n, "p": p, "cosine": c} for n, p, c in best]
        record["calibrated"] = embedding.labels.calibrated
    return record


def _name(path: Path) -> str:
    """As valid UTF-8: a name of other bytes could be written, and not read again."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not empty, numbered from 1."""
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise SourceLost(f"{path}: expected a text of at most {LARGEST_TEXT} bytes")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SourceLost(f"{path}: expected lines of text ({why})") from None
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise SourceLost(f"{path}: expected lines of text, found none")
    for number, line in lines:
        if len(line) > LONGEST_TEXT:
            raise SourceLost(f"{path}:{number}: expected at most {LONGEST_TEXT} characters a line")
    return lines
