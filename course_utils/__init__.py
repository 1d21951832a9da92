"""The small library behind the course on adversarial noise.

Importing it imports TensorFlow quietly: its C++ start-up lines would otherwise land in the stored outputs of
the notebooks. That is why every notebook imports `course_utils` first. All public names are handed on from here.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's convolutions, which TensorFlow chooses by itself on some processors only: about twice as fast here.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def _quiet_start_up() -> Iterator[None]:
    """Send file descriptor 2 to the null device: TensorFlow's C++ code writes there, past Python's `sys.stderr`."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _check_backend(backend: str) -> None:
    if backend != "tensorflow":
        raise ImportError(
            f"This course runs on Keras with TensorFlow, but here Keras is to use {backend!r}. Set the environment "
            "variable KERAS_BACKEND to 'tensorflow' (or remove it), restart the kernel, and run "
            "'import course_utils' before 'import keras'."
        )


def _check_version(name: str, version: str, oldest: str) -> None:
    if [int(part) for part in version.split(".")[:2]] < [int(part) for part in oldest.split(".")]:
        raise ImportError(
            f"This course needs {name} {oldest} or newer, but here is {version}. Install what the course names "
            f"(its README says how), or 'pip install --upgrade {name}', and restart the kernel."
        )


def _use_the_formats_of_the_course() -> None:
    """Put right what ~/.keras/keras.json may ask for: other formats of images and numbers than the course's."""
    for setting, wanted in {"image_data_format": "channels_last", "floatx": "float32"}.items():
        found = getattr(keras.config, setting)()
        if found != wanted:
            getattr(keras.config, f"set_{setting}")(wanted)
            print(f"Keras is set to {setting} = {found}; the course needs {wanted} and uses it in this process.")


for _stream in (sys.stdout, sys.stderr):
    # A console that knows no ✓, as on a Chinese Windows, shows a question mark instead of failing.
    if hasattr(_stream, "reconfigure") and "utf" not in (_stream.encoding or "").lower():
        _stream.reconfigure(errors="replace")
_check_backend(os.environ.setdefault("KERAS_BACKEND", "tensorflow"))
with _quiet_start_up():
    import keras
    import tensorflow as tf

    tf.constant(0)  # starts the devices, which is when the last of those lines are written
tf.get_logger().setLevel("ERROR")  # it warns when a function is compiled anew, as the search is for each network
_check_backend(keras.config.backend())  # Keras may have been imported earlier
_check_version("tensorflow", tf.__version__, "2.19")
_check_version("keras", keras.__version__, "3.10")
_use_the_formats_of_the_course()

from course_utils._gradients import image_gradient
from course_utils.attacks import AttackReport, reattack
from course_utils.certificates import certified_accuracy, certified_images, certified_training
from course_utils.data import Dataset, Split, load_mnist
from course_utils.evaluation import NoiseReport, evaluate_noise
from course_utils.immunity import adversarial_training, immunise_in_turn, immunise_interleaved, two_tier_network
from course_utils.lab import NoiseLab, noise_lab
from course_utils.models import (
    certifiable_network,
    cifar_network,
    convolutional_network,
    linear_network,
    prepend_contrast,
    train_cifar_network,
    train_course_network,
)
from course_utils.noise import AdversarialNoise, add_noise
from course_utils.notebook import (
    cached_network,
    claim,
    expected_minutes,
    predict,
    pretrained_network,
    seed_range,
    start_notebook,
    stored_result,
    values_by_seed,
)
from course_utils.photos import (
    cifar_networks,
    decode_predictions,
    imagenet_network,
    load_cifar10,
    load_imagenet_samples,
)
from course_utils.plots import plot_confusion, plot_images, plot_noise
from course_utils.search import find_image_noise, find_universal_noise
