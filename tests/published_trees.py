"""Tiny trees with the layout of the data sets that the published figures are of."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from tests.mediafiles import tone, write_audio, write_video

BOX = (20, 10, 32, 50)
"""Left, top, right, bottom of the person in every picture of `llvip`, 80 x 64."""

SCENES = {
    "kv1/NYUdata/NYU0001": "kitchen",
    "kv1/NYUdata/NYU0002": "basement",
    "kv1/NYUdata/NYU0003": "playroom",
    "kv1/b3dodata/img_0063": "office",
    "kv2/align_kv2/2014-12-18_11-34-09_260595134347": "study_space",
    "xtion/sun3ddata/brown_cogsci_2/brown_cogsci_2": "idk",
}
"""Folders of `sunrgbd` and their scene; idk is none of the benchmark's."""


def esc50(root: Path) -> Path:
    (root / "meta").mkdir(parents=True)
    (root / "audio").mkdir()
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for name, hz, target, category in (
        ("1-100032-A-0.wav", 300, 0, "dog"),
        ("5-9032-A-36.wav", 900, 36, "vacuum_cleaner"),
    ):
        sound(root / "audio" / name, hz, 5)
        lines.append(f"{name},{name[0]},{target},{category},False,1,A")
    (root / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return root


def kinetics(root: Path) -> Path:
    """Videos named both ways, one in a folder of its class; one more that is gone."""
    (root / "val" / "juggling balls").mkdir(parents=True)
    video(root / "val" / "-0ab_x9_000010_000020.mp4")
    video(root / "val" / "juggling balls" / "QQ_1234567z.mp4")
    (root / "val.csv").write_text(
        "label,youtube_id,time_start,time_end,split,is_cc\n"
        "abseiling,-0ab_x9,10,20,val,0\n"
        "juggling balls,QQ_1234567z,3,13,val,0\n"
        "zumba,gone_gone_g,1,11,val,0\n"
    )
    return root


def vggsound(root: Path) -> Path:
    (root / "video").mkdir(parents=True)
    for name in ("---g-f_I2yQ_000001", "--0PQM4-hqg_000030", "-0train0000_000030"):
        sound(root / "video" / f"{name}.wav", 500, 3)
    (root / "vggsound.csv").write_text(
        '---g-f_I2yQ,1,people marching,test\n--0PQM4-hqg,30,"wind noise, gust",test\n'
        "-0train0000,30,people marching,train\n--gone,4,people marching,test\n"
    )
    return root


def imagenet(root: Path) -> Path:
    for name in ("n01440764", "n01443537"):
        (root / "val" / name).mkdir(parents=True)
        picture = np.full((40, 50, 3), len(name) * 9, np.uint8)
        cv2.imwrite(str(root / "val" / name / "ILSVRC2012_val_00000293.JPEG"), picture)
    (root / "LOC_synset_mapping.txt").write_text(
        "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\nn0 unused\n"
    )
    return root


def sunrgbd(root: Path) -> Path:
    """Depth of 2.5 m everywhere, as SUN RGB-D stores it; and lists as the two .mat files give."""
    stored = np.uint16((2500 << 3) | (2500 >> 13))
    for place, scene in SCENES.items():
        for part in ("depth", "depth_bfx", "image"):
            (root / place / part).mkdir(parents=True)
        for part in ("depth", "depth_bfx"):
            cv2.imwrite(str(root / place / part / "0.png"), np.full((30, 40), stored, np.uint16))
        (root / place / "scene.txt").write_text(scene)
    (root.parent / "nyu_test.txt").write_text("1\n2\n")
    (root.parent / "sun_test.txt").write_text(
        "SUNRGBD/kv1/NYUdata/NYU0001\n"
        "SUNRGBD/kv2/align_kv2/2014-12-18_11-34-09_260595134347/\n"
        "SUNRGBD/xtion/sun3ddata/brown_cogsci_2/brown_cogsci_2\n"
    )
    return root


def llvip(root: Path) -> Path:
    """One test picture with a person hotter than all around, one training picture."""
    left, top, right, bottom = BOX
    for part, name in (("test", "190001"), ("train", "010001")):
        (root / "infrared" / part).mkdir(parents=True)
        picture = np.full((64, 80), 40, np.uint8)
        picture[top:bottom, left:right] = 220
        cv2.imwrite(str(root / "infrared" / part / f"{name}.jpg"), picture)
        (root / "Annotations").mkdir(exist_ok=True)
        edges = zip(("xmin", "ymin", "xmax", "ymax"), BOX, strict=True)
        box = "".join(f"<{edge}>{at}</{edge}>" for edge, at in edges)
        (root / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><object><name>person</name><bndbox>{box}</bndbox></object></annotation>"
        )
    return root


def sound(path: Path, hz: float, seconds: int, rate: int = 16_000) -> None:
    write_audio(path, [("pcm_s16le", rate, [(0, tone(seconds * rate, rate, hz))])])


def video(path: Path, seconds: int = 3) -> None:
    stamps = range(0, seconds * 1000, 40)
    write_video(path, stamps, time_base=Fraction(1, 1000), codec="mpeg4", corner=True)
