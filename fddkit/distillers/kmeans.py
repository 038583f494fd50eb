"""Representative images: those nearest to the centres of clusters."""

import torch
from torch import Tensor


@torch.no_grad()
def representatives(
    features: Tensor, k: int, generator: torch.Generator, iterations: int = 100
) -> Tensor:
    """Return the rows nearest to the centres of k clusters.

    Lloyd's algorithm with Euclidean distances, from k random rows until no row changes its
    cluster. A cluster that loses all its rows keeps its centre.

    Parameters
    ----------
    features : Tensor
        [N, D].
    k : int
        Number of clusters; with k rows or fewer, every row is returned.
    generator : torch.Generator
        On the CPU.
    iterations : int
        Maximum number of iterations.

    Returns
    -------
    Tensor
        int64 [min(k, N)] on the CPU. As in DREAM's official code, a row that is nearest to two
        centres comes twice.

    Examples
    --------
    >>> import torch
    >>> features = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    >>> representatives(features, 2, torch.Generator().manual_seed(0)).sort().values
    tensor([1, 4])
    """
    if k >= len(features):
        return torch.arange(len(features))
    start = torch.randperm(len(features), generator=generator)[:k]
    centres = features[start.to(features.device)]
    before = None
    for _ in range(iterations):
        cluster = torch.cdist(features, centres).argmin(1)
        if before is not None and torch.equal(cluster, before):
            break
        before = cluster
        # a product with the membership matrix has one fixed order of summation
        member = torch.nn.functional.one_hot(cluster, k).to(features.dtype).T
        sizes = member.sum(1, keepdim=True)
        centres = torch.where(sizes > 0, member @ features / sizes.clamp(min=1), centres)
    return torch.cdist(features, centres).argmin(0).cpu()
