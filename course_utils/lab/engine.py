"""What the noise lab shows, as numbers and arrays: plain Python, which knows of no widget and no screen.

The screen asks in a few named messages, and gets a dict and some arrays back; any other engine that answers them can
stand in its place. Noise is float32, images on the screen are uint8.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from course_utils._checks import (
    as_array,
    check_built,
    check_count,
    check_dataset,
    check_finite,
    check_images,
    check_labels,
    check_network,
    check_noise,
    check_noise_limit,
    check_seed,
    check_target_class,
    in_short,
)
from course_utils._gradients import compiled, compiled_logits
from course_utils.attacks import pgd_steps
from course_utils.certificates import certified_images
from course_utils.data import Dataset
from course_utils.evaluation import ROUNDING, classes_seen
from course_utils.search import find_image_noise, find_universal_noise

import keras
import numpy as np
import tensorflow as tf

MOVING, STILL = 300, 1_000  # test images that are measured while something moves, and when it rests
ATTACKED_MOVING, ATTACKED = 100, 300  # the same, where each image is attacked and bounded
FOR_A_MEAN = 5_000  # training images
VALUES = 2**23  # pixel values in STILL images; of larger images there are fewer, in all of these numbers
SHOWN = 9  # images on the screen
LIMITS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.33, 0.36, 0.4)  # of the curves of a proof
QUESTIONS = ("measure", "search", "grow", "mean", "scores", "single", "proof", "curves")
Networks: TypeAlias = keras.Model | Mapping[str, keras.Model]
Answer: TypeAlias = tuple[dict[str, Any], list[np.ndarray]]


class Engine:
    """Answers what the screen asks, for some networks and a data set.

    Where nobody knows what a test image shows (its label is -1), what the first network sees in it counts as true.

    Args:
        networks: one, or several by name; each takes float32 images in [0, 1] and returns logits.
        dataset: noise is searched on its training images, and measured on its first 1,000 test images, fewer of
            large ones.
        seed: for every search.

    Raises:
        TypeError, ValueError: no network, networks and data that do not fit together.
    """

    def __init__(self, networks: Networks, dataset: Dataset, seed: int = 0) -> None:
        self.networks = _by_name(networks, dataset)
        self.dataset, self.seed = dataset, check_seed(seed)
        self.images = check_images(dataset.test.images[: _at_most(STILL, dataset)])
        self.labels = self._labels()
        self._proof = functools.lru_cache(maxsize=64)(self._proof_of)
        self._places: dict[int | None, list[int]] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image, and of noise: (H, W, C)."""
        return tuple(self.images.shape[1:])

    def answer(self, question: str, settings: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> Answer:
        """Answer a question by its name; whatever goes wrong comes back as one sentence under "error".

        Args:
            question: one of `QUESTIONS`, each a method that says what it takes and returns.
            settings: its arguments by name.
            arrays: those that are arrays, in order; float32, also flat.
        """
        try:
            if question not in QUESTIONS:
                raise ValueError(f"there is no question {in_short(question)}: they are {', '.join(QUESTIONS)}")
            return getattr(self, question)(*map(self._unfolded, arrays), **settings)  # type: ignore[no-any-return]
        except (Exception, KeyboardInterrupt) as error:  # nobody reads a kernel's log: the screen says it
            return refused(error)

    def measure(
        self, noise: np.ndarray, target: int | None = None, networks: Sequence[str] = (), moving: bool = False
    ) -> Answer:
        """Add noise to the test images, and count what each network makes of those that are not of the target class.

        Args:
            noise: float32, shape (H, W, C), numbers from -1 to 1.
            target: the class that it is to lead to; None: anywhere but to the right one.
            networks: their names; all when empty.
            moving: measure 300 images only.

        Returns:
            A dict with `measured`, `images` measured, `largest` |noise|, and `places` of the images shown; and their
            noisy pixels, uint8 (9, H, W, C). `measured` has a dict for each network: `right`, `hit`, `elsewhere` in
            counts, `of`, `in_100`, `clean_in_100` without noise, `images` with those of the target, `confusion`, and
            the `verdicts` on the images shown, with what is `seen` there.
        """
        noise, target = self.check_noise(noise), self._target(target)
        places = self.places(target)
        images = self.images[: _at_most(MOVING if moving else STILL, self.dataset)]
        noisy = np.clip(np.concatenate([images, self.images[places]]) + noise, 0, 1)
        measured = {name: self._counts(name, noisy, target, places) for name in networks or self.networks}
        about = {"images": len(images), "largest": float(np.abs(noise).max()), "places": places}
        return {"measured": measured, **about}, [as_bytes(noisy[len(images) :])]

    def search(
        self, network: str, target: int | None = None, limit: float = 0.35, l2_weight: float = 0.0, steps: int = 20,
        networks: Sequence[str] = (), moving: bool = False,
    ) -> Answer:  # fmt: skip
        """Search noise against one network, and measure it on others: as `measure`, with the noise behind."""
        noise = self._searched(network, target, noise_limit=limit, noise_l2_weight=l2_weight, steps=steps)
        measured, pictures = self.measure(noise, target, networks, moving)
        return measured, [*pictures, noise]

    def grow(
        self, network: str, target: int | None = None, limit: float = 0.35, l2_weight: float = 0.0, steps: int = 20
    ) -> Answer:
        """Search, and tell `in_100` after every step, with the noises, (steps + 1, H, W, C)."""
        all_noise = [np.zeros(self.shape, np.float32)]
        settings = {"noise_limit": limit, "noise_l2_weight": l2_weight, "steps": steps}
        self._searched(network, target, **settings, after_step=lambda noise: all_noise.append(noise[0]))
        some, target = self.images[: _at_most(MOVING, self.dataset)], self._target(target)
        counts = [self._counts(network, np.clip(some + noise, 0, 1), target, ()) for noise in all_noise]
        return {"in_100": [one["in_100"] for one in counts], "images": len(some)}, [np.stack(all_noise)]

    def mean(self, target: int, limit: float = 0.35, sign: bool = False) -> Answer:
        """Draw the mean image of a class, less the mean of all, as strong as the limit; or only the sign of that."""
        target, limit = check_target_class(target, len(self.dataset.class_names), "target"), check_noise_limit(limit)
        some = slice(_at_most(FOR_A_MEAN, self.dataset))
        images, labels = self.dataset.train.images[some], self.dataset.train.labels[some]
        if not (labels == target).any():
            raise ValueError(f"there is no image of “{self.dataset.class_names[target]}” to take the mean of")
        means = images[labels == target].mean(axis=0) - images.mean(axis=0)
        least = 0.01 * (255 if images.dtype == np.uint8 else 1)
        pattern = np.sign(means) * (np.abs(means) > least) if sign else means / max(float(np.abs(means).max()), 1e-9)
        return {}, [np.float32(limit) * pattern.astype(np.float32)]

    def scores(
        self, noise: np.ndarray, image: np.ndarray | None = None, place: int = 0, networks: Sequence[str] = ()
    ) -> Answer:
        """Tell the scores of one image before and after, for each network, and give its noisy pixels.

        Args:
            noise: float32, shape (H, W, C).
            image: the reader's own, float32 of that shape; a test image when left out.
            place: of a test image.
            networks: their names; all when empty.
        """
        noise = self.check_noise(noise)
        clean = self._image(place) if image is None else self._own(image)
        both = np.concatenate([clean, np.clip(clean + noise, 0, 1)])
        scores = {name: self._scores(name, both).tolist() for name in networks or self.networks}
        return {"scores": scores}, [as_bytes(both)]

    def single(self, network: str, place: int, target: int, limit: float = 0.35, most_steps: int = 25) -> Answer:
        """Search noise for one image: the `scores` after every step, and the noises and noisy pixels of all steps."""
        image, target = self._image(place), check_target_class(target, len(self.dataset.class_names), "target")
        steps = [np.zeros_like(image)]
        find_image_noise(self._network(network), image, target, limit, max_steps=most_steps, after_step=steps.append)
        all_noise = np.concatenate(steps)
        noisy = np.clip(image + all_noise, 0, 1)
        found = {"scores": self._scores(network, noisy).tolist(), "label": int(self.labels[place])}
        return found, [all_noise, as_bytes(noisy)]

    def proof(self, network: str, limit: float = 0.3, moving: bool = False) -> Answer:
        """Tell how many test images are read, stand an attack, and are proven at a limit, with nine of them.

        Args:
            network: its name.
            limit: largest |noise| of a pixel, in (0, 1].
            moving: test 100 images only, not 300.

        Returns:
            A dict with `clean`, `attacked`, `proven` (shares), `counts` by verdict `of` so many images, `verdicts`
            and `labels` of the nine; and their clean and noisy pixels, uint8 (9, H, W, C) each.
        """
        return self._proof(network, check_noise_limit(limit), bool(moving))

    def curves(self, network: str, limits: Sequence[float] = LIMITS) -> Answer:
        """Tell `clean`, `attacked` and `proven` at several limits, in a list under `curves`."""
        tested = [(float(limit), self.proof(network, limit)[0]) for limit in limits]
        kinds = ("clean", "attacked", "proven")
        return {"curves": [{"limit": limit, **{kind: one[kind] for kind in kinds}} for limit, one in tested]}, []

    def places(self, target: int | None) -> list[int]:
        """Choose nine images to show: of each class but the target in turn, those first that every network reads."""
        if target not in self._places:
            read = np.all([seen == self.labels for seen in self._seen_clean.values()], axis=0)
            order = np.argsort(~read, kind="stable")
            order = order[self.labels[order] != target] if target is not None else order
            chosen = order[some_of_each(self.labels[order])]
            self._places[target] = chosen.tolist()
        return self._places[target]

    def check_noise(self, noise: Any) -> np.ndarray:
        """Return noise for these images: float32, shape (H, W, C); TypeError or ValueError if it is none."""
        noise = check_noise(noise, self.images[:1]).reshape(self.shape)
        largest = float(np.abs(noise).max())
        if largest > 1 + ROUNDING:
            raise ValueError(f"noise reaches {largest:.7g}, beyond 1: np.clip(noise, -1, 1) brings it back")
        return noise

    def _counts(self, name: str, noisy: np.ndarray, target: int | None, places: Sequence[int]) -> dict[str, Any]:
        """Count what a network sees in the first test images, made noisy; behind them are those that are shown."""
        seen = classes_seen(self._network(name), noisy)
        seen, shown = np.split(seen, [len(seen) - len(places)])
        labels, classes = self.labels[: len(seen)], len(self.dataset.class_names)
        verdicts = _verdicts(seen, labels, target)
        counts = {kind: int(np.sum(verdicts == kind)) for kind in ("right", "hit", "other")}
        clean = _verdicts(self._seen_clean[name], self.labels, target)  # of all, also while something moves
        clean_in_100 = in_100(int(np.sum(clean == "hit")), int(np.sum(clean != "")))
        of, confusion = sum(counts.values()), np.zeros((classes, classes), int)
        np.add.at(confusion, (labels, seen), 1)
        return {
            "of": of, "hit": counts["hit"], "right": counts["right"], "elsewhere": counts["other"],
            "in_100": in_100(counts["hit"], of), "clean_in_100": clean_in_100, "images": len(labels),
            "confusion": confusion.tolist() if classes <= 20 else [],
            "seen": shown.tolist(), "verdicts": _verdicts(shown, self.labels[list(places)], target).tolist(),
        }  # fmt: skip

    def _searched(self, network: str, target: int | None, **settings: Any) -> np.ndarray:
        model, images = self._network(network), self.dataset.train.images
        return find_universal_noise(model, images, self._target(target), seed=self.seed, **settings)[0]

    def _proof_of(self, network: str, limit: float, moving: bool) -> Answer:
        model, count = self._network(network), _at_most(ATTACKED_MOVING if moving else ATTACKED, self.dataset)
        images, labels = self.images[:count], self.labels[:count]
        right = classes_seen(model, images) == labels
        proven = certified_images(model, images, labels, limit)
        attack = functools.partial(attacked_images, model, images, labels, limit)
        unfooled, noisy = proven.copy(), images.copy()
        unfooled[right & ~proven], noisy[right & ~proven] = attack(right & ~proven)  # no attack could fool the others
        verdicts = np.select([~right, proven, unfooled], ["misread", "proven", "open"], "fooled")
        chosen = some_of_each(verdicts)
        easy = chosen[(proven | ~right)[chosen]]
        _, noisy[easy] = attack(easy)
        counts = {name: int(np.sum(verdicts == name)) for name in ("proven", "open", "fooled", "misread")}
        return (
            {"clean": float(right.mean()), "attacked": float(unfooled.mean()), "proven": float(proven.mean()),
             "counts": counts, "of": len(images), "verdicts": verdicts[chosen].tolist(),
             "labels": labels[chosen].tolist()},
            [as_bytes(images[chosen]), as_bytes(noisy[chosen])],
        )  # fmt: skip

    @functools.cached_property
    def _seen_clean(self) -> dict[str, np.ndarray]:
        return {name: classes_seen(network, self.images) for name, network in self.networks.items()}

    def _labels(self) -> np.ndarray:
        labels = self.dataset.test.labels[: len(self.images)]
        if (labels == -1).any():
            labels = np.where(labels == -1, classes_seen(next(iter(self.networks.values())), self.images), labels)
        return check_labels(labels, self.images, len(self.dataset.class_names), "dataset.test.labels")

    def _scores(self, name: str, images: np.ndarray) -> np.ndarray:
        logits = compiled_logits(self._network(name), self.shape)(images).numpy()
        check_finite(logits)
        return tf.nn.softmax(logits).numpy()  # type: ignore[no-any-return]

    def _network(self, name: str) -> keras.Model:
        if name not in self.networks:
            raise ValueError(f"there is no network {in_short(name)}: they are {', '.join(self.networks)}")
        return self.networks[name]

    def _target(self, target: int | None) -> int | None:
        return None if target is None else check_target_class(target, len(self.dataset.class_names), "target")

    def _image(self, place: int) -> np.ndarray:
        return self.images[[check_count(place, "place", 0, len(self.images) - 1)]]

    def _own(self, image: Any) -> np.ndarray:
        image = as_array(image, "image")
        if image.shape != self.shape:
            raise ValueError(f"image must have the shape {self.shape}, got {image.shape}")
        return check_images(image[np.newaxis])

    def _unfolded(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(self.shape) if array.shape == (math.prod(self.shape),) else array


def refused(error: BaseException) -> Answer:
    """Answer in one line what went wrong."""
    text = " ".join(str(error).split())[:600]
    if isinstance(error, KeyboardInterrupt):
        text = "it was interrupted"
    elif not text or not isinstance(error, ValueError | TypeError):
        text = f"{type(error).__name__}: {text}"
    return {"error": text}, []


def in_100(count: int, of: int) -> int:
    """Say how many of 100: never 0 where there is one, and never 100 where one is missing."""
    if of == 0:
        return 0
    return 0 if count == 0 else 100 if count == of else min(99, max(1, round(100 * count / of)))


def attacked_images(
    network: keras.Model, images: np.ndarray, labels: np.ndarray, noise_limit: float, which: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Attack some images from random starts, 20 steps along the margin; return which stand, and the noisy images."""
    images, start = images[which], np.random.default_rng(0).uniform(-noise_limit, noise_limit, images.shape)[which]
    if not len(images):
        return np.zeros(0, bool), images
    limit, steps = tf.constant(float(noise_limit)), tf.constant(20)
    attack = compiled(network, pgd_steps, "margin")
    unfooled, noise, _ = attack(images, labels[which], labels[which], start.astype(np.float32), limit, steps)
    return unfooled.numpy(), np.clip(images + noise.numpy(), 0, 1)


def some_of_each(kinds: np.ndarray, count: int = SHOWN) -> np.ndarray:
    """Take things in turn from each kind, and return their places in order of the kinds."""
    rank = [np.count_nonzero(kinds[:place] == kind) for place, kind in enumerate(kinds)]
    chosen = np.argsort(rank, kind="stable")[:count]
    return chosen[np.argsort(kinds[chosen], kind="stable")]


def _verdicts(seen: np.ndarray, labels: np.ndarray, target: int | None) -> np.ndarray:
    """Tell "right", "hit" or "other" of images, and nothing of those that are of the target class."""
    if target is None:
        return np.where(seen == labels, "right", "hit")
    return np.select([labels == target, seen == labels, seen == target], ["", "right", "hit"], "other")


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Return images in [0, 1] as the screen draws them: uint8, from 0 to 255."""
    return np.round(255 * images).astype(np.uint8)


def _at_most(count: int, dataset: Dataset) -> int:
    """Take so many images, or fewer where they are large."""
    return max(1, min(count, count * VALUES // (STILL * math.prod(dataset.test.images.shape[1:]))))


def _by_name(networks: Any, dataset: Dataset) -> dict[str, keras.Model]:
    """Return the networks by name, after a look at each of them and at the data set."""
    by_name = dict(networks) if isinstance(networks, Mapping) else {"": networks}
    if not by_name:
        raise ValueError("networks must hold at least one network, got an empty dict")
    for name, network in by_name.items():
        check_built(network, f"the network {name!r}" if name else "network")
        check_dataset(dataset)
        some = check_images(dataset.test.images[:8], network)
        check_dataset(dataset, classes=check_network(network, some))
        if some.shape[-1] not in (1, 3):
            raise ValueError(f"images must be grey or in colour to be shown, got {some.shape[-1]} channels")
    texts = [str(name) or "network" for name in by_name]
    if len(set(texts)) < len(texts):
        raise ValueError(f"networks must have names that can be told apart, got {', '.join(texts)}")
    return dict(zip(texts, by_name.values(), strict=True))
