"""What exercises 5 and 6 ask, about immune networks: how each answer is measured, and the hints."""

import functools
from collections.abc import Iterator
from typing import Any

from course_utils.attacks import AttackReport, left_one_by_one, reattack
from course_utils.checks import check_network
from course_utils.data import load_mnist
from course_utils.evaluation import classes_seen
from course_utils.feedback import Answer, Finding, as_array, at_least, at_most, given_back, told
from course_utils.noise import add_noise
from course_utils.questions import (
    LIMIT,
    MEASURED,
    a_network,
    accuracy_under,
    cells_as_measured,
    function,
    lent,
    noise,
    overlaid,
    plain_network,
    question,
    reflection,
    shares,
    wanted,
    within,
)
from course_utils.results import HASHES, chosen_seed, finished_network
from course_utils.scoreboard import BATCHES, forget, trained_within_budget
from course_utils.search import find_universal_noise
from course_utils.stored import read_json

import keras
import numpy as np

STILL_READ = (
    "It must still read clean digits. The whole limit at once is too much for a network that cannot read yet: "
    "notebook 06 lets it grow."
)
NOT_LEARNT = "Has it learnt at all? The loss must expect logits: `from_logits=True`."
HUNDRED = 100  # images that are attacked one by one once more, moved by a pixel
NEARLY = "That is nearly enough. A learning rate that falls towards the end helps."
OTHERS_NOISE = "Even noise that was made for the plain network gets through."
LEARNT_BY_HEART = "It knows these very images, not digits: it loses too much when they are moved by a pixel."


@functools.lru_cache(maxsize=1)
def noise_for_the_plain_network() -> np.ndarray:
    """Search noise for every class against the course's network, which knows nothing of immunity."""
    images = load_mnist().train.images
    return find_universal_noise(plain_network(chosen_seed()), images, range(10), LIMIT, seed=chosen_seed())


def reads_and_resists(network: keras.Model, clean: float, noisy: float, noise_limit: float) -> Iterator[Finding]:
    """The cheap looks: at digits, as they are and with noise for the plain network, and at both moved by a pixel."""
    test, moved = load_mnist().test, moved_images()
    images, labels = test.images[:MEASURED], test.labels[:MEASURED]
    nothing = np.zeros((1, *images.shape[1:]), np.float32)
    old = np.clip(noise_for_the_plain_network(), -noise_limit, noise_limit)
    for text, all_noise, least, reason in (
        ("clean accuracy", nothing, clean, ""),
        ("accuracy under noise made for the plain network", old, noisy, OTHERS_NOISE),
    ):
        reads, there = (
            min(float(np.mean(classes_seen(network, add_noise(some, one)) == labels)) for one in all_noise)
            for some in (images, moved)
        )
        reason = reason or (NOT_LEARNT if reads < 0.2 else STILL_READ if reads < 0.85 else NEARLY)
        yield at_least(text, reads, least, reason)
        yield at_least(f"{text}, moved by a pixel", there, reads - wanted(0.15, 0.2), LEARNT_BY_HEART)


def moved_images() -> np.ndarray:
    """Move the first test images by a pixel, each in a direction of its own that is drawn anew."""
    images, generator = load_mnist().test.images[:MEASURED], np.random.default_rng()
    wider = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = images.shape[1:3]
    ways = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    moved = zip(wider, generator.integers(len(ways), size=len(images)), strict=True)
    return np.array([image[ways[way][0] :, ways[way][1] :][:height, :width] for image, way in moved])


def not_finished(network: keras.Model) -> Iterator[Finding]:
    """Is it one of the course's finished networks, as it is or in another dress? They answer alike."""
    seen = classes_seen(network, overlaid())
    alike = {name: float(np.mean(seen == answers)) for name, answers in answers_of_the_finished().items()}
    nearest = max(alike, key=lambda name: alike[name])
    reason = f"It answers as finished_network({nearest!r}) does. Train one of your own, from an untrained network."
    text = "pairs of digits, one over the other, that a finished network answers alike"
    yield at_most(text, alike[nearest], 0.95, reason)


@functools.lru_cache(maxsize=1)
def answers_of_the_finished() -> dict[str, np.ndarray]:
    """What each finished network for digits sees where nobody is right."""
    names = [name for name in read_json(HASHES) if not name.startswith("cifar")]
    return {name: classes_seen(finished_network(name), overlaid()) for name in names}


def convincing(report: AttackReport, universal: float | None, single: float) -> Iterator[Finding]:
    """Hold a network against the judge's report: first whether that is to be believed."""
    text = "believable, for the judge of notebook 06 (1: yes, 0: no)"
    yield at_least(
        text, float(report.believable), 1, f"No attack tells how good this network is: {report.doubt}.", ".0f"
    )
    if universal is not None:
        reason = "A search against this very network finds what its training has not met."
        yield at_least("accuracy under the worst fresh universal noise", report.worst_accuracy, universal, reason)
    left = report.single_image_accuracy
    yield at_least("accuracy under noise for single images", left, single, likely(report))


def not_by_heart(
    network: keras.Model, report: AttackReport, universal: float | None, single: float, noise_limit: float
) -> Iterator[Finding]:
    """The same attacks once more on images moved by a pixel: what knows the test images by heart helps no more."""
    moved, labels = moved_images(), load_mnist().test.labels[:MEASURED]
    if universal is not None:
        noisy = (add_noise(moved, one) for one in report.all_noise)
        left = min(float(np.mean(classes_seen(network, images) == labels)) for images in noisy)
        text = "accuracy under that universal noise, moved by a pixel"
        yield at_least(text, left, universal - wanted(0.15, 0.25), LEARNT_BY_HEART)
    if single <= 0.2:  # so little is wanted that by heart or not makes no difference
        return
    left = left_one_by_one(network, load_mnist(), moved[:HUNDRED], labels[:HUNDRED], noise_limit, chosen_seed())
    text = "accuracy under noise for single images, moved by a pixel"
    yield at_least(text, left, single - 0.2, LEARNT_BY_HEART)  # honest networks lose up to 0.11 there


def likely(report: AttackReport) -> str:
    """Say what is probably the matter when noise for single images gets through."""
    along, without, from_grey = (
        report.by_attack[f"single images, {how}"] for how in ("cross-entropy", "no gradients", "from grey")
    )
    if from_grey < min(along - 0.05, without):
        return "The strongest attack starts where all pixels are grey. Does your training look there as well?"
    if min(without, report.by_attack["single images, smoothed"]) < along - 0.05:
        return "An attack without gradients, or along smoothed ones, does the most harm. So the gradients are hidden."
    return "Train on noise that is made for each image, against the network as it is at that moment."


# 5 · A better way to be immune


@question(
    "05_better_immunity",
    "`add_noise(images, old_noise[np.arange(64) % 10])` gives each image of a batch one of the ten old noises.",
    "Keras: `network.compile(…)` once, then `network.train_on_batch(noisy, labels)` for each batch.",
    "Fresh noise is searched against the network that was trained, not against the plain one.",
    seconds=15,
    on_old_noise=function("network", "batches"),
    fresh_noise=function("network"),
)
def old_noise_and_fresh(answer: Answer) -> Iterator[Finding]:
    """A training that resists the plain network's noise, and a search that breaks it."""
    forget()
    trained = trained_within_budget(answer.on_old_noise)
    yield told("batches used", trained.used, f" of {BATCHES}", ".0f")
    old = min(accuracy_under(trained.network, one) for one in noise_for_the_plain_network())
    yield at_least("accuracy under old noise", old, wanted(0.9, 0.75), "Let it train on all ten old noises.")
    found = given_back(lent(trained.network, answer.fresh_noise), "fresh_noise(network)")
    fresh = noise(10)(found, "fresh noise")
    yield within(fresh, LIMIT)
    lowest = min(accuracy_under(trained.network, one) for one in fresh)
    reason = "It still reads most digits under your noise. Is that searched anew, against the network it is given?"
    yield at_most("accuracy under the worst of your fresh noise", lowest, 0.5, reason)


def immune_within_budget(train: Any, universal: float, single: float) -> Iterator[Finding]:
    """Measure what a way to train makes within the budget: the cheap looks first, the attack last."""
    forget()
    trained = trained_within_budget(train)
    yield told("batches used", trained.used, f" of {BATCHES}", ".0f")
    yield from reads_and_resists(trained.network, wanted(0.95, 0.8), universal, LIMIT)
    yield from not_finished(trained.network)
    yield from convincing(trained.report, universal, single)
    yield from not_by_heart(trained.network, trained.report, universal, single, LIMIT)


@question(
    "05_better_immunity",
    "With each batch two things happen: noise is made for *this* batch, against *this* network, and then it trains.",
    "Start at random within the limit. Then twice: `uphill = slope(network, np.clip(images + noise, 0, 1), labels)`, "
    "a step of the limit along its *sign*, and clip. Notebook 06 prints such steps.",
    "Let the limit grow from 0 to 0.35 during the first third. A learning rate that rises and falls helps: "
    "`keras.optimizers.schedules.CosineDecay(2e-4, 540, warmup_target=4e-3, warmup_steps=60)`, given to Adam.",
    seconds=60,
    my_training=function("network", "batches"),
)
def my_training(answer: Answer) -> Iterator[Finding]:
    """A function train(network, batches) that makes a network immune within the budget."""
    yield from immune_within_budget(answer.my_training, wanted(0.85, 0.25), wanted(0.2, 0.0))


@question(
    "05_better_immunity",
    "What does notebook 06 put before a network, without any training? And why is that not enough here?",
    "`with_contrast(network, 0.35)` hides gradients from the attacker, and from *your training* too: where a pixel "
    "is cut off there is no slope. At which pixels is none cut off?",
    "For half of the images let the noise start where all pixels are grey: `np.clip(0.5 - images, -limit, limit)`.",
    seconds=60,
    my_better_training=function("network", "batches"),
)
def my_better_training(answer: Answer) -> Iterator[Finding]:
    """A function train(network, batches) that beats the course's ways within the budget."""
    yield from immune_within_budget(answer.my_better_training, wanted(0.945, 0.3), wanted(0.83, 0.1))


reflection("05_better_immunity")


# 6 · Noise for single images against the immune network

NETWORKS = ("plain", "in_turn_2", "interleaved", "worst_noise")
LIMITS = (0.1, 0.2, 0.35, 0.45)
SINGLE = 200  # images that get a noise of their own


@functools.lru_cache(maxsize=8)
def network_of(name: str, turned: bool = False) -> keras.Model:
    """Return one of the four networks; turned, it reads images with rows for columns, and is no network of a file."""
    network = plain_network(chosen_seed()) if name == "plain" else finished_network(name)
    if not turned:
        return network
    return keras.Sequential([keras.Input(network.input_shape[1:]), keras.layers.Permute((2, 1, 3)), network])


def accuracy_left(
    attack: Any, name: str, noise_limit: float, count: int = SINGLE, turned: bool = False
) -> tuple[np.ndarray, float]:
    """Let a reader's function attack; return its noise, and the accuracy that it leaves."""
    test, network = load_mnist().test, network_of(name, turned)
    images, labels = test.images[:count], test.labels[:count]
    if turned:
        images = images.swapaxes(1, 2)
    found = given_back(
        lent(network, lambda copy: attack(copy, images, labels, noise_limit)),
        "attack(network, images, labels, noise_limit)",
    )
    found = as_array(found, images.shape, "the noise")
    return found, accuracy_under(network_of(name), found.swapaxes(1, 2) if turned else found, count)


STRONG = ("interleaved", 0.35, 0.1)  # what a strong attack leaves of it there


def strong(attack: Any, name: str, noise_limit: float, most: float, turned: bool = False) -> Iterator[Finding]:
    """Measure that an attack keeps to its limit and leaves little."""
    found, left = accuracy_left(attack, name, noise_limit, turned=turned)
    where = f"{name} at {noise_limit}{', network and digits on their side' if turned else ''}"
    yield within(found, noise_limit, where)
    reason = "A stronger attack gets further: every image its own noise, many steps, each along the sign"
    reason += " of the gradient of the very network that it is given." if turned else "."
    yield at_most(f"{where}: accuracy that your noise leaves", left, most, reason)


@question(
    "06_single_images",
    "Every image climbs its own loss. Take the gradient at what the network sees: `add_noise(images, noise)`.",
    "It is a search as in exercise 1, with two differences: up instead of down, and each image keeps its own noise.",
    "Where do you start, and how long are the steps? At random within the limit, and some twenty steps of a fraction "
    "of the limit reach further than one large one.",
    seconds=10,
    attack=function("network", "images", "labels", "noise_limit"),
)
def attack_on_single_images(answer: Answer) -> Iterator[Finding]:
    """A function attack(network, images, labels, noise_limit) → noise, one for each image."""
    for name, noise_limit, most in (("interleaved", 0.2, wanted(0.7, 0.2)), ("worst_noise", 0.35, wanted(0.9, 0.1))):
        yield from strong(answer.attack, name, noise_limit, most)
    yield from strong(answer.attack, *STRONG, turned=True)


@question(
    "06_single_images",
    "Two loops: a row for each network in `networks.values()`, a column for each limit in `LIMITS`.",
    "Accuracy is `evaluate_noise(network, images, labels, noise, None, limit).accuracy`; noise may be one for each.",
    seconds=20,
    attack=1,
    table=shares(len(NETWORKS), len(LIMITS)),
)
def accuracy_by_limit(answer: Answer) -> Iterator[Finding]:
    """The table of what the attack leaves, shape (networks, limits)."""
    yield from strong(answer.attack, *STRONG)
    yield cells_as_measured(
        answer.table,
        lambda cell: accuracy_left(answer.attack, NETWORKS[cell[0]], LIMITS[cell[1]])[1],
        lambda cell: f"{NETWORKS[cell[0]]} at {LIMITS[cell[1]]}",
        count=10, tolerance=0.05, reason="Rows are networks, columns limits.",
    )  # fmt: skip


@question(
    "06_single_images",
    "Which way of training in notebook 06 protects against *more* than universal noise?",
    "`train_on_worst_noise` takes a limit and a number of steps. A limit of a little more than 0.2 leaves a reserve.",
    "Eight hundred steps at a limit of 0.25 are enough.",
    seconds=40,
    my_network=a_network,
)
def immune_at_a_fifth(answer: Answer) -> Iterator[Finding]:
    """A network that noise of 0.2 for single images does little harm to."""
    network, seed = answer.my_network, chosen_seed()
    check_network(network, load_mnist().test.images[:20])
    yield from reads_and_resists(network, wanted(0.96, 0.8), wanted(0.9, 0.6), 0.2)
    yield from not_finished(network)
    report = reattack(network, load_mnist(), 0.2, other_network=plain_network(seed), seed=seed)
    yield from convincing(report, None, wanted(0.85, 0.4))
    yield from not_by_heart(network, report, None, wanted(0.85, 0.4), 0.2)


reflection("06_single_images")
