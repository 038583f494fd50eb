"""Whether a distillation came to something: where its pixels are, and where its loss went."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.reading import clip

#: Verdict -> what it means, the worst last.
VERDICTS = {
    "sound": "nothing is amiss",
    "doubtful": "look at the images before they are used",
    "diverged": "the images are of no use",
}
# times the root mean square of the real images; `reports/measured/health-digits.json` has what
# runs reach (see health.py beside it)
_FAR, _LOST = 10.0, 100.0
_WORSE = 10.0  # times the loss at the beginning
_LEAST = 10  # losses that have a course


def assess(
    images: Tensor, real: Tensor, loss: Tensor, doubts: Sequence[str] = ()
) -> dict[str, object]:
    """Judge a distilled set by what is known without training on it.

    Parameters
    ----------
    images : Tensor
        float [M, C, H, W], the synthetic images, normalised.
    real : Tensor
        float [N, C, H, W], real images in the same units.
    loss : Tensor
        float64 [steps], the course of the matching loss.
    doubts : sequence of str
        What the distiller itself has noticed.

    Returns
    -------
    dict
        ``verdict``, one of `VERDICTS`, and ``notes``, a sentence for each reason.
    """
    notes, verdict = list(doubts), "doubtful" if doubts else "sound"
    usual = real.double().square().mean().sqrt().clamp(min=1e-6)
    reach = float(images.double().square().mean().sqrt() / usual)
    if not reach < _FAR:
        verdict = "diverged" if not reach < _LOST else "doubtful"
        notes.append(
            f"pixels lie {reach:.3g} times as far from the mean as those of real images; "
            "choose a smaller lr"
        )
    if len(loss) >= _LEAST:
        tenth = max(1, len(loss) // 10)
        first, last = (float(part.median()) for part in (loss[:tenth], loss[-tenth:]))
        if last > _WORSE * first > 0:
            verdict = "diverged"
            notes.append(
                f"the matching loss has grown {last / first:.3g}-fold; choose a smaller lr"
            )
    return {"verdict": verdict, "notes": notes}


def sentence(health: dict) -> str:
    """Return what is wrong with a set in one sentence.

    Parameters
    ----------
    health : dict
        Of `assess`, or empty.

    Returns
    -------
    str
        Empty where nothing is.
    """
    verdict = health.get("verdict", "sound")
    if verdict == "sound":
        return ""
    meaning = VERDICTS.get(verdict, "its verdict is unknown to this fddkit")
    notes = "; ".join(health.get("notes", []))
    return f"the distilled set is {clip(verdict, 40)} ({meaning}): {clip(notes, 500)}"


def sample(images: Tensor, n: int = 512) -> Tensor:
    """Return evenly spaced rows of a set, at most ``n``."""
    return images[torch.linspace(0, len(images) - 1, min(n, len(images))).long()]
