"""What a user has chosen in the explorer, and how it is written down."""

import shlex
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from ..core.errors import FddkitError, unknown
from ..data.catalogue import CATALOGUE
from ..data.listed import Listed
from ..data.sampling import SAMPLING
from ..distillers.baselines import BASELINES, sized
from ..distillers.registry import find


@dataclass(frozen=True)
class Choice:
    """One setting of the explorer's controls: enough to reproduce what it shows.

    Attributes
    ----------
    dataset : str
        One of `fddkit.data.catalogue`, or the path of a file.
    gap : int or None
        COBRA's GAP level; None for the data set's own groups, which natural ones always are.
    br : float or None
        Bias ratio, from equal groups to 1; None takes the data set's own, and stays None for the
        natural bias of natural groups.
    ipc : int
        Images per class.
    method, fairness, sampling : str
        As in `fddkit.distillers.distill`.
    seed : int
        Seed of the data, the distillation and the networks.
    preset : str
        As in `fddkit.distillers.distill`.

    Raises
    ------
    FddkitError
        For an unknown name, a rule that the method does not have, or a value out of range.

    Examples
    --------
    >>> from fddkit.widgets import Choice
    >>> choice = Choice(br=0.9)
    >>> choice.title
    'cobra dm IPC 10, digits BR 0.9'
    >>> choice.with_(fairness="vanilla", ipc=1).title
    'vanilla dm IPC 1, digits BR 0.9'
    >>> choice.with_(gap=2).groups
    2
    """

    dataset: str = "digits"
    gap: int | None = None
    br: float | None = 0.75
    ipc: int = 10
    method: str = "dm"
    fairness: str = "cobra"
    sampling: str = "class"
    seed: int = 0
    preset: str = "quick"

    def __post_init__(self) -> None:
        if self.gap is not None and self.natural:
            raise FddkitError(
                f"gap={self.gap!r} paints groups, but those of {self.dataset} are real; give None"
            )
        if self.br is None:  # one without painted groups keeps None, its natural bias
            object.__setattr__(self, "br", self.entry.default_br)
        if self.gap not in (None, 0, 1, 2, 3, 4):
            raise FddkitError(f"gap={self.gap!r} is not a GAP level; give None, 0, 1, 2, 3 or 4")
        if self.br is not None and not self.balance - 1e-9 <= self.br <= 1:
            raise FddkitError(
                f"br={self.br} is outside [{self.balance:g}, 1]; give a share between equal groups "
                f"({self.balance:g}) and a single group (1)"
            )
        if self.ipc < 1:
            raise FddkitError(f"ipc={self.ipc} leaves no image; give at least 1 per class")
        if not self.baseline:
            find(self.method, self.fairness)
        if self.sampling not in SAMPLING:
            raise unknown("value of sampling", self.sampling, SAMPLING)

    @cached_property
    def entry(self) -> Listed:
        """The data set, as it was when it was chosen; looking at a ``.toml`` takes a while."""
        return CATALOGUE[self.dataset]

    def __getstate__(self) -> dict[str, object]:
        """Return what a worker gets, which looks the data set up for itself."""
        return asdict(self)

    @property
    def groups(self) -> int:
        """Number of groups in the data."""
        return self.entry.groups if self.gap is None else 2

    @property
    def natural(self) -> bool:
        """Whether the groups are real, so that a bias ratio thins them."""
        return self.entry.natural

    @property
    def balance(self) -> float:
        """The smallest bias ratio, at which all groups are equally large."""
        return round(1 / self.groups, 4)

    @property
    def baseline(self) -> bool:
        """Whether real images are used and nothing is distilled."""
        return self.method in BASELINES

    @property
    def sized(self) -> bool:
        """Whether ``ipc`` determines the number of images."""
        return sized(self.method)

    @property
    def title(self) -> str:
        """A few words that distinguish it from others of the same session."""
        what = self.method if self.baseline else f"{self.fairness} {self.method}"
        size = f" IPC {self.ipc}" if self.sized else ""
        gap = "" if self.gap is None else f" GAP {self.gap}"
        group = " by group" if self.sampling == "group" and not self.baseline else ""
        preset = "" if self.preset == "quick" else f" {self.preset}"
        seed = f" seed {self.seed}" if self.seed else ""
        return f"{what}{size}{group}{preset}, {self.dataset}{gap} {self.bias}{seed}"

    @property
    def bias(self) -> str:
        """The bias ratio in words."""
        return "natural bias" if self.br is None else f"BR {self.br:g}"

    @property
    def name(self) -> str:
        """The same as a file name."""
        values = asdict(self) | {
            "dataset": self.entry.tag,
            "gap": "own" if self.gap is None else f"gap{self.gap}",
            "br": "natural" if self.br is None else self.br,
        }
        return "-".join(
            f"{value:g}" if isinstance(value, float) else str(value) for value in values.values()
        )

    def with_(self, **changes: object) -> "Choice":
        """Return a changed choice; a bias ratio below its balance is raised to it.

        Another data set has its own bias, if its groups are natural and those before were not, or
        the other way round.
        """
        other = changes.get("dataset", self.dataset)
        entry = self.entry if other == self.dataset else CATALOGUE[other]
        same = entry.natural == self.natural
        br = changes.pop("br", self.br if same else entry.default_br)
        gap = changes.pop("gap", self.gap if same else None)
        moved = replace(self, **changes, gap=gap, br=1.0)  # which any groups allow
        return replace(moved, br=br if br is None else max(br, moved.balance))

    def data(self, root: str) -> dict[str, object]:
        """Return the arguments of `fddkit.load`."""
        return {
            "name": self.dataset,
            "br": self.br,
            "gap": self.gap,
            "seed": self.seed,
            "root": root,
        }

    def parameters(self) -> str:
        """Return the parameters cell with which the explorer notebook opens at this choice."""
        return "".join(f"{name} = {value!r}\n" for name, value in asdict(self).items())

    def command(self, root: str = "data") -> str:
        """Return the command that distils the same set."""
        words = ["fddkit", "distill", "--dataset", self.dataset]
        if self.entry.source is not None:
            words += ["--root", root]
        if self.br is not None:
            words += ["--br", f"{self.br:g}"]
        if self.gap is not None:
            words += ["--gap", str(self.gap)]
        words += ["--data-seed", str(self.seed), "--method", self.method]
        if not self.baseline:
            words += ["--fairness", self.fairness, "--preset", self.preset]
            words += ["--set", f"sampling={self.sampling}"]
        words += ["--ipc", str(self.ipc), "--seed", str(self.seed)]
        return shlex.join([*words, "--out", f"{self.name}.safetensors"])
