"""What a process of imagebind_huge keeps in memory, on files of its full size."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.load import label_set
from encoders.imagebind.runtime import ImageBindEncoder
from encoders.label_vectors import LabelVectors
from tests.huge import write_huge
from tests.needs import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

MB = 1_000_000
LABELS = "everyday_sounds"

# Two seconds of noise, labelled, five times over; then what the process holds.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from configs.load import label_set
from configs.schema import RunConfig
from streamer.cli.session import make_labeler
from streamer.types import NS_PER_S, AudioBlock, Quality, Sample, Span, Window

def held():
    kinds = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        kind, size, *_ = line.split()
        kinds[kind.rstrip(":")] = 1024 * int(size)
    status = Path("/proc/self/status").read_text()
    return kinds | {"Peak": 1024 * int(status.split("VmHWM:")[1].split()[0])}

weights, precision, labels = sys.argv[1:]
config = RunConfig.model_validate({
    "sources": [{"kind": "synthetic", "stream": "mic", "modality": "audio", "rate_hz": 16000}],
    "encoder": {"kind": "imagebind", "weights": weights, "precision": precision, "device": "cpu"},
    "labels": {"set": labels},
})
noise = np.random.default_rng(0).uniform(-0.1, 0.1, 32000).astype(np.float32)
span = Span(0, 2 * NS_PER_S)
sample = Sample("mic", "audio", 0, 2 * NS_PER_S, AudioBlock(noise, 16000))
with config.encoder.open(["audio"], text=True) as encoder:
    label, _ = make_labeler(config, encoder, frozenset(["audio"]))
    for _ in range(5):
        (vector,) = encoder.encode([Window("mic", "audio", span, (sample,), Quality(1.0))])
        said = label("audio", vector)
    print(json.dumps(held() | {"said": len(said.names)}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(held()), flush=True)
"""


@pytest.fixture(scope="module", params=[".pth", ".safetensors"])
def huge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    path = write_huge(tmp_path_factory.mktemp("huge") / f"huge{request.param}", "audio")
    yield path
    path.unlink()


def speak(prompts: Any) -> NDArray[np.float32]:
    """Stands for the text tower of another machine."""
    return np.random.default_rng(len(prompts)).normal(size=(len(prompts), 1024)).astype(np.float32)


def prepared(weights: Path, precision: str) -> None:
    """Put label vectors into the cache folder, as if it had been copied from another machine."""
    settings = {"weights": str(weights), "precision": precision, "device": "cpu"}
    with ImageBindEncoder.model_validate(settings).open([], text=True) as encoder:
        kept = encoder.kept
    assert isinstance(kept, LabelVectors)
    kept.of(speak, label_set(LABELS))


class Process:
    """One more that has loaded the audio tower and used it."""

    def __init__(self, weights: Path, precision: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(weights), precision, LABELS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.first = self._line()

    def held(self) -> dict[str, int]:
        """Bytes by kind now: Rss, Pss, Anonymous; and Peak, the most that ever were resident."""
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, int]:
        assert self._child.stdout is not None
        return json.loads(self._child.stdout.readline())

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        with self._child:
            assert self._child.stdin is not None
            self._child.stdin.close()
        assert self._child.returncode == 0


@pytest.mark.parametrize(("precision", "most_mb"), [("bf16", 600), ("fp32", 700)])
def test_a_labelled_run_of_one_tower_holds_that_tower_and_little_else(
    huge: Path, precision: str, most_mb: int
):
    prepared(huge, precision)
    with Process(huge, precision) as process:
        held = process.first
    kinds = ("Peak", "Rss", "Pss", "Anonymous")
    print(huge.suffix, precision, {kind: round(held[kind] / MB) for kind in kinds})
    assert held["said"] == len(label_set(LABELS).labels)
    assert held["Peak"] < most_mb * MB
    # float32 weights are pages of the file: memory that the system takes back when it needs it.
    assert held["Anonymous"] < (450 if precision == "bf16" else 250) * MB


def test_processes_share_the_pages_of_the_file(huge: Path):
    prepared(huge, "fp32")
    with ExitStack() as stack:
        both = [stack.enter_context(Process(huge, "fp32")) for _ in range(2)]
        held = [process.held() for process in both]
    weights = 85_700_000 * 4
    for each in held:
        print(huge.suffix, {kind: round(each[kind] / MB) for kind in ("Rss", "Pss", "Anonymous")})
        assert each["Rss"] > weights
        # Half of the weights are the other's, and so are half of the libraries' pages.
        assert each["Pss"] < each["Rss"] - 0.48 * weights
