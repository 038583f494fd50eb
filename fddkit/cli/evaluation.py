"""The command that measures a distilled set: ``evaluate``."""

from argparse import Namespace
from pathlib import Path

from ..core.errors import FddkitError
from ..core.files import consider
from ..experiments.notebooks import split
from . import options

_EXAMPLES = """\
examples:
  fddkit evaluate cobra.safetensors --repeats 10 --json report.json
  fddkit evaluate cobra.safetensors --networks convnet,alexnet,vgg11,resnet18
"""


def add(commands: options.Commands) -> None:
    """Add ``evaluate``.

    Parameters
    ----------
    commands : Commands
        Where it is added.
    """
    does = "train networks on a distilled set and measure their fairness"
    one = options.add_command(commands, "evaluate", does, evaluate, _EXAMPLES)
    one.add_argument("set_file", metavar="FILE", help="a .safetensors file from `fddkit distill`")
    options.add_root(one)
    one.add_argument(
        "--networks",
        default="convnet",
        help="convnet, alexnet, vgg11 or resnet18, separated by commas (default: convnet)",
    )
    one.add_argument("--repeats", type=int, help="networks of each kind (default: the preset's)")
    one.add_argument(
        "--protocol",
        metavar="METHOD",
        help="evaluate as this method does (default: the one that distilled the set)",
    )
    options.add_seed(one)
    options.add_work(
        one,
        "epochs, max_steps, batch, lr, momentum, decay, schedule, augment, cutmix, objective "
        "(erm, group-dro, tpr-gap), dro_step, penalty, width, depth, originals",
    )
    options.add_json(one, "report")


def evaluate(given: Namespace) -> int:
    """Measure a distilled set on its own test set.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status.
    """
    from ..data.distilled import DistilledSet
    from ..data.loading import reload
    from ..evaluation.evaluate import evaluate
    from ..evaluation.planning import planned
    from ..evaluation.report import FairnessReport
    from ..evaluation.report_file import only_reports
    from ..training.fit import PRESETS

    changed = options.settings(given, PRESETS)
    distilled = DistilledSet.load(given.set_file)

    _, test = reload(distilled.config.get("dataset", {}), given.root)
    chosen = {
        **{"networks": split(given.networks), "repeats": given.repeats, "seed": given.seed},
        **{"preset": given.preset, "protocol": given.protocol, **changed},
    }
    own = planned(distilled, test, **chosen)

    def look(path: Path) -> None:
        only_reports(path)
        if given.overwrite or not path.stat().st_size:
            return
        found = FairnessReport.load(path)
        there = {**found.config, "networks": found.networks}
        for key in own:
            if own[key] != there.get(key, own[key]):
                raise FddkitError(
                    f"{path} is the report of another set or evaluation ({key} differs); choose "
                    "another name, or --overwrite it"
                )

    if given.json:
        consider(given.json, look)
    report = evaluate(distilled, test, device=given.device, **chosen)
    if given.json:
        report.save(given.json, look)
    print(f"{distilled}\n{report}")
    return 0
