"""The exercises' checks, one module an exercise, which is found by its name."""

from course_utils.exercises.core import questions as questions
from course_utils.exercises.scoreboard import Scoreboard as Scoreboard
from course_utils.exercises.scoreboard import attacked as attacked
