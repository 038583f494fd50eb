"""Ten kinds of scenes that are computed, not photographed, in whole numbers."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from .corruptions.fixed_point import Draws
from .corruptions.textures import CLOUD, clouds

SIZE, VARIANTS = 32, 64
_ROW, _COLUMN = torch.arange(SIZE)[:, None], torch.arange(SIZE)
Colour = tuple[int, int, int]


class _Sketch:
    """All variants of a scene being painted, layer over layer.

    Attributes
    ----------
    picture : Tensor
        int64 [V, 3, 32, 32].
    """

    def __init__(self, name: str, top: Colour, bottom: Colour):
        self.name, self.count = name, 0
        self.draws = Draws(torch.arange(VARIANTS), 0)
        share = _ROW.expand(SIZE, SIZE)
        self.picture = torch.stack(
            [(a * (SIZE - share) + b * share) // SIZE for a, b in zip(top, bottom, strict=True)]
        ).repeat(VARIANTS, 1, 1, 1)

    def between(self, low: int, high: int) -> Tensor:
        """Draw whole numbers from low to high, int64 [V, 1, 1]."""
        self.count += 1
        name = f"{self.name} {self.count}"
        return low + self.draws.below(high - low + 1, name, 1, 1)

    def cloud(self, decay: float) -> Tensor:
        """Draw clouds, int64 [V, 32, 32], from 0 to 255."""
        self.count += 1
        return clouds(SIZE, decay, self.draws, f"{self.name} {self.count}") * 255 >> CLOUD

    def fill(self, where: Tensor, colour: Colour, light: Tensor | int = 0) -> None:
        """Paint a colour, made lighter by ``light``, where a mask [V, 32, 32] is true."""
        paint = torch.tensor(colour)[:, None, None]
        if isinstance(light, Tensor):
            light = light[:, None]
        self.picture = torch.where(where[:, None], paint + light, self.picture)

    def grain(self, strength: int, decay: float = 1.3) -> "_Sketch":
        """Make it lighter and darker at random, by up to ``strength``."""
        self.picture = self.picture + (self.cloud(decay)[:, None] - 128) * strength // 128
        return self


def _ridge(sketch: _Sketch, low: int, high: int, decay: float) -> Tensor:
    """Return the height of a skyline in each column, int64 [V, 1, 32]."""
    return low + sketch.cloud(decay)[:, :1] * (high - low) // 255


def _bamboo() -> _Sketch:
    s = _Sketch("bamboo forest", (46, 74, 34), (20, 40, 16)).grain(30)
    for _ in range(9):
        left, wide, light = s.between(-1, SIZE), s.between(1, 3), s.between(-25, 35)
        stalk = (left <= _COLUMN) & (left + wide > _COLUMN)
        s.fill(stalk.expand(-1, SIZE, -1), (112, 150, 62), light)
        s.fill(stalk & ((_ROW + s.between(0, 8)) % 9 == 0), (60, 90, 36), light)
    return s


def _living_room() -> _Sketch:
    s = _Sketch("living room", (226, 208, 178), (206, 186, 154))
    floor = s.between(20, 24)
    s.fill((floor <= _ROW).expand(-1, -1, SIZE), (132, 88, 54))
    left, top = s.between(2, 20), s.between(2, 5)
    inside = (top <= _ROW) & (top + 8 > _ROW) & (left <= _COLUMN) & (left + 9 > _COLUMN)
    s.fill(inside, (120, 160, 200), s.between(-60, 40))
    left, wide = s.between(0, 14), s.between(12, 18)
    across = (left <= _COLUMN) & (left + wide > _COLUMN)
    light = s.between(-30, 60)
    s.fill(across & (floor - 5 <= _ROW) & (floor + 5 > _ROW), (148, 50, 46), light)
    s.fill(across & (floor <= _ROW) & (floor + 3 > _ROW), (176, 74, 66), light)
    return s.grain(8)


def _beach() -> _Sketch:
    s = _Sketch("beach", (104, 176, 232), (196, 226, 244)).grain(12, 2.0)
    sea, sand = s.between(9, 14), s.between(19, 23) + s.cloud(2.0)[:, :1] // 80
    s.fill((sea <= _ROW).expand(-1, -1, SIZE), (28, 118, 160), s.cloud(1.4) // 8)
    s.fill(sand <= _ROW, (226, 200, 140), s.cloud(1.2) // 10)
    s.fill(sand == _ROW + 1, (240, 246, 246))
    return s


def _mountains() -> _Sketch:
    s = _Sketch("mountains", (96, 146, 204), (214, 226, 236)).grain(14, 2.0)
    for low, high, colour in ((4, 18, (112, 122, 148)), (14, 26, (64, 82, 74))):
        top = _ridge(s, low, high, 1.9)
        s.fill(top <= _ROW, colour, s.cloud(1.3) // 8)
        if low == 4:
            s.fill((top <= _ROW) & (top + 4 > _ROW) & (top < 13), (238, 242, 248))
    return s


def _city() -> _Sketch:
    s = _Sketch("city at night", (10, 12, 40), (58, 40, 84)).grain(8)
    lit = s.draws.below(3, "windows", SIZE, SIZE) == 0
    for i in range(6):
        left, wide, top = 6 * i - 2 + s.between(0, 2), s.between(5, 7), s.between(5, 22)
        house = (left <= _COLUMN) & (left + wide > _COLUMN) & (top <= _ROW)
        s.fill(house, (24, 26, 36), s.between(0, 22))
        window = ((_COLUMN - left) % 2 == 1) & ((_ROW - top) % 3 == 1)
        s.fill(house & window & lit, (250, 214, 120))
    return s


def _desert() -> _Sketch:
    s = _Sketch("desert", (236, 198, 150), (250, 224, 180))
    for low, high, colour in ((10, 17, (222, 154, 84)), (17, 27, (196, 116, 56))):
        top = _ridge(s, low, high, 2.8)
        s.fill(top <= _ROW, colour, (_ROW - top).clamp(0, 12) * -3)
    return s.grain(10)


def _sea() -> _Sketch:
    s = _Sketch("under water", (40, 150, 190), (4, 40, 92)).grain(20, 2.0)
    for _ in range(3):
        left = s.between(0, SIZE)
        ray = (_COLUMN - left + _ROW // 2).abs() < 2 + _ROW // 12
        s.fill(ray & (_ROW < 24), (96, 190, 214), -4 * _ROW.expand(VARIANTS, -1, SIZE))
    bed = _ridge(s, 25, 30, 2.0)
    s.fill(bed <= _ROW, (62, 92, 84), s.cloud(1.2) // 8)
    return s


def _winter() -> _Sketch:
    s = _Sketch("winter forest", (196, 208, 222), (226, 232, 240))
    s.fill((s.between(20, 23) <= _ROW).expand(-1, -1, SIZE), (244, 248, 252))
    for _ in range(6):
        middle, foot, high = s.between(0, SIZE - 1), s.between(21, 27), s.between(12, 20)
        beside = (_COLUMN - middle).abs()
        above = foot - _ROW
        tree = (above > 0) & (above <= high) & (3 * beside <= high - above)
        s.fill(tree, (30, 66, 52), s.between(-10, 20))
        s.fill(tree & (above % 5 == 4), (220, 232, 236))
    return s.grain(6)


def _bricks() -> _Sketch:
    s = _Sketch("brick wall", (196, 188, 176), (184, 176, 166))
    row, column = _ROW + s.between(0, 4), _COLUMN + s.between(0, 9)
    brick = (row % 5 != 0) & ((column + row // 5 % 2 * 5) % 10 != 0)
    s.fill(brick, (150, 66, 48), s.between(-20, 30) + s.cloud(1.2) // 6)
    return s.grain(10)


def _sunset() -> _Sketch:
    s = _Sketch("sunset", (70, 40, 110), (255, 150, 60)).grain(26, 1.8)
    x, y, size = s.between(4, 27), s.between(12, 20), s.between(9, 25)
    s.fill((_COLUMN - x) ** 2 + (_ROW - y) ** 2 <= size, (255, 236, 150))
    s.fill(_ridge(s, 21, 27, 2.2) <= _ROW, (34, 18, 40))
    return s


_SCENES: tuple[Callable[[], _Sketch], ...] = (
    *(_bamboo, _living_room, _beach, _mountains, _city),
    *(_desert, _sea, _winter, _bricks, _sunset),
)
SCENE_NAMES = ("bamboo forest", "living room", "beach", "mountains", "city at night")
SCENE_NAMES += ("desert", "under water", "winter forest", "brick wall", "sunset")


@cache
def computed_scenes() -> tuple[Tensor, ...]:
    """Return 64 variants of each scene in `SCENE_NAMES`, uint8 [64, 3, 32, 32]."""
    return tuple(scene().picture.clamp(0, 255).to(torch.uint8) for scene in _SCENES)
