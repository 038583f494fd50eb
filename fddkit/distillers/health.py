"""Whether a distillation went well, judged by its pixels and the course of its loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.reading import clip

#: Verdict -> what it means, from best to worst.
VERDICTS = {
    "sound": "nothing is wrong",
    "doubtful": "look at the images before using them",
    "diverged": "the images are of no use",
}
# times the root mean square of the real images; `reports/measured/health-digits.json` shows what
# runs reach (see health.py next to it)
_FAR, _LOST = 10.0, 100.0
_WORSE = 10.0  # times the loss at the beginning
_LEAST = 10  # fewest losses that show a course


def assess(
    images: Tensor, real: Tensor, loss: Tensor, doubts: Sequence[str] = ()
) -> dict[str, object]:
    """Judge a distilled set without training on it.

    Parameters
    ----------
    images : Tensor
        float [M, C, H, W], the synthetic images, normalised.
    real : Tensor
        float [N, C, H, W], real images in the same units.
    loss : Tensor
        float64 [steps], the course of the matching loss.
    doubts : sequence of str
        What the distiller itself has noticed, one sentence each.

    Returns
    -------
    dict
        ``verdict``, one of `VERDICTS`, and ``notes``, a sentence for each reason.

    Examples
    --------
    >>> import torch
    >>> from fddkit.distillers import health
    >>> real, loss = torch.ones(4, 1, 2, 2), torch.ones(20, dtype=torch.float64)
    >>> health.assess(0.5 * real, real, loss)
    {'verdict': 'sound', 'notes': []}
    >>> print(health.sentence(health.assess(20 * real, real, loss)))
    the distilled set is doubtful (look at the images before using them): pixels lie 20 times as
    far from the mean as those of real images; choose a smaller lr
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
    """Say in one sentence what is wrong with a set.

    Parameters
    ----------
    health : dict
        What `assess` returned, or an empty one.

    Returns
    -------
    str
        Empty if nothing is.
    """
    verdict = health.get("verdict", "sound")
    if verdict == "sound":
        return ""
    meaning = VERDICTS.get(verdict, "this version of fddkit does not know the verdict")
    notes = "; ".join(health.get("notes", []))
    return f"the distilled set is {clip(verdict, 40)} ({meaning}): {clip(notes, 500)}"


def sample(images: Tensor, n: int = 512) -> Tensor:
    """Return at most ``n`` evenly spaced rows of a set."""
    return images[torch.linspace(0, len(images) - 1, min(n, len(images))).long()]
