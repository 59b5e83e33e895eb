"""A moment on its way from the process that rendered it to the one that encodes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from encoders.binding.evaluate.baselines import Measured, measure
from streamer.types import Modality, Moment, Quality, Sample, Span, Window


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """`windows`: stream, span, samples and coverage; the rest of a quality card stays behind.

    `measured` is made where the moment is, since its few numbers cost as much as encoding.
    """

    windows: Mapping[Modality, tuple[str, Span, tuple[Sample, ...], float]]
    captions: tuple[str, ...]
    measured: Measured

    def moment(self) -> Moment:
        windows: dict[Modality, Window] = {
            modality: Window(stream, modality, span, samples, Quality(coverage))
            for modality, (stream, span, samples, coverage) in self.windows.items()
        }
        return Moment(windows, self.captions, self.measured.present)


def rendered(moment: Moment) -> Rendered:
    windows: dict[Modality, tuple[str, Span, tuple[Sample, ...], float]] = {
        modality: (window.stream, window.span, window.samples, window.quality.coverage)
        for modality, window in moment.windows.items()
    }
    return Rendered(windows, moment.captions, measure(moment))
