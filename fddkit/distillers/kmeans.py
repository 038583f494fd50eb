"""Representative images: the ones nearest to the centres of clusters."""

import torch
from torch import Tensor


@torch.no_grad()
def representatives(
    features: Tensor, k: int, generator: torch.Generator, iterations: int = 100
) -> Tensor:
    """Return the rows nearest to the centres of k clusters.

    Lloyd's algorithm from k random rows, Euclidean, until no row changes its cluster. A cluster
    that loses all its rows keeps its centre.

    Parameters
    ----------
    features : Tensor
        [N, D].
    k : int
        Clusters; every row is its own where there are no more rows than that.
    generator : torch.Generator
        On the CPU.
    iterations : int
        At most so many.

    Returns
    -------
    Tensor
        int64 [min(k, N)] on the CPU. A row may come twice, as in DREAM's official code, where it
        is nearest to two centres.
    """
    if k >= len(features):
        return torch.arange(len(features))
    start = torch.randperm(len(features), generator=generator)[:k]
    centres = features[start.to(features.device)]
    before = None
    for _ in range(iterations):
        own = torch.cdist(features, centres).argmin(1)
        if before is not None and torch.equal(own, before):
            break
        before = own
        # a product with the membership matrix has one fixed order of summation
        member = torch.nn.functional.one_hot(own, k).to(features.dtype).T
        sizes = member.sum(1, keepdim=True)
        centres = torch.where(sizes > 0, member @ features / sizes.clamp(min=1), centres)
    return torch.cdist(features, centres).argmin(0).cpu()
