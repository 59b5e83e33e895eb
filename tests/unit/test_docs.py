"""What the documentation shows is valid."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from configs.schema import RunConfig
from tests.foreignlogs import T0_NS, foreign
from tests.needs import ROOT

PAGE = ROOT / "docs" / "reference" / "configuration.md"
BASE: dict[str, Any] = {"sources": [{"kind": "demo_clip"}], "encoder": {"kind": "noop"}}


def examples() -> list[tuple[str, Any]]:
    sources, sinks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [
        *(("sources", item) for item in yaml.safe_load(sources)),
        *(("sinks", item) for item in yaml.safe_load(sinks)),
    ]


@pytest.mark.parametrize(("key", "item"), examples(), ids=lambda x: str(x)[:40])
def test_every_example_of_the_reference_is_valid(key: str, item: Any, tmp_path: Path) -> None:
    if item["kind"] == "replay":
        item = {**item, "path": _a_log_with(item["topics"], tmp_path / item["path"])}
    config = RunConfig.model_validate({**BASE, key: [item]})
    assert getattr(config, key)[0].kind == item["kind"]


def _a_log_with(topics: list[dict[str, Any]], path: Path) -> Path:
    """Which streams a log has is asked of the log itself."""
    grey = np.zeros((8, 8), np.uint16)
    with foreign(path) as log:
        for topic in topics:
            if "accel_unit" in topic:
                log.imu(topic["topic"], T0_NS, (0, 0, 1, 0, 0, 0))
            elif "audio" in topic:
                schema = "audio_common_msgs/AudioData", "ros1msg", b"uint8[] data"
                log.raw(topic["topic"], "ros1", schema, T0_NS, bytes(4))
            else:
                encoding = "mono16" if "modality" in topic else "mono8"
                array = grey if "modality" in topic else grey.astype(np.uint8)
                log.image(topic["topic"], T0_NS, encoding, array)
    return path


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_example_of_recording_is_valid() -> None:
    (example,) = re.findall(r"^`(record: .*?)`:", PAGE.read_text(), re.MULTILINE)
    record = RunConfig.model_validate({**BASE, **yaml.safe_load(example)}).record
    assert record is not None
    # What belongs to the flight recorder alone has a page of its own.
    assert set(yaml.safe_load(example)["record"]) >= set(type(record).model_fields) - {"flight"}
