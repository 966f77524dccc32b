"""The looks at one Playground that a decision may still depend on."""

from collections import deque
from collections.abc import Sequence

from llmaz.controller.scaling.decide import Policy
from llmaz.controller.scaling.load import Sample

_LEAST_SECONDS = 600.0  # how long it is remembered how many requests a full engine runs


class Series:
    """Looks in order of time; those that no decision depends on any more are dropped."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    @property
    def samples(self) -> Sequence[Sample]:
        return tuple(self._samples)

    def add(self, sample: Sample, policy: Policy) -> None:
        """Add a look. One that is not later than the last begins the series anew."""
        if self._samples and sample.at <= self._samples[-1].at:
            self._samples.clear()
        self._samples.append(sample)
        targets = policy.targets
        longest = max(targets.idle_seconds, targets.scale_down_seconds, targets.scale_up_seconds)
        since = sample.at - max(float(longest), _LEAST_SECONDS)
        # The one before the window stays: windows are covered from their very begin.
        while len(self._samples) > 1 and self._samples[1].at <= since:
            self._samples.popleft()
