"""What the doctor makes of what it measured."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.load import load
from configs.schema import RunConfig
from encoders.imagebind.config import ModelConfig
from encoders.imagebind.device import GpuMemory, Placement, Precision
from encoders.imagebind.product import Product
from sinks.mqtt.roundtrip import RoundTrip
from sinks.mqtt.sink import MqttSink
from streamer.cli.check.look import Look
from streamer.cli.doctor import (
    broker,
    device,
    disk,
    memory,
    processor,
    sensors,
    versions,
    wallclock,
    weights,
)
from streamer.cli.doctor.finding import State, milliseconds, size
from streamer.cli.doctor.room import available
from streamer.types import NS_PER_S, Sample

GB = 10**9


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (999.9, "1 kB"), (2.39e9, "2.39 GB"), (4.8e19, "48,000,000 TB")],
)
def test_sizes_as_people_read_them(count: float, said: str) -> None:
    assert size(count) == said


def test_times_as_people_read_them() -> None:
    assert [milliseconds(s) for s in (0.00123, 0.9999, 12.34)] == ["1.23 ms", "1 s", "12.3 s"]


# -- versions ----------------------------------------------------------------------------------

FOUND = {"torch": "2.5.0a0+872d972e41.nv24.08", "opencv-python-headless": "4.10.0", "av": "15.0.0"}
FOUND["numpy"] = "1.26.4"
REQUIREMENTS = ("torch>=2.5", "opencv-python-headless>=4.10", "numpy>=1.26", "rich>=13.9")


def test_versions_that_are_new_enough_pass_a_jetsons_own_too() -> None:
    finding = versions.judge(FOUND, REQUIREMENTS, "7.1", "L4T R36.4.3")
    assert (finding.state, finding.remedy) == ("pass", "")
    assert "nv24.08" in finding.said
    assert finding.said.endswith("L4T R36.4.3")


def test_a_version_that_is_too_old_fails_with_what_to_install() -> None:
    old = {**FOUND, "torch": "2.4.1+cpu", "numpy": "1.9"}
    finding = versions.judge(old, REQUIREMENTS, "7.1", "")
    assert finding.state == "fail"
    assert finding.said.startswith("too old, torch>=2.5, numpy>=1.26 is needed")
    assert "pip install 'torch>=2.5' 'numpy>=1.26'" in finding.remedy


def test_a_jetson_tells_its_release(tmp_path: Path) -> None:
    line = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n"
    (tmp_path / "nv").write_text(line)
    assert versions.l4t(tmp_path / "nv") == "L4T R36.4.3"
    assert versions.l4t(tmp_path / "absent") == ""


def test_the_versions_of_this_installation_pass() -> None:
    finding = versions.versions()
    assert finding.state == "pass"
    assert f"torch {torch.__version__}" in finding.said


# -- processor ---------------------------------------------------------------------------------

XEON = {"avx2", "avx512f", "sse2"}
EPYC = {"avx2", "avx512f", "avx512_bf16"}
ORIN = {"fp", "asimd", "asimdhp", "asimddp"}


@pytest.mark.parametrize(
    ("words", "precision", "state"),
    [
        (XEON, "fp32", "pass"),
        (XEON, None, "pass"),  # the GPU multiplies
        (XEON, "bf16", "warn"),
        (EPYC, "bf16", "pass"),
        (EPYC, "fp16", "warn"),
        (ORIN, "fp16", "pass"),
        (ORIN, "bf16", "warn"),
        ({"sse2"}, "fp32", "warn"),
    ],
)
def test_a_precision_that_would_be_emulated_is_warned_of(
    words: set[str], precision: Precision | None, state: State
) -> None:
    finding = processor.judge(words, 4, precision)
    assert finding.state == state
    assert (precision in ("bf16", "fp16") and f"for {precision}" in finding.said) == (
        state == "warn" and precision != "fp32"
    )
    assert bool(finding.remedy) == (state == "warn")


# -- device ------------------------------------------------------------------------------------

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def product(asked: float, fp32: float, cpu: float, error: float = 1e-4) -> Product:
    return Product((257, 1280, 5120), asked, fp32, cpu, error)


@pytest.mark.parametrize(
    ("where", "dtype", "measured", "unused_gpu", "state", "words"),
    [
        (CPU, torch.float32, product(0.010, 0.010, 0.010), False, "pass", "(337 GFLOP/s)"),
        (CPU, torch.bfloat16, product(0.005, 0.010, 0.010), False, "pass", "in fp32 10 ms"),
        (CPU, torch.bfloat16, product(0.030, 0.010, 0.010), False, "warn", "slower than fp32"),
        (CPU, torch.bfloat16, product(0.0105, 0.010, 0.010), False, "pass", ""),
        (CPU, torch.float32, product(0.010, 0.010, 0.010), True, "warn", "unused"),
        (GPU, torch.float16, product(0.001, 0.002, 0.010), True, "pass", "on the processor"),
        (GPU, torch.float16, product(0.030, 0.040, 0.010), True, "warn", "faster than the GPU"),
        (GPU, torch.float16, product(0.001, 0.002, 0.010, 0.5), True, "fail", "wrong by 0.5"),
        (GPU, torch.float16, product(0.001, 0.002, 0.010, float("nan")), True, "fail", "nan"),
        (CPU, torch.float32, product(0.010, 0.010, 0.010, 0.01), False, "fail", "wrong by 0.01"),
    ],
)
def test_a_device_is_judged_by_what_it_did(
    where: torch.device,
    dtype: torch.dtype,
    measured: Product,
    unused_gpu: bool,
    state: State,
    words: str,
) -> None:
    finding = device.judge(Placement(where, dtype, "why"), measured, unused_gpu=unused_gpu)
    assert finding.state == state
    assert words in finding.said
    assert bool(finding.remedy) == (state != "pass")


# -- memory ------------------------------------------------------------------------------------


def seen(stream: str, modality: str, hz: int, reading_bytes: int) -> Look:
    return Look(stream, modality, hz, 0, NS_PER_S, NS_PER_S, hz, reading_bytes)


def test_what_a_run_needs_is_the_sum_of_its_parts() -> None:
    config = load("robot")
    looks = [seen("front", "vision", 30, 640 * 480 * 3), seen("base", "imu", 400, 32)]
    need = memory.needed(config, ModelConfig(), 2, looks)
    # All six towers in two bytes a number; 1200.8 M of them were published.
    assert need.weights == pytest.approx(2 * 1200.8e6, rel=1e-3)
    # A window, 0.1 s of lateness and a hop of 0.5 s; the IMU's windows are 5 s.
    assert need.windows == pytest.approx(2.6 * 30 * 640 * 480 * 3 + 5.6 * 400 * 32, rel=1e-9)
    assert need.outboxes == 8 * 1024 * 1024
    # 16 prompts of 77 tokens, or four pictures of 257: the latter are wider.
    assert need.activations == 12 * 4 * 257 * 1280 * 2 + (64 << 20)
    halved = memory.needed(config, ModelConfig(), 4, looks)
    assert halved.weights == 2 * need.weights


NEED = memory.Need(weights=2 * GB, activations=GB // 2, windows=GB // 4, outboxes=GB // 4)


@pytest.mark.parametrize(
    ("free", "notes", "state"),
    [
        (2.9 * GB, [], "fail"),
        (3.1 * GB, [], "warn"),
        (4 * GB, [], "pass"),
        (4 * GB, ["without x"], "warn"),
        (None, [], "warn"),
    ],
)
def test_memory_is_compared_with_what_is_free(
    free: float | None, notes: list[str], state: State
) -> None:
    finding = memory.judge(
        "memory", NEED.model, NEED, None if free is None else int(free), "there", notes
    )
    assert finding.state == state
    assert finding.said.startswith("3 GB needed: weights 2 GB, work 500 MB")
    assert bool(finding.remedy) == (state != "pass")


def test_the_memory_of_a_gpu_holds_the_model_alone() -> None:
    states = [
        memory.judge_gpu(NEED, GpuMemory(int(f * GB), 8 * GB, False)).state for f in (2, 3, 4)
    ]
    assert states == ["fail", "warn", "pass"]


# -- room --------------------------------------------------------------------------------------


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MACHINE = {"meminfo": "MemTotal: 8000000 kB\nMemFree: 100 kB\nMemAvailable:    4000000 kB\n"}


def test_without_a_limit_the_machine_says_what_is_free(tmp_path: Path) -> None:
    proc = tree(tmp_path / "proc", MACHINE)
    assert available(proc, tmp_path / "none") == (4_000_000 * 1024, "of the machine")
    assert available(tmp_path / "none", tmp_path / "none") == (None, "unknown")


def test_the_tightest_limit_above_a_process_counts(tmp_path: Path) -> None:
    proc = tree(tmp_path / "proc", {**MACHINE, "self/cgroup": "0::/robot/streamer\n"})
    groups = tree(
        tmp_path / "cgroup",
        {
            "robot/memory.max": "3000000000\n",
            "robot/memory.current": "2500000000\n",
            "robot/memory.stat": "anon 1\ninactive_file 200000000\n",
            "robot/streamer/memory.max": "max\n",
            "robot/streamer/memory.current": "1\n",
        },
    )
    assert available(proc, groups) == (700_000_000, "limit of cgroup /robot")


def test_a_limit_of_the_older_version_and_a_container_that_sees_only_itself(tmp_path: Path) -> None:
    lines = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n"
    proc = tree(tmp_path / "proc", {**MACHINE, "self/cgroup": lines})
    groups = tree(
        tmp_path / "cgroup",
        {
            "memory/memory.limit_in_bytes": "1000000000\n",
            "memory/memory.usage_in_bytes": "1200000000\n",
            "memory/memory.stat": "total_inactive_file 100000000\n",
        },
    )
    assert available(proc, groups) == (0, "limit of cgroup /")


# -- disk, clock -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "writable", "wanted", "state"),
    [(9 * GB, True, 5 * GB, "pass"), (4 * GB, True, 5 * GB, "warn"), (10**6, True, 0, "fail"),
     (9 * GB, False, 0, "fail")],
)  # fmt: skip
def test_a_disk_is_judged_by_what_it_has_to_take(
    free: int, writable: bool, wanted: int, state: State
) -> None:
    finding = disk.judge(Path("/weights"), free, writable, wanted)
    assert finding.state == state
    assert bool(finding.remedy) == (state != "pass")


def test_weights_that_are_still_to_come_need_their_whole_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "caches"))
    huge = load("robot", [f"encoder.weights={tmp_path}/a/b/imagebind_huge.pth"])
    names = [finding.name for finding in disk.disk(huge)]
    assert names == [f"disk {tmp_path}/a/b", f"disk {tmp_path}/caches"]


@pytest.mark.parametrize(
    ("year", "kept", "state", "words"),
    [
        (2026, (True, 0.012), "pass", "off by at most 12 ms"),
        (2026, (False, 16.0), "warn", "not synchronised"),
        (2026, None, "warn", "nobody says"),
        (1970, (True, 0.012), "fail", "1970-05-01 00:00:00 UTC cannot be"),
        (2106, (True, 0.012), "fail", "cannot be"),
    ],
)
def test_the_time_has_to_be_possible_and_kept(
    year: int, kept: tuple[bool, float] | None, state: State, words: str
) -> None:
    finding = wallclock.judge(datetime(year, 5, 1, tzinfo=UTC), kept)
    assert finding.state == state
    assert words in finding.said
    assert bool(finding.remedy) == (state != "pass")


def test_the_kernel_answers_whether_its_time_is_kept() -> None:
    kept = wallclock.synchronised()
    # A sandbox may forbid asking. Nothing keeps time to better than a nanosecond, and the kernel
    # gives up at 16 s.
    assert kept is None or 0 <= kept[1] <= 16.001
    assert wallclock.wallclock().state in ("pass", "warn")


# -- broker, sensors, pace ---------------------------------------------------------------------

ENV = "ROBOT_MQTT"
SINK = MqttSink(user="robot", password_env=ENV)


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("Connection refused", "start a broker"),
        ("refused: Not authorized", "password in ROBOT_MQTT"),
        ("refused: Bad user name or password", "password in ROBOT_MQTT"),
        ("password_env: the environment has no ROBOT_MQTT", "export ROBOT_MQTT"),
        ("refused: publishing to x: Not authorized", "publish and read streamer/v1/robot/#"),
        ("published to x, and nothing came back in 2 s", "publish and read streamer/v1/robot/#"),
        ("Name or service not known", "check sinks.1.host"),
        ("certificate verify failed", "sinks.1.tls"),
        ("port 1883 is taken (Address already in use): set another port", "another run"),
        ("timed out", "does the broker hang"),
    ],
)  # fmt: skip
def test_each_loss_of_a_broker_has_its_remedy(why: str, words: str) -> None:
    assert words in broker.remedy("sinks.1", SINK, why)


def test_a_broker_that_is_slow_is_warned_of() -> None:
    assert broker.judge("broker", SINK, RoundTrip(0.005, 5)).state == "pass"
    slow = broker.judge("broker", SINK, RoundTrip(0.2, 5))
    assert (slow.state, "200 ms" in slow.said) == ("warn", True)


def test_a_sensor_that_gives_nothing_or_nonsense_fails() -> None:
    config = load("robot")
    assert sensors.judge(seen("mic", "audio", 16_000, 4), "").said.startswith("16000 a second")
    silent = sensors.judge(Look("mic", "audio"), sensors.remedy("sources.1", config.sources[1]))
    assert (silent.state, silent.said) == ("fail", "no sample came")
    assert "connected" in silent.remedy
    assert sensors.judge(seen("cam", "vision", 10**6, 1), "").state == "fail"


@pytest.mark.parametrize(
    ("hop_s", "live", "state", "words"),
    [
        (0.5, True, "pass", "take 400 ms"),
        (0.3, True, "warn", "will be dropped"),
        (0.1, False, "pass", "4.0 times as long"),
    ],
)
def test_the_sum_of_all_streams_is_held_against_the_hop(
    hop_s: float, live: bool, state: State, words: str
) -> None:
    finding = weights.judge_pace(
        {"vision": 0.15, "audio": 0.1}, {"vision": 2, "audio": 1}, hop_s, live=live
    )
    assert finding.state == state
    assert words in finding.said


def test_what_a_second_of_a_stream_takes_comes_from_its_samples() -> None:
    look = Look("depth", "depth")
    for number in range(10):
        picture = np.zeros((4, 5), np.float32)
        look.add(Sample("depth", "depth", number * NS_PER_S // 10, NS_PER_S // 10, picture))
    assert look.bytes_per_s == pytest.approx(10 * 4 * 5 * 4)


def test_an_encoder_that_computes_nothing_needs_nothing() -> None:
    config = RunConfig.model_validate(
        {"sources": [{"kind": "demo_clip"}], "encoder": {"kind": "noop"}, "labels": False}
    )
    assert device.placement(config) is None
    assert device.device(config).state == "pass"
    assert weights.weights(config)[0].state == "pass"
    (found,) = memory.memory(config, None, [])
    assert found.said.startswith("0 B needed")
