"""The controls of the explorer; together they say one `fddkit.workbench.choice.Choice`."""

from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
import traitlets

from ..core.errors import FddkitError
from ..data.catalogue import CATALOGUE
from ..data.sampling import SAMPLING
from ..distillers.baselines import BASELINES
from ..distillers.registry import METHODS, lacks
from ..rules.rules import RULES
from ..workbench.choice import Choice
from .html import HTML
from .turns import in_turn

IPCS = (1, 2, 3, 5, 10, 20, 50)
_WIDE = {"layout": w.Layout(width="290px"), "style": {"description_width": "64px"}}


class Controls(traitlets.HasTraits):
    """Menus and sliders.

    Parameters
    ----------
    choice : Choice
        Their initial state.
    root : str
        The folder with the raw data; sets that are not there cannot be chosen.

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
        here = [(f"{n}: {e.title}", n) for n, e in CATALOGUE.items() if e.on_disk(root)]
        self.dataset = w.Dropdown(
            options=here,
            description="data set",
            tooltip="The data sets on this disk; fddkit datasets --download NAME gets others",
            **_WIDE,
        )
        self.bias = w.Dropdown(
            options=[("the set's own groups", False), ("two groups, GAP apart", True)],
            description="bias",
            tooltip="The set's own groups (mostly colours), or COBRA's: plain and altered images",
            **_WIDE,
        )
        self.gap = w.IntSlider(
            min=0,
            max=4,
            description="GAP",
            tooltip="How different the second group looks: 0 alike, 1 other colours, ... 4 rotated",
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
                raise FddkitError(
                    f"{choice.dataset} is not on this disk; get it with `fddkit datasets "
                    f"--download {choice.dataset}`, or choose digits"
                )
            self._fit(choice)
            self.dataset.value, self.bias.value = choice.dataset, choice.gap is not None
            self.gap.value = choice.gap or 0
            if choice.ipc not in self.ipc.options:
                self.ipc.options = sorted({*self.ipc.options, choice.ipc})
            self.br.value, self.ipc.value, self.method.value = choice.br, choice.ipc, choice.method
            self.fairness.value, self.sampling.value = choice.fairness, choice.sampling
            self.seed.value, self.preset.value = choice.seed, choice.preset
        self.choice = choice

    def _fit(self, choice: Choice) -> None:
        """Offer only what is possible with this choice."""
        self.br.min = choice.balance
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
            if abs(self.br.value - choice.br) > 1e-4:
                self.br.value = choice.br
        self.choice = choice

    def _read(self) -> Choice:
        rule, method = self.fairness.value, self.method.value
        if method in METHODS and lacks(method, rule):
            rule = next(name for name in RULES if not lacks(method, name))
        return Choice(ipc=1).with_(
            dataset=self.dataset.value,
            gap=self.gap.value if self.bias.value else None,
            br=round(self.br.value, 4),
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
