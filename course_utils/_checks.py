"""What comes in at the door of a public function is checked here, each error in one sentence."""

import dis
import math
import re
import warnings
from types import CodeType
from typing import Any

from course_utils._gradients import answers_as_compiled, rounding

import keras
import numpy as np
import tensorflow as tf

LARGEST = 1e30  # of all numbers: float32 must be able to square roots and sums of them
SMALLEST_LIMIT = 1e-6  # below it float32 rounds noise away
MOST = 1_000_000  # of whatever is counted, unless said otherwise
LOOKED_AT = 8  # images on which a network is tried before it is used
BYTES_RECIPE = (
    "A network for pixels from 0 to 255 goes behind a layer that makes them so: "
    "keras.Sequential([keras.Input({shape}), keras.layers.Rescaling(255), network])"
)
PROBABILITIES = ("softmax", "softmax_v2", "sigmoid", "hard_sigmoid", "sparsemax", "sparse_sigmoid")
PROBABILITIES_RECIPE = (
    "the network returns probabilities, but logits are needed: build it without its last softmax or sigmoid "
    "(activation=None in the last layer); of a finished one, network.layers[-1].activation = keras.activations.linear"
)
SHELL = "keras.Sequential([keras.Input({shape}), {middle}network])"


# Numbers


def check_count(value: Any, name: str, minimum: int = 1, maximum: int = MOST) -> int:
    """Return a whole number as a plain int; TypeError if it is none, ValueError outside its range."""
    value = _item(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number, got {in_short(value)}")
    if not minimum <= value <= maximum:
        allowed = f"at least {minimum}" if value < minimum and maximum == MOST else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} must be {allowed}, got {in_short(value)}")
    return int(value)


def check_number(value: Any, name: str, low: float = 0.0, high: float = math.inf, ends: str = "[]") -> float:
    """Return a finite number as a plain float. `ends` says as in mathematics whether the ends belong to the range.

    Raises:
        TypeError: it is no number.
        ValueError: it is outside the range, NaN or infinite.
    """
    value = _item(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {in_short(value)}")
    if not -LARGEST <= value <= LARGEST:  # written so that NaN fails too
        raise ValueError(f"{name} must be a finite number, got {in_short(value)}")
    above = value >= low if ends[0] == "[" else value > low
    below = value <= high if ends[1] == "]" else value < high
    if not (above and below):
        least = f"{'at least' if ends[0] == '[' else 'above'} {low:g}"
        allowed = least if high == math.inf else f"in {ends[0]}{low:g}, {high:g}{ends[1]}"
        raise ValueError(f"{name} must be {allowed}, got {value}")
    return float(value)


def check_seed(value: Any, name: str = "seed") -> int:
    """Return a seed as a plain int: a whole number from 0 to 2³² - 1."""
    return check_count(value, name, 0, 2**32 - 1)


def check_noise_limit(noise_limit: Any) -> float:
    """Return the limit as a float in (0, 1]; 1 is the way from black to white. TypeError or ValueError if not."""
    try:
        checked = check_number(noise_limit, "noise_limit", 0, 1, "(]")
    except ValueError:
        hint = ": 3 grey levels of 255 are written 3 / 255" if noise_limit > 1 else ""
        raise ValueError(f"noise_limit must be above 0 and at most 1, got {in_short(noise_limit)}{hint}") from None
    if checked < SMALLEST_LIMIT:
        raise ValueError(f"noise_limit is {checked:g}: float32 rounds it away; take {SMALLEST_LIMIT:g} or more")
    return checked


def check_target_class(target_class: Any, classes: int, name: str = "target_class") -> int:
    """Return the target class as a plain int from 0 to classes - 1; TypeError or ValueError if it is none."""
    return check_count(target_class, name, 0, classes - 1)


def check_callback(value: Any, name: str) -> None:
    """See that something is a function, or None; TypeError if not."""
    if not (value is None or callable(value)):
        raise TypeError(f"{name} must be a function, got {in_short(value)}")


# Images, labels, noise


def check_images(images: Any, network: Any = None) -> np.ndarray:
    """Return the images as an array: float32, shape (N, H, W, C), pixels in [0, 1], of the network's own size.

    Raises:
        TypeError: any other dtype than float32; something that is no network.
        ValueError: another shape, no image at all, NaN, pixels outside [0, 1].
    """
    if network is not None:
        check_built(network)
    images = _float32_array(images, "images")
    _check_shape_of_images(images.shape, network)
    lowest, highest = images.min(), images.max()
    if not (lowest >= 0 and highest <= 1):  # written so that NaN fails too
        hair = ": np.clip(images, 0, 1) brings them back" if lowest > -0.01 and highest < 1.01 else ""
        raise ValueError(f"images must have pixels in [0, 1] and no NaN, got {lowest:.8g} to {highest:.8g}{hair}")
    return images


def check_stored_images(images: Any, network: Any) -> np.ndarray:
    """Return the images as an array: float32 or uint8, shape (N, H, W, C), of the network's own size.

    The pixels are not looked at: there may be too many of them. Who uses some checks those.

    Raises:
        TypeError: any other dtype; something that is no network.
        ValueError: another shape, no image at all.
    """
    check_built(network)
    images = as_array(images, "images")
    if images.dtype != np.uint8:
        images = _float32_array(images, "images")
    _check_shape_of_images(images.shape, network)
    return images


def as_floats(images: np.ndarray) -> np.ndarray:
    """Return some of what `check_stored_images` has let in as `check_images` wants them: float32 in [0, 1]."""
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else check_images(images)


def _check_shape_of_images(shape: tuple[int, ...], network: Any) -> None:
    expected = None if network is None else input_shape(network)
    if expected is not None and len(expected) != 3:
        recipe = SHELL.format(shape="(height, width, channels)", middle=f"keras.layers.Reshape({expected}), ")
        raise ValueError(
            f"the network takes {('N', *expected)}, but images are (N, H, W, C), such as (N, 28, 28, 1): put it into "
            f"{recipe}"
        )
    if len(shape) != 4:
        raise ValueError(
            f"images must have the shape (N, H, W, C), got {shape}: one image alone is images[:1], "
            "and grey images keep a last axis of 1, images[..., np.newaxis]"
        )
    if 0 in shape:
        raise ValueError(f"images is empty, shape {shape}: at least one image with at least one pixel is needed")
    if expected is not None and any(size not in (None, own) for size, own in zip(expected, shape[1:], strict=True)):
        raise ValueError(f"images have the shape {shape}, but the network takes {('N', *expected)}")


def check_labels(labels: Any, images: Any, classes: int, name: str = "labels") -> np.ndarray:
    """Return the labels as int64, shape (N,), one for each image, each a class of the network.

    Raises:
        TypeError: labels that are not whole numbers.
        ValueError: another shape, another number than images, a class that does not exist.
    """
    labels = as_array(labels, name)
    if labels.shape == (len(images), classes) and classes > 1:
        raise ValueError(f"{name} must have the shape ({len(images)},): of one-hot rows take {name}.argmax(axis=1)")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers (int64), got dtype {labels.dtype}")
    if labels.shape != (len(images),):
        raise ValueError(f"{name} must have the shape ({len(images)},), one per image, got {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"{name} must be classes from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype(np.int64)


def check_noise(noise: Any, images: np.ndarray, name: str = "noise") -> np.ndarray:
    """Return the noise as float32 of shape (H, W, C) for all images or (N, H, W, C), one for each.

    Raises:
        TypeError: any other dtype than float32.
        ValueError: a shape that fits neither, NaN.
    """
    noise = _float32_array(noise, name)
    if noise.shape not in (images.shape, images.shape[1:]):
        raise ValueError(
            f"{name} must have the shape {images.shape[1:]} (one for all images) or {images.shape} "
            f"(one for each), got {noise.shape}"
        )
    if not np.isfinite(noise).all():
        raise ValueError(f"{name} must not hold NaN or infinity")
    return noise


def as_array(values: Any, name: str) -> np.ndarray:
    """Return an array, or a tensor or a list as one; TypeError in one sentence for what cannot become one."""
    if isinstance(values, tf.data.Dataset):
        raise TypeError(
            f"{name} must be an array, got a tf.data.Dataset: np.concatenate([batch for batch in dataset]) is one, "
            "or, of pairs, np.concatenate([images for images, labels in dataset])"
        )
    if np.ma.is_masked(values):
        raise TypeError(f"{name} must be an array in which nothing is masked: leave those entries out")
    try:
        return np.asarray(values)
    except Exception:  # a ragged list, a symbolic tensor, whatever a class of the reader's own may raise
        raise TypeError(f"{name} must be an array, got {in_short(values)}") from None


def _float32_array(values: Any, name: str) -> np.ndarray:
    values = as_array(values, name)
    if values.dtype != np.float32:
        remedy = {"u": ' (divide by 255, then .astype("float32"))', "f": ' (use .astype("float32"))'}
        raise TypeError(f"{name} must be float32, got {values.dtype}{remedy.get(values.dtype.kind, '')}")
    return values


def check_dataset(dataset: Any, classes: int | None = None) -> None:
    """See that something is a data set, with a name for each class of the network."""
    parts = [getattr(dataset, part, None) for part in ("train", "validation", "test")]
    if not all(hasattr(part, "images") and hasattr(part, "labels") for part in parts):
        raise TypeError(f"dataset must be a Dataset, such as load_mnist() returns, got {in_short(dataset)}")
    names = dataset.class_names
    if classes is not None and len(names) != classes:
        raise ValueError(f"the network has {classes} classes, but dataset.class_names names {len(names)}")


# Networks


def check_built(network: Any, name: str = "network") -> None:
    """See that something is a network of Keras 3 that has its weights and takes one array of numbers.

    Raises:
        TypeError: it is something else.
        ValueError: it has no weights yet, or several inputs, or takes whole numbers.
    """
    if not isinstance(network, keras.Model):
        raise TypeError(f"{name} must be a keras.Model, got {_what_else(network)}")
    if not network.built:
        raise ValueError(
            f"{name} is not built yet, so it has no weights: begin it with keras.Input((28, 28, 1)), or call it once "
            "on some images, and train it"
        )
    inputs = getattr(network, "inputs", None) or []
    if len(inputs) > 1:
        raise ValueError(f"{name} must take one input, the images, but it takes {len(inputs)}")
    for one in inputs:
        if not keras.backend.is_float_dtype(one.dtype):
            raise ValueError(
                f"{name} takes {one.dtype}, in which noise would be rounded away: begin it with "
                f"keras.Input({tuple(one.shape[1:])}), which is float32"
            )


def input_shape(network: keras.Model) -> tuple[int | None, ...] | None:
    """Return the shape of one image as the network takes it; None where a class of its own does not tell."""
    inputs = getattr(network, "inputs", None)
    return tuple(inputs[0].shape[1:]) if inputs else None


def check_network(network: keras.Model, images: Any) -> int:
    """Try a network on a few images, and return how many classes it knows. They must have passed their own check.

    Raises:
        TypeError: it is no network.
        ValueError: it cannot be called on them; it returns anything else than one array of finite logits, (N,
            classes); it answers the same images differently each time.
    """
    check_built(network)
    if tf.config.functions_run_eagerly() or not tf.executing_eagerly():
        raise ValueError(
            "TensorFlow must run functions as graphs and all else eagerly: tf.config.run_functions_eagerly(False), "
            "no tf.compat.v1.disable_eager_execution(), and not within a tf.function"
        )
    some = as_floats(images[:LOOKED_AT])
    tried = np.concatenate([some, 1 - some])  # the second half only to see whether the network is still the same
    all_logits = _answers(network, tried)
    logits = all_logits[: len(some)]
    _check_last_layer(network, logits)
    alone = _answers(network, tried[:1])
    if not np.allclose(alone, all_logits[:1], rtol=0, atol=rounding(network, all_logits)):
        raise ValueError(
            "the network answers an image differently when others are beside it, as with a mean over the batch: it "
            "must read each image by itself"
        )
    try:
        steady = answers_as_compiled(network, tried, all_logits)
    except Exception as error:  # what a class of the reader's own does only when it is called step by step
        raise ValueError(f"the network cannot run as a graph of TensorFlow: {_what_happened(error)}") from None
    if not steady:
        raise ValueError(
            "the network answers the same images differently each time: is there a random layer that does not heed "
            "training=False?"
        )
    _warn_of_bytes(network, some.shape[1:])
    return logits.shape[1]


def _answers(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Call the network and see that one array (N, classes) comes back."""
    try:
        outputs = network(images, training=False)
    except Exception as error:  # whatever the reader's layers may do
        raise ValueError(f"the network cannot be called on images {images.shape}: {_what_happened(error)}") from None
    if isinstance(outputs, dict | list | tuple):
        raise ValueError(
            f"the network must return one array of logits, but it returns {len(outputs)} in a "
            f"{type(outputs).__name__}: pick one with keras.Model(network.inputs[0], network.outputs[0])"
        )
    if outputs is None:
        raise ValueError("the network returns nothing: does its call() end with return?")
    shape, dtype = tuple(getattr(outputs, "shape", ())), str(getattr(outputs, "dtype", None))
    if shape == (len(images), 1):
        raise ValueError(
            "the network has one output, but it needs one for each class, at least two: Dense(2) without activation. "
            "To make [0, z] of the one logit z: two = keras.layers.Dense(2, use_bias=False); "
            f"both = keras.Sequential([keras.Input({images.shape[1:]}), network, two]); "
            "two.set_weights([np.array([[0, 1]])]). A last sigmoid goes first: "
            "network.layers[-1].activation = keras.activations.linear"
        )
    if len(shape) != 2 or shape[0] != len(images) or "float" not in dtype:
        raise ValueError(
            f"the network must return logits of the shape (N, classes), got {dtype} of the shape "
            f"{('N', *shape[1:])}: end it with Flatten or GlobalAveragePooling2D and a Dense without activation"
        )
    return np.asarray(keras.ops.cast(outputs, "float32"))


def _check_last_layer(network: keras.Model, logits: np.ndarray) -> None:
    """See from the last layer and from the numbers that these are logits: no probabilities, and no NaN."""
    last: Any = network
    while input_shape(last) is not None and getattr(last, "layers", None):
        last = last.layers[-1]
    activation = getattr(last, "activation", None)
    is_softmax = isinstance(last, keras.layers.Softmax) or getattr(activation, "__name__", "") in PROBABILITIES
    is_known = type(last).__module__.startswith("keras.") and (
        activation is None or activation.__module__.startswith("keras.")
    )
    # Logits of an untrained network may be small.
    only_sums = is_known and not isinstance(last, keras.layers.Lambda | keras.Model)
    if not is_softmax:
        check_finite(logits)
    if is_softmax or look_like_probabilities(logits, only_sums):
        raise ValueError(PROBABILITIES_RECIPE)


def look_like_probabilities(outputs: np.ndarray, only_sums: bool) -> bool:
    """Are these rows that sum to 1, or, unless only sums count, numbers from 0 to 1 throughout?"""
    if outputs.size == 0 or outputs.min() < 0:
        return False
    in_range = not only_sums and 0 < outputs.max() <= 1 + 1e-3  # all of them 0: a linear network before its training
    return bool(in_range or np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def check_finite(logits: np.ndarray) -> None:
    """Raise ValueError when an answer of a network holds NaN or infinity."""
    if not np.isfinite(logits).all():
        raise ValueError("the network returns NaN or infinity for these images: its weights are broken")


def check_inputs(network: Any, images: Any, labels: Any, noise_limit: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Return images, labels and limit, each as its own check does, and try the network on some of the images.

    Raises:
        TypeError, ValueError: as `check_images`, `check_network`, `check_labels` and `check_noise_limit`.
    """
    images = check_images(images, network)
    labels = check_labels(labels, images, check_network(network, images))
    return images, labels, check_noise_limit(noise_limit)


def _warn_of_bytes(network: keras.Model, shape: tuple[int, ...]) -> None:
    """Warn of a network that divides by 255 what is already in [0, 1]."""
    first = network
    while isinstance(first, keras.Model):
        inner = [layer for layer in first.layers if not isinstance(layer, keras.layers.InputLayer)]
        if not inner:
            return
        first = inner[0]
    if isinstance(first, keras.layers.Rescaling) and 0 < np.max(first.scale) < 1 / 50:
        recipe = BYTES_RECIPE.format(shape=shape)
        warnings.warn(f"the network divides its pixels by {1 / np.max(first.scale):.4g}. {recipe}", stacklevel=4)


def _what_else(value: Any) -> str:
    """Say what something is that should have been a network, and what is then to be done."""
    if type(value).__module__.startswith(("tf_keras", "keras.src.legacy")):
        return "a network of tf_keras (Keras 2), which Keras 3 cannot train: build it with `import keras`"
    if isinstance(value, str) or hasattr(value, "__fspath__"):
        return f"the path {str(value)!r}: keras.saving.load_model reads it"
    if isinstance(value, type):
        return f"the class {value.__name__}: make one of it, {value.__name__}()"
    if value is None or value is ...:
        return f"{value}: there is no network here yet; run the cells above first, from the top"
    if isinstance(value, keras.Layer):
        return f"a single layer: put it into {SHELL.format(shape='(28, 28, 1)', middle='')}"
    return in_short(value)


def _item(value: Any) -> Any:
    """Return the number in an array or tensor that holds just one."""
    is_scalar = hasattr(value, "shape") and hasattr(value, "dtype") and tuple(value.shape) == ()
    return np.asarray(value).item() if is_scalar and not isinstance(value, keras.KerasTensor) else value


def _what_happened(error: Exception) -> str:
    """Say what kind of error it was, and the one line of Keras's or TensorFlow's report that says what happened."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    around = r"(in user code|File \"|.*Exception encountered when|Arguments received|•)"
    said = [line for line in lines if line and not re.match(around, line)]
    line = said[-1 if "in user code:" in lines else 0][:200] if said else ""
    return f"{type(error).__name__}: {line}"


def in_short(value: Any) -> str:
    """Show a value, or only what kind it is when it is long."""
    try:
        text = repr(value)
    except Exception:  # a class of the reader's own
        text = ""
    kind = type(value).__name__
    article = "an" if kind[0] in "aeiou" or kind == "ndarray" else "a"
    return text if 0 < len(text) <= 60 and "\n" not in text else f"{article} {kind}"


# What readers write down


def is_empty(answer: Any) -> bool:
    """Is this no answer at all: None, ..., an empty text, a function without a body, or a collection of these?"""
    if isinstance(answer, str):
        return not answer.strip()
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        return all(map(is_empty, answer))
    return answer is None or answer is ... or _has_no_body(answer)


def _has_no_body(function: Any) -> bool:
    """Is this a function that does nothing, such as `def search(steps): ...`?"""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    steps = list(dis.get_instructions(code))
    returned = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
    return {step.opname for step in steps} <= idle and returned == [None]
