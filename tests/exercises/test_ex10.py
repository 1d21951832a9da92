"""The checks of exercise 10: honest explanations in all kinds of words pass, and what leaves a topic out does not."""

import re

from course_utils.exercises import core, ex10_explain
from course_utils.exercises.ex10_explain import IN_FULL, QUIZ, STEPS_IN_ORDER, speaks_of

import nbformat
import numpy as np
import pytest
from answers import ON_MNIST, assert_not_yet, named, once, outcome

EXPLAIN = "10_explain"


@pytest.fixture(scope="module", autouse=True)
def measured_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ex10_explain, "search_for", once(ex10_explain.search_for))
        for text, measure in QUIZ.items():
            patch.setitem(QUIZ, text, once(measure))
        yield


@pytest.fixture(scope="module")
def friend():
    """What the solution answers: texts and a dict."""
    names = {}
    for cell in nbformat.read(core.SOLUTIONS / f"{EXPLAIN}.ipynb", as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "solution" in tags and any(tag.startswith("question-") for tag in tags):
            exec(compile(cell.source, EXPLAIN, "exec"), names)
    return names


# The steps in order

IN_ORDER = {
    "a list": list(STEPS_IN_ORDER),
    "a tuple": STEPS_IN_ORDER,
    "an array": np.array(STEPS_IN_ORDER),
    "with spaces": [f" {step} " for step in STEPS_IN_ORDER],
}
OUT_OF_ORDER = {
    "turned round": (STEPS_IN_ORDER[::-1], "The first 0 stand right. Look at number 1."),
    "the last two swapped": (
        [*STEPS_IN_ORDER[:6], *STEPS_IN_ORDER[:5:-1]],
        "The first 6 stand right. Look at number 7.",
    ),
    "the pixels clipped last": (
        [*STEPS_IN_ORDER[:2], *STEPS_IN_ORDER[3:], STEPS_IN_ORDER[2]],
        "The first 2 stand right. Look at number 3.",
    ),
    "one twice": ([*STEPS_IN_ORDER[:7], STEPS_IN_ORDER[0]], "'clip the noise to its limit' is missing"),
    "seven": (STEPS_IN_ORDER[:7], "'clip the noise to its limit' is missing"),
    "nine": ([*STEPS_IN_ORDER, STEPS_IN_ORDER[0]], "got 9 lines"),
    "numbers": (list(range(8)), "'draw a batch of images' is missing"),
    "one text": ("\n".join(STEPS_IN_ORDER), "must be a list of the eight steps"),
}


@pytest.mark.parametrize("name", IN_ORDER)
def test_the_steps_in_order(name):
    assert outcome(EXPLAIN, 1, IN_ORDER[name]).reached


@pytest.mark.parametrize(("steps", "words"), named(OUT_OF_ORDER))
def test_the_steps_out_of_order(steps, words):
    assert_not_yet(EXPLAIN, 1, steps, words)


# The quiz

IMMUNE = 0.9 if ON_MNIST else 0.1  # it was trained on MNIST
RIGHT = (0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.5, IMMUNE, 0.1, 0.9)


ANSWERS = dict(zip(QUIZ, RIGHT, strict=True))
SUCCESS = "success for the 3"
ANSWERED = {
    "texts": {text: f" {value} " for text, value in zip(QUIZ, RIGHT, strict=True)},
    "NumPy's numbers": dict(zip(QUIZ, np.array(RIGHT), strict=True)),
    "NumPy's short numbers": dict(zip(QUIZ, np.array(RIGHT, np.float32), strict=True)),
    "one wrong": {**ANSWERS, SUCCESS: 0.5},
    "two wrong": {**ANSWERS, SUCCESS: 0.5, "accuracy under this noise": 0.9},
}
NOT_ANSWERED = {
    "0.1 throughout": (dict.fromkeys(QUIZ, 0.1), "you said about 10%"),
    "0.5 throughout": (dict.fromkeys(QUIZ, 0.5), "you said about 50%"),
    "0.9 throughout": (dict.fromkeys(QUIZ, 0.9), "you said about 90%"),
    "turned round": ({text: round(1 - value, 1) for text, value in ANSWERS.items()}, "right answers: "),
    "another value": ({**ANSWERS, SUCCESS: 0.8}, f"`answers['{SUCCESS}']` must be 0.1, 0.5 or 0.9, got 0.8"),
    "in percent": ({**ANSWERS, SUCCESS: 90}, "must be 0.1, 0.5 or 0.9, got 90"),
    "a word": ({**ANSWERS, SUCCESS: "high"}, "must be 0.1, 0.5 or 0.9, got 'high'"),
    "one missing": ({**ANSWERS, SUCCESS: ...}, f"in `answers`, '{SUCCESS}' is still missing"),
    "one only": ({"accuracy under this noise": 0.1}, f"in `answers`, '{SUCCESS}' is still missing"),
    "a list": (list(RIGHT), "`answers` must be a dict"),
}


@pytest.mark.parametrize("answers", named(ANSWERED))
def test_the_quiz(answers):
    assert outcome(EXPLAIN, 2, answers).reached


@pytest.mark.parametrize(("answers", "words"), named(NOT_ANSWERED))
def test_the_quiz_answered_wrongly(answers, words):
    assert_not_yet(EXPLAIN, 2, answers, words)


def test_the_quiz_of_the_solution_and_what_was_measured_beside_a_wrong_answer(friend):
    right = friend["answers"]
    result = outcome(EXPLAIN, 2, right)
    assert result.reached
    assert "you said" not in result.text or not ON_MNIST
    one_wrong = outcome(EXPLAIN, 2, {**right, SUCCESS: 0.5}).text
    assert re.search(r"success for the 3: \d+%, you said about 50%\n", one_wrong)
    assert outcome(EXPLAIN, 2, dict.fromkeys(right, ...)).state == "not attempted"


# Explanations: honest ones, in the words of people who have never heard those of the field

SENTENCES = {
    "a nurse": """A faint smudge laid over any X-ray or snapshot can make a computer give the wrong reading every
        time, the way a dirty lens fools a tired eye, yet the patient looks the same to us.""",
    "a child of 12": """You can put a sticker that you hardly see on every drawing, and then the AI thinks that
        all of them are a three, which is funny.""",
    "a lawyer": """A single imperceptible alteration, applied alike to every photograph submitted, suffices to
        make the algorithm return a false verdict, although no human witness would notice any difference.""",
    "a painter": """One thin glaze of grey, washed over whatever canvas you like, and the machine suddenly swears
        that it is looking at a face.""",
    "a coach": """One and the same trick overlay, laid over any handwritten figure, sends the artificial brain the
        wrong way, while we spectators still read the figure with ease.""",
    "a teacher": """There is one tiny change of brightness in every dot which, added to anybody's handwriting,
        makes a neural net misread nearly all of it.""",
    "a photographer": """A filter that nobody notices, the same for all shots, makes the recognition software call
        each of them whatever a villain likes.""",
    "an engineer": """A fixed offset on the camera signal drives the detector to a wrong output for nearly any
        frame.""",
    "a grandmother": """If you lay one and the same sheet of very fine scribbles over any letter, the robot that
        reads it takes it for another, and I would not even see the scribbles.""",
    "a hacker": """Craft one mask, add it to any input whatsoever, and the system misreads it, though people can't
        tell.""",
    "an optician": """It is like a bad pair of glasses made for the computer only: one lens, put before any number
        you write, and it reads threes everywhere.""",
    "a carpenter": """One thin veneer, glued over any picture or laid over it, and the contraption that sorts them
        gets every single one wrong.""",
    "a pupil": """If you add the same weird static to every pic, the bot thinks they're all threes lol.""",
}
PARAGRAPHS = {
    "a nurse": """Think of a screening program that looks at X-rays and says what it sees. We lay one and the same
        faint smear over every X-ray. To find that smear, we ask the program again and again: if this one dot were
        a shade darker, would you lean more towards "fracture"? The answer can be worked out exactly for each dot.
        We move all dots a tiny bit that way, over many patients, and after a few rounds nearly every healthy arm
        is called broken, though any doctor would shake her head.""",
    "a child of 12": """There is an AI that reads numbers we write. I want it to think that everything is a seven.
        So for each dot on the paper I find out if making it darker or lighter helps. You can find that out with
        calculus, which we get in some years. Then I change every dot a little, in the way that helps, and I do it
        for lots of numbers at the same time. In the end I have one sticker like grey dust. I put it on any number
        and the AI says seven, but my mum still reads what I wrote.""",
    "a lawyer": """The defendant is an algorithm which decides what a handwritten figure says. The party opposite
        seeks one single alteration which, applied to any figure whatsoever, will induce the algorithm to give a
        false answer agreed upon beforehand. To that end it examines, point by point, how sensitive the outcome is
        to a marginal change in brightness, averages these findings over a great many exhibits, and amends the
        alteration accordingly. A handful of amendments suffices. To the human eye the exhibit remains what it
        was.""",
    "a painter": """Imagine one thin glaze that I could wash over any sketch, and a machine would swear that it
        shows a face. How do I mix it? I take the machine's own opinion for my brush: wherever a touch more black
        makes it believe a little more in the face, I put black; wherever a touch more white does, white. I look
        at a hundred sketches at a time, since the glaze must suit them all. After some twenty coats it is
        finished. You and I see the sketch as before, only slightly greyed.""",
    "a postman": """I sort letters with a machine that reads the postcode. Somebody found a film, almost clear,
        that you can lay over any envelope, and then the machine reads a nine everywhere. They found it by asking
        which way the machine's confidence in a nine rises when a spot gets a bit blacker, and they shifted all
        spots a small step in that direction. They did so on thousands of envelopes at once and many times over. I
        can read the address through the film without any trouble.""",
    "a coach": """The computer is the goalkeeper and every picture is a shot. We practise one trick, the same for
        all shots. At each training session we ask: if this pixel moves up, does the keeper lean further to the
        left corner, where we want him? That leaning has a number, and it can be worked out for all pixels
        together. So we shift each of them a bit the right way, and next session we start from there. After twenty
        sessions one trick beats the keeper nearly always, and spectators do not notice it.""",
    "a gardener": """A camera app tells weeds from flowers. I looked for a sprinkling of dots which, laid over any
        snapshot, makes the app see a thistle. To find it, one works out for each dot whether the score for the
        thistle climbs or sinks when the dot becomes paler. You then follow the climb, a little for all dots at a
        time, averaged over hundreds of snapshots so that it suits not only one. What remains is a fine grain that
        I would not even notice, and the app calls my roses thistles.""",
    "a teacher": """Our software reads the pupils' handwriting. Suppose that we may lay one sheet of grey
        scribbles over every exercise book. Which scribbles make the software read a four each time? For each tiny
        square of the sheet the derivative tells how much more likely a four becomes if the square is shaded.
        Shade those squares for which it is positive, rub out the others, go through a new pile of books, and
        correct the sheet once more. Soon a sheet is found that works for nearly every pupil, while I can still
        mark the work.""",
    "a mathematician": """Let f be the model and x any input. We look for a single vector v of bounded size such
        that f(x + v) is the desired label for almost every x. Descend on the mean loss over a sample:
        differentiate with respect to v, step against the sign, project back, repeat. Nothing in v depends on x.
        That such a vector exists at all is remarkable; a plausible reason is that all inputs share the same
        weights, so that a direction which serves one of them serves most of the others as well.""",
    "a grandmother": """My phone has a program that looks at a photo and tells me what is on it. My grandson made
        a veil of fine dots. He puts it over whatever photo I take, and the phone says "toaster". He told me it is
        like the children's game of hot and cold: for every dot the phone gives away whether it gets warmer when
        the dot is a bit lighter, warmer meaning nearer to the toaster. So he goes on until it is hot. And on the
        photo I still see my cat.""",
    "an accountant": """Each picture is a ledger of numbers, and the program adds them up with certain weights
        until each possible answer has a total. The answer with the largest total wins. If I know the weights, I
        can say for every entry by how much the total of the answer I favour rises per unit of change. So I enter
        a small surcharge, the same on all ledgers, with the sign that profits my answer, revise it over many
        ledgers, and soon almost every ledger comes out in my favour, although no auditor would object to any
        single entry.""",
    "a mountaineer": """Picture the machine's opinion as a landscape: the height is how firmly it believes that a
        photo shows a cat. I stand somewhere with one fixed sprinkle of grain on all my photos, feel with my feet
        where the ground goes up, and take one stride that way. The ground is a bit different for each photo, so I
        go where it goes up for most of them. Twenty strides and I am on the summit, and with my grain nearly each
        photo, of whatever, is a cat to the machine, while my companions see nothing odd.""",
}
PAGES = {
    "a nurse": PARAGRAPHS["a nurse"]
    + """ Of course the smear may only be faint. For each dot there is a largest dose, and no dot gets more than
        that; otherwise one would simply blacken the whole film, and that would be no art. Can the program be
        vaccinated? One shows it films with the smear while it is still learning, always with the right diagnosis.
        Very soon it reads through this smear as if it were not there. But that is like a vaccine against last
        winter's flu. Whoever made the first smear sits down once more, asks the vaccinated program the same
        questions, and has a new one by the evening, against which it is as helpless as before. So one must only
        call it protected when somebody has tried anew, with everything that is known, on the finished program,
        and got nowhere. What helps is a harder training: during every lesson each single film gets the nastiest
        smear that could be made for it alone. Whoever can bear that, can also bear one smear for all patients,
        since that one is never nastier. And even then a doubt is left. That nobody has made it ill so far does
        not mean that nobody can. There is another kind of certificate, in which one does not try out smears at
        all, but calculates for all of them together, within the dose, that the diagnosis stays the same. It holds
        for this film and this dose, and it says nothing of films that were turned or torn. For that one needs a
        program which was brought up for it, and which reads a little worse.""",
    "a child of 12": PARAGRAPHS["a child of 12"]
    + """ There are rules. I am allowed to change each dot only so much, or else it would be too easy, because I
        could just paint a big seven over everything. Now the grown-ups want to make the AI strong against my
        sticker. First they show it lots of numbers with my sticker on them and tell it what they really are. Then
        my sticker does not work any more and they are happy. But I just make another one! I ask the AI again
        about all the dots, the way it is now, and I get a different sticker, and it says seven again. They did
        this ten times and each time I won, because I always go last. Then they had a better idea. While the AI is
        at school, every number gets a meanest sticker of its own, which is only for that number, and the AI must
        still get it right. After that I could not find any sticker for all numbers that works, and they say that
        it resists now. But maybe I was just not clever enough? My aunt says that it is different when you have a
        proof. Then you do not try stickers one by one, you take all the stickers there could ever be in one big
        box, and the computer shows that none of them changes the answer for this one number. Then nobody in the
        whole world can do it, not even in a hundred years. But if you turn the number upside down the proof does
        not count, because that was not in the box. And the AI that has a proof is a bit worse at normal numbers.""",
    "a lawyer": PARAGRAPHS["a lawyer"]
    + """ The parties have agreed on a maximum: no point may be altered by more than a stated amount, failing
        which the dispute would be without interest. May the defendant be made safe? It has been suggested to
        acquaint it, during its training, with the very alteration complained of. The result is as might be
        expected. It is no longer deceived by that alteration, and it is deceived by the next, which the party
        opposite obtains by the same procedure, carried out a second time against the defendant in its amended
        state. A defence which is valid only against yesterday's claim deserves no such name. The court will
        therefore hold a defendant robust only where a fresh attempt, by a party who knows all the facts, has been
        made and has failed. A training in which each exhibit is met with the worst alteration that could be
        devised for it alone has been found to satisfy this requirement, for what withstands the particular also
        withstands the general. It remains that the failure of an attempt is mere circumstantial evidence. Whoever
        wants certainty must demonstrate, by calculation and not by trial, that no alteration whatsoever within
        the agreed maximum could change the outcome for a given exhibit. Such a demonstration is conclusive,
        albeit for this exhibit, this maximum and this defendant only. It is silent as to exhibits that have been
        shifted, rotated or soiled, and a defendant who is to be capable of it must be educated accordingly, at
        some expense of accuracy.""",
}
CHINESE = {
    "in a sentence": (3, "把同一种淡淡的噪声加到几乎任何一张照片上，你还认得出来，电脑里的网络却全都认成了 3。"),
    "in a paragraph": (
        4,
        """有一种噪声，只要做一次，加到随便哪张照片上，电脑里的网络就会认错，而且错成我们指定的那个类别，比如全都
        认成 3。怎么找到它呢？拿一批图像，加上现在的噪声，看看网络离我们要的答案还差多少，再对每个像素求梯度：它告诉
        我们，这个像素变深一点还是变浅一点，答案会更靠近目标。于是让噪声朝这个方向挪一小步，超出界限的部分截掉，再换
        一批图像，如此重复二十次左右。人看上去只觉得照片有点脏，网络却再也认不对了，连从来没有见过的图像也是这样。""",
    ),
}
HONEST = {
    **{f"in Chinese, {name}": answer for name, answer in CHINESE.items()},
    **{f"{name}, in a sentence": (3, text) for name, text in SENTENCES.items()},
    **{f"{name}, in a paragraph": (4, text) for name, text in PARAGRAPHS.items()},
    **{f"{name}, on a page": (5, text) for name, text in PAGES.items()},
}


@pytest.mark.parametrize(("number", "text"), named(HONEST))
def test_honest_explanations(number, text):
    assert outcome(EXPLAIN, number, text).reached


# Something is left out

LEFT_OUT = {
    "no noise": (
        3,
        """A network for pictures can be made to see whatever somebody wants, and nobody knows why that is so,
        although it has been trained on very many of them.""",
        "does not speak of the noise (any of: noise, pattern",
    ),
    "no network": (
        3,
        "One fixed pattern, added to almost any picture, and all of them are taken for a three from then on.",
        "does not speak of the network (any of: network, computer",
    ),
    "no image": (
        3,
        """A neural network is misled by one and the same noise, whatever it was given before, and nobody can tell
        why that is so.""",
        "does not speak of any image (any of: image, picture",
    ),
    "again is not AI, and a planet is no net": (
        3,
        "Again and again one pattern, laid over any picture on this planet, makes it look like a three to all of us.",
        "does not speak of the network",
    ),
    "nothing that is aimed at": (
        4,
        """O ne noise is added to all images, and a network misreads most of them. To find it, one works out the
        gradient for that noise over a batch of images, moves the noise a bit against it, clips it, and draws
        another batch. After some twenty rounds it is found. People hardly mind that noise, and that is why it is
        so odd. It works on images that were not there when it was found, too.""",
        "does not speak of the class that is aimed at (any of: target, chosen",
    ),
    "nothing that tells which way": (
        4,
        """O ne noise is added to all images, and the network sees the target class in most of them. To find it, a
        search goes through many batches of images, and after some twenty rounds the noise is there. How it does
        so need not bother us. People hardly mind that noise, and that is why it is so odd. It works on images
        that were not there when it was found, too, and that is the odd part of the whole matter.""",
        "does not speak of what tells which way to move a pixel (any of: gradient, slope",
    ),
}


@pytest.mark.parametrize(("number", "text", "words"), named(LEFT_OUT))
def test_something_is_left_out(number, text, words):
    assert_not_yet(EXPLAIN, number, text, words)


@pytest.mark.parametrize("topic", IN_FULL)
def test_a_page_without_one_of_its_topics(friend, topic):
    page = friend["page"].lower()
    for word in IN_FULL[topic]:
        page = re.sub(rf"\b{word}" + (r"s?\b" if len(word) <= 3 else r"\w*"), "thing", page)
    assert_not_yet(EXPLAIN, 5, page, f"{topic} (any of: {IN_FULL[topic][0]}, ")


SPOILT = {
    "too short": (lambda right: " ".join(right.split()[:6]), "A friend would ask"),
    "too long": (lambda right: 30 * right, "What can go?"),
    "one word again and again": (lambda right: len(right.split()) * "noise ", "Say more than one thing"),
    "a number": (lambda right: 3, "must be a text between quotation marks, got 3"),
}


@pytest.mark.parametrize(("number", "name"), [(3, "sentence"), (4, "paragraph"), (5, "page")])
def test_explanations_of_the_solution(friend, number, name):
    assert outcome(EXPLAIN, number, friend[name]).reached
    assert outcome(EXPLAIN, number, "  ").state == "not attempted"


@pytest.mark.parametrize(("spoil", "words"), named(SPOILT))
@pytest.mark.parametrize(("number", "name"), [(3, "sentence"), (4, "paragraph"), (5, "page")])
def test_spoilt_explanations(friend, number, name, spoil, words):
    assert_not_yet(EXPLAIN, number, spoil(friend[name]), words)


def test_words_are_found_by_their_beginnings_and_short_ones_as_a_whole():
    assert speaks_of("it was smudged", ["noise", "smudge"])
    assert not speaks_of("a network", ["work"])
    assert speaks_of("the ai's view, and both ais", ["ai"])
    assert not speaks_of("it aims again at the main thing", ["ai", "net"])
    assert speaks_of("一种固定的噪声让网络认错", ["噪声"])
    assert not speaks_of("一种固定的图案让网络认错", ["噪声"])
