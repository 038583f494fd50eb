"""Distillers that train a network between the steps on the images, then take another one."""

from torch import Tensor

from ..training.networks import Network
from ..training.sgd import Student
from .matching import Matching


class Bilevel(Matching):
    """A bilevel distiller: steps on the images, and training of the network after each step.

    A subclass defines how the network is trained (`train_network`), when further steps with it
    are of no use (`settled`) and what follows the last of them (`leave`). Its settings have
    ``outer``, the maximum number of steps with one network, and ``net_lr``.
    """

    _student: tuple[int, Student] | None = None  # the network in training: number, optimiser

    @property
    def per_network(self) -> int:
        """See `Matching.per_network`."""
        return self.settings.outer

    def network(self, step: int) -> Network:
        """See `Matching.network`: in its current state while in training, otherwise fresh."""
        if self._student is not None and self._student[0] == step // self.per_network:
            return self._student[1].net
        return super().network(step)

    def student(self, net: Network) -> Student:
        """Return a network together with its optimiser."""
        return Student(net, self.settings.net_lr)

    def train_network(self, student: Student, images: Tensor, step: int) -> None:
        """Train a network after a step that has led to these synthetic images."""
        raise NotImplementedError

    def settled(self, step: int) -> bool:
        """Return whether the network is left after a step; called once per step."""
        return False

    def leave(self, images: Tensor) -> None:
        """Do what follows the last step with a network, modifying the images in place."""

    def after(self, images: Tensor, step: int) -> int:
        """See `Matching.after`: train the network, or leave it if this was its last step."""
        following = (step // self.per_network + 1) * self.per_network
        if self.settled(step) or step + 1 == following:
            self._student = None
            self.leave(images)
            return following
        self.train_network(self._training(step), images, step)
        return step + 1

    def _training(self, step: int) -> Student:
        """Return the network of a step, which becomes the one in training."""
        iteration = step // self.per_network
        if self._student is None or self._student[0] != iteration:
            # a separate copy, so that a fresh network handed out earlier does not change
            self._student = iteration, self.student(self.fresh(iteration))
            self._net = None
        return self._student[1]

    def state(self) -> dict[str, Tensor]:
        """See `Matching.state`."""
        return {} if self._student is None else self._student[1].state()

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """See `Matching.load`."""
        self._student = None
        if step % self.per_network:
            self._training(step).load(state)
