"""What the documentation shows is valid."""

import re
from typing import Any

import pytest
import yaml

from configs.schema import RunConfig
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
def test_every_example_of_the_reference_is_valid(key: str, item: Any) -> None:
    config = RunConfig.model_validate({**BASE, key: [item]})
    assert getattr(config, key)[0].kind == item["kind"]


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
