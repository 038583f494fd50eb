"""The story of the workbench in five steps, with a guess before each answer."""

from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets as w
from markupsafe import Markup

from ..evaluation.guard import doubt
from ..evaluation.multiple_tests import LEVEL
from ..evaluation.report import FairnessReport
from ..workbench.choice import Choice
from ..workbench.jobs import Job
from .html import HTML
from .turns import in_turn


@dataclass(frozen=True)
class Step:
    """One step of the story.

    Attributes
    ----------
    title, question, answer : str
        Its name, the question to think about, and the comment once the number is known; text or
        Markup.
    changes : dict
        Fields of the choice that the step sets.
    """

    title: str
    question: str
    answer: str
    changes: dict[str, object]


STEPS = (
    Step(
        "1 · A biased world",
        Markup(
            "Every class has its own colour, and three out of four of its images are in that "
            "colour. A network is trained on <b>all</b> images, then tested on images in which "
            "every colour is equally common. In each class, take the percentage recognised in the "
            "best colour minus that in the worst. How large is this gap, averaged over classes? "
            "(That average is DEO_A.)"
        ),
        "This is the bias that the data itself teaches, before anything is distilled.",
        {"method": "whole", "gap": None, "br": 0.75},
    ),
    Step(
        "2 · Distil it",
        "Now condense the set into ten images per class, ignoring the groups. The shares of the "
        "groups in the data are the same as before. Is the unfairness the same as well?",
        "Whatever this adds to the gap of step 1 need not come from distilling: ten real images of "
        "each class, drawn at random, are as unfair. With five sets of either kind we measured an "
        "accuracy of 45.4% and a DEO_A of 99.1 for random images, and 43.2% and 99.7 for vanilla "
        "ones. Most of ten images are in the majority's colour, and few others are left to teach "
        "that colour and class are two things. Set the distiller to “random” and run that, "
        "too.",
        {"method": "dm", "fairness": "vanilla", "gap": None, "br": 0.75, "ipc": 10},
    ),
    Step(
        "3 · Match every group",
        "FairDD matches the means of all groups of a class at once, each with the same weight. "
        "How much of the unfairness is left, and what does that do to accuracy?",
        "The images now mix all colours, so colour says little about the class. Real images can do "
        "the same: with one of each colour per class, five sets reached an accuracy of 91.1% and a "
        "DEO_A of 15.3, and those of FairDD 88.6% and 17.7. Equal groups do most of it, distilled "
        "or not.",
        {"method": "dm", "fairness": "fairdd", "gap": None, "br": 0.75, "ipc": 10},
    ),
    Step(
        "4 · Match their centre",
        "COBRA matches a single point: the centre of the groups. The papers report different "
        "numbers for FairDD and COBRA. What do you expect here?",
        "Under squared error both pull the images in the same direction and differ only in the "
        "length of the step (notebook 02 shows it, 04 takes it apart). Five sets each had a DEO_A "
        "of 17.7 with FairDD and 20.4 with COBRA.",
        {"method": "dm", "fairness": "cobra", "gap": None, "br": 0.75, "ipc": 10},
    ),
    Step(
        "5 · No separation",
        "Now there are two groups. Four out of five images of a class are in the same one, and "
        "nothing is done for fairness. But at GAP 0 the two groups look alike. How unfair is it?",
        "Bias is a product: of how unequal the groups are in number, and of how different they "
        "look. Raise GAP one level at a time, and distil again.",
        {"method": "dm", "fairness": "vanilla", "gap": 0, "br": 0.8, "ipc": 10},
    ),
)


_PARAGRAPH = Markup('<p style="max-width:640px">{}</p>')


class Classroom:
    """Guess DEO_A, then see it.

    Parameters
    ----------
    apply : callable
        Moves the controls to a choice.
    chosen : callable
        Returns the current choice.
    submit : callable
        Queues a choice and returns its job.
    revealed : callable
        Called with a job whose result no longer has to be hidden.

    Attributes
    ----------
    box : Widget
        What is displayed.
    """

    def __init__(
        self,
        apply: Callable[[Choice], object],
        chosen: Callable[[], Choice],
        submit: Callable[[Choice], Job],
        revealed: Callable[[Job], object],
    ):
        self._apply, self._chosen, self._submit = apply, chosen, submit
        self._revealed = revealed
        self._report: FairnessReport | None = None
        self._job: Job | None = None
        self._errors: dict[int, float] = {}
        self.steps = w.ToggleButtons(
            options=[(step.title, i) for i, step in enumerate(STEPS)],
            tooltips=[step.title for step in STEPS],
            style={"button_width": "165px"},
        )
        self.question = HTML()
        self.guess = w.IntSlider(
            value=50,
            min=0,
            max=100,
            description="your guess of DEO_A (points)",
            tooltip="The gap between best and worst recognised group, averaged over classes",
            style={"description_width": "220px"},
            layout=w.Layout(width="520px"),
        )
        self.run = w.Button(description="Set up and run", tooltip="Move the controls and start")
        self.reveal = w.Button(description="Reveal", tooltip="Compare your guess with the result")
        self.answer = HTML()
        self.run.on_click(lambda _: self._begin())
        self.reveal.on_click(lambda _: self._tell())
        self.steps.observe(lambda _: self._ask(), "value")
        self.box = w.VBox(
            [self.steps, self.question, self.guess, w.HBox([self.run, self.reveal]), self.answer]
        )
        self._ask()

    @property
    def step(self) -> Step:
        """The current step."""
        return STEPS[self.steps.value]

    def hides(self, job: Job) -> bool:
        """Return whether the result of a job must stay hidden until the guess."""
        return job is self._job

    @in_turn
    def _ask(self) -> None:
        self.question.value = _PARAGRAPH.format(self.step.question)
        self.answer.value = ""
        self.reveal.disabled, self.guess.disabled = True, False
        self._let_go()

    def _let_go(self) -> None:
        job, self._job, self._report = self._job, None, None
        if job is not None:
            self._revealed(job)

    @in_turn
    def _begin(self) -> None:
        choice = self._chosen().with_(dataset="digits", br=1.0).with_(**self.step.changes)
        self._let_go()
        self._apply(choice)
        self._job = self._submit(choice)
        self.answer.value = Markup("<i>Running in the tab “Distil”. Make your guess meanwhile.</i>")

    @in_turn
    def finished(self, job: Job, report: FairnessReport) -> None:
        """Accept the result of the step's run."""
        if job is self._job:
            self._report = report
            self.reveal.disabled = False
            self.answer.value = Markup("<i>The answer is ready; reveal it after your guess.</i>")

    @in_turn
    def _tell(self) -> None:
        report = self._report
        if report is None:
            return
        self.guess.disabled = self.reveal.disabled = True
        nothing = doubt(report.shown, "what was trained")
        if nothing and report.shown.deo_a.p >= LEVEL:  # a large gap is unfair whatever else
            told = f"Nothing can be said of fairness here: {nothing}. Your guess does not count."
        else:
            told = _measured(report.shown) + self._judged(report.shown.deo_a.mean)
            told += self.step.answer
        self.answer.value = _PARAGRAPH.format(told)
        self._let_go()

    def _judged(self, truth: float) -> str:
        """Return how good the guesses are, with that of this step."""
        off = abs(self.guess.value - truth)
        self._errors[self.steps.value] = off
        mean = sum(self._errors.values()) / len(self._errors)
        return (
            f"You guessed {self.guess.value}, which is {off:.0f} off. Your mean error is "
            f"{mean:.0f} points, in {len(self._errors)} of {len(STEPS)} steps. "
        )


def _measured(report: FairnessReport) -> Markup:
    """Return DEO_A in words: what it is the mean of, and whether it is more than chance shows."""
    deo, accuracy = report.deo_a, report.accuracy.mean
    networks = f"mean of {deo.n} networks" if deo.n > 1 else "one network"
    return Markup(
        "DEO_A is <b>{deo.mean:.1f}</b> points ({networks} of one set, accuracy {accuracy:.1f}%). "
        "That is {more} than chance shows: on this test a fair network would show "
        "{deo.noise_floor:.1f} on average, and over {deo.most_by_chance:.1f} only once in twenty. "
    ).format(
        deo=deo, networks=networks, accuracy=accuracy, more="more" if deo.p < LEVEL else "not more"
    )
