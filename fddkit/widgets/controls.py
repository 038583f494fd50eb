"""The controls of the explorer; together they say one `fddkit.workbench.choice.Choice`."""

from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
import traitlets

from ..core.errors import FddkitError
from ..data import file_sets
from ..data.catalogue import CATALOGUE
from ..data.sampling import SAMPLING
from ..distillers.baselines import BASELINES
from ..distillers.registry import METHODS, lacks
from ..rules.rules import RULES
from ..workbench.choice import Choice
from .html import HTML
from .turns import in_turn

IPCS = (1, 2, 3, 5, 10, 20, 50)
_OWN, _APART, _WHOLE, _THINNED = "own", "apart", "whole", "thinned"
_PAINTED = (("the set's own groups", _OWN), ("two groups, GAP apart", _APART))
_NATURAL = (("as it is", _WHOLE), ("thinned to BR", _THINNED))
#: Tooltips, for painted groups and for natural ones.
_BIAS = (
    "The set's own groups (mostly colours), or COBRA's: plain and altered images",
    "All images, with the shares that the groups have; or fewer, so that each majority has BR",
)
_GAP = (
    "How different the second group looks: 0 alike, 1 other colours, ... 4 rotated",
    "The groups of this set are real: no image can be painted as a member of another one",
)
_BR = (
    "Bias ratio: the share of the majority group in each class",
    "Bias ratio: images of the majority or of the others are left out until it is reached",
)
_WIDE = {"layout": w.Layout(width="290px"), "style": {"description_width": "64px"}}


class Controls(traitlets.HasTraits):
    """Menus and sliders.

    Parameters
    ----------
    choice : Choice
        Their initial state.
    root : str
        The folder with the raw data; sets that are not there cannot be chosen. The ``.fdd`` files
        in it can, and so can any other file once a choice names it.

    Attributes
    ----------
    choice : Choice
        Their current state, which can be observed. Use `apply` to move the controls.
    box : Widget
        What is displayed.
    """

    choice = traitlets.Instance(Choice)

    def __init__(self, choice: Choice, root: str = "data"):
        self._offer_data(root)
        self._offer_distillation()
        self.message = HTML()
        names = ("dataset", "bias", "gap", "br", "ipc", "method", "fairness", "sampling", "seed")
        self._widgets = [getattr(self, name) for name in (*names, "preset")]
        self.box = w.VBox([*self._widgets, self.message], layout=w.Layout(flex="0 0 300px"))
        self._quiet = False
        self.apply(choice)
        for widget in self._widgets:
            widget.observe(self._moved, "value")

    def _offer_data(self, root: str) -> None:
        """Make the controls of the training set: which one, and how biased."""
        here = [e for e in CATALOGUE.values() if e.on_disk(root)]
        here = [(f"{e.name}: {e.title}", e.name) for e in [*here, *file_sets.found(root)]]
        self.dataset = w.Dropdown(
            options=here,
            description="data set",
            tooltip="The data sets on this disk; fddkit datasets --download NAME gets others",
            **_WIDE,
        )
        self.bias = w.Dropdown(
            options=_PAINTED,
            description="bias",
            **_WIDE,
        )
        self.gap = w.IntSlider(
            min=0,
            max=4,
            description="GAP",
            **_WIDE,
        )
        self.br = w.FloatSlider(
            min=0.1,
            max=1,
            step=0.01,
            readout_format=".2f",
            description="BR",
            tooltip="Bias ratio: the share of the majority group in each class",
            **_WIDE,
        )

    def _offer_distillation(self) -> None:
        """Make the controls of the distillation."""
        self.ipc = w.SelectionSlider(
            options=IPCS,
            value=10,
            description="IPC",
            tooltip="Images per class: how small the distilled set is",
            **_WIDE,
        )
        self.method = w.Dropdown(
            options=[*METHODS, *BASELINES],
            description="distiller",
            tooltip="What is matched: embeddings (dm), gradients (dc, dsa, idc, dream), layers "
            f"(cafe), trajectories (mtt); real images: {', '.join(BASELINES)}",
            **_WIDE,
        )
        self.fairness = w.Dropdown(
            options=list(RULES),
            description="rule",
            tooltip="What is matched: vanilla follows the majority, fairdd matches every group, "
            "cobra their barycentre, minimax the worst-off group",
            **_WIDE,
        )
        self.sampling = w.Dropdown(
            options=SAMPLING,
            description="sampling",
            tooltip="Real batches: drawn from the class as it is, or equal shares of each group",
            **_WIDE,
        )
        self.seed = w.BoundedIntText(
            min=0, max=9999, description="seed", tooltip="Seed of everything random", **_WIDE
        )
        self.preset = w.Dropdown(
            options=["smoke", "quick", "paper"],
            description="preset",
            tooltip="smoke: a second or two, quick: under a minute on digits, paper: hours",
            **_WIDE,
        )

    @in_turn
    def apply(self, choice: Choice) -> None:
        """Move the controls to a choice."""
        with self._silence():
            if choice.dataset not in [name for _, name in self.dataset.options]:
                self._offer(choice.dataset)
            self._fit(choice)
            self.dataset.value, self.bias.value = choice.dataset, _bias(choice)
            self.gap.value = choice.gap or 0
            if choice.ipc not in self.ipc.options:
                self.ipc.options = sorted({*self.ipc.options, choice.ipc})
            self.ipc.value, self.method.value = choice.ipc, choice.method
            if choice.br is not None:
                self.br.value = choice.br
            self.fairness.value, self.sampling.value = choice.fairness, choice.sampling
            self.seed.value, self.preset.value = choice.seed, choice.preset
        self.choice = choice

    def _offer(self, name: str) -> None:
        """Add a data set to the menu: a file that is not in the folder of the data."""
        entry = CATALOGUE[name]
        if not entry.sha256:
            raise FddkitError(
                f"{name} is not on this disk; get it with `fddkit datasets --download {name}`, or "
                "choose digits"
            )
        self.dataset.options = [*self.dataset.options, (f"{name}: {entry.title}", name)]

    def _fit(self, choice: Choice) -> None:
        """Offer only what is possible with this choice."""
        self.br.min = choice.balance
        self.br.disabled = choice.br is None
        offered = _NATURAL if choice.natural else _PAINTED
        if self.bias.options != offered:
            self.bias.options = offered
            self.bias.value = _bias(choice)
        for widget, told in ((self.bias, _BIAS), (self.gap, _GAP), (self.br, _BR)):
            widget.tooltip = told[choice.natural]
        self.gap.disabled = choice.gap is None
        rules = list(RULES)
        if not choice.baseline:
            rules = [rule for rule in RULES if not lacks(choice.method, rule)]
        if list(self.fairness.options) != rules:
            self.fairness.options = rules
        self.fairness.disabled = self.sampling.disabled = choice.baseline
        self.ipc.disabled = not choice.sized

    @in_turn
    def _moved(self, _: object) -> None:
        """Read the controls and announce the new choice."""
        if self._quiet:
            return
        try:
            choice = self._read()
        except FddkitError as error:  # no menu offers such a choice, but it does no harm
            self.message.value = str(error)
            return
        self.message.value = ""
        with self._silence():
            self._fit(choice)
            self.fairness.value = choice.fairness
            # without this, rounding noise would be sent back to a slider that has moved on
            if choice.br is not None and abs(self.br.value - choice.br) > 1e-4:
                self.br.value = choice.br
        self.choice = choice

    def _read(self) -> Choice:
        rule, method = self.fairness.value, self.method.value
        if method in METHODS and lacks(method, rule):
            rule = next(name for name in RULES if not lacks(method, name))
        bias, natural = self.bias.value, CATALOGUE[self.dataset.value].natural
        if bias not in [value for _, value in (_NATURAL if natural else _PAINTED)]:
            bias = _WHOLE if natural else _OWN  # of another kind of set, chosen just now
        return Choice(ipc=1).with_(
            dataset=self.dataset.value,
            gap=self.gap.value if bias == _APART else None,
            br=None if bias == _WHOLE else round(self.br.value, 4),
            ipc=self.ipc.value,
            method=method,
            fairness=rule,
            sampling=self.sampling.value,
            seed=self.seed.value,
            preset=self.preset.value,
        )

    @contextmanager
    def _silence(self) -> Iterator[None]:
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before


def _bias(choice: Choice) -> str:
    """Return the value of the menu "bias" for a choice."""
    if choice.natural:
        return _WHOLE if choice.br is None else _THINNED
    return _OWN if choice.gap is None else _APART
