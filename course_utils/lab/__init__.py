"""The noise lab: a screen on which noise is painted, searched and measured, in a notebook or on a page of its own."""

from course_utils.lab.widget import NoiseLab, noise_lab

__all__ = ["NoiseLab", "noise_lab"]
