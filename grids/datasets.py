"""The datasets as parameter dataclasses: their factors, sizes and options.

Parameters only, as in `grids.parts`, and with the same rule: a default is pinned for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from grids.fields import FieldError, Valid, check_fields

RANDOM_NUISANCES = 2**31
"""How many draws a nuisance of random numbers has: as many as one draw can address."""

Standardise = Annotated[bool, "subtract the mean and divide by the std of each channel"]
Resize = Annotated[
    Literal["bilinear", "antialias"],
    "filter of the reduction to 64x64: bilinear (Michlo), antialias (Lanczos, Locatello)",
]


@dataclass(frozen=True, kw_only=True)
class Images:
    """What every dataset says of itself.

    Cells are the combinations of the factors in row-major order, last factor fastest. A nuisance is
    what varies besides the factors (which toy of a kind, a random colour): an image is a cell and
    one of `nuisances` draws. A dataset without factors is one cell of many draws.
    """

    name: ClassVar[str]
    source: ClassVar[str]

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def factor_names(self) -> tuple[str, ...]:
        return ()

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        return ()

    @property
    def cyclic(self) -> Mapping[str, int]:
        """The factors whose positions close into a circle, with the steps once around."""
        return {}

    @property
    def continuous_factors(self) -> tuple[str, ...]:
        """What the images of a set without a factor grid are drawn from, where that is known."""
        return ()

    @property
    def nuisances(self) -> int:
        return 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return (3, 64, 64)

    @property
    def standardise(self) -> bool:
        return False

    @property
    def stored(self) -> tuple[str, ...]:
        """The prepared images that it reads, by name; none where all images are drawn."""
        return ()


@dataclass(frozen=True, kw_only=True)
class DSprites(Images):
    """Three shapes at all positions."""

    name: ClassVar[str] = "dsprites"
    source: ClassVar[str] = "Matthey et al. 2017"
    factor_names = ("shape", "scale", "orientation", "x", "y")
    factor_sizes = (3, 6, 40, 32, 32)
    cyclic = {"orientation": 39}  # the 40 angles have both 0 and 2 pi
    image_shape = (1, 64, 64)
    stored = ("dsprites",)

    standardise: Standardise = False


@dataclass(frozen=True, kw_only=True)
class DSpritesRendered(Images):
    """A drawn stand-in for dSprites with its factor grid, where it cannot be downloaded."""

    name: ClassVar[str] = "dsprites_rendered"
    source: ClassVar[str] = "drawn here, after Matthey et al. 2017"
    factor_names = DSprites.factor_names
    factor_sizes = DSprites.factor_sizes
    cyclic = DSprites.cyclic
    image_shape = (1, 64, 64)

    standardise: Standardise = False


Sprites = Annotated[
    Literal["dsprites", "dsprites_rendered"],
    "where the sprites come from: the original, or its drawn stand-in",
]


@dataclass(frozen=True, kw_only=True)
class NuisanceDSprites(Images):
    """dSprites under a nuisance of random numbers (Locatello et al. 2019), redrawn for each use."""

    factor_names = DSprites.factor_names
    factor_sizes = DSprites.factor_sizes
    cyclic = DSprites.cyclic
    nuisances = RANDOM_NUISANCES

    sprites: Sprites = "dsprites"

    @property
    def stored(self) -> tuple[str, ...]:
        return ("dsprites",) if self.sprites == "dsprites" else ()


@dataclass(frozen=True, kw_only=True)
class ColorDSprites(NuisanceDSprites):
    """dSprites in a random colour."""

    name: ClassVar[str] = "color_dsprites"
    source: ClassVar[str] = "Locatello et al. 2019"


@dataclass(frozen=True, kw_only=True)
class NoisyDSprites(NuisanceDSprites):
    """White dSprites on coloured noise."""

    name: ClassVar[str] = "noisy_dsprites"
    source: ClassVar[str] = "Locatello et al. 2019"


@dataclass(frozen=True, kw_only=True)
class ScreamDSprites(NuisanceDSprites):
    """dSprites that invert a random crop of The Scream."""

    name: ClassVar[str] = "scream_dsprites"
    source: ClassVar[str] = "Locatello et al. 2019"

    @property
    def stored(self) -> tuple[str, ...]:
        return (*super().stored, "scream")


@dataclass(frozen=True, kw_only=True)
class SmallNORB(Images):
    """Toys, of training and test set; which toy of a kind is the nuisance."""

    name: ClassVar[str] = "smallnorb"
    source: ClassVar[str] = "LeCun et al. 2004; as Locatello et al. 2019"
    factor_names = ("category", "elevation", "azimuth", "lighting")
    factor_sizes = (5, 9, 18, 6)
    cyclic = {"azimuth": 18}
    nuisances = 10
    image_shape = (1, 64, 64)

    resize: Resize = "antialias"
    standardise: Standardise = False

    @property
    def stored(self) -> tuple[str, ...]:
        return (f"{self.name}-{self.resize}",)


@dataclass(frozen=True, kw_only=True)
class SmallNORBMichlo(Images):
    """Toys, of the training set; which toy of a kind is a factor."""

    name: ClassVar[str] = "smallnorb_michlo"
    source: ClassVar[str] = "LeCun et al. 2004; as Michlo et al. 2023"
    factor_names = ("category", "instance", "elevation", "rotation", "lighting")
    factor_sizes = (5, 5, 9, 18, 6)
    cyclic = {"rotation": 18}
    image_shape = (1, 64, 64)

    resize: Resize = "bilinear"
    standardise: Standardise = False

    @property
    def stored(self) -> tuple[str, ...]:
        return (f"{self.name}-{self.resize}",)


@dataclass(frozen=True, kw_only=True)
class Cars3D(Images):
    """Renders of 183 cars."""

    name: ClassVar[str] = "cars3d"
    source: ClassVar[str] = "Reed et al. 2015"
    factor_names = ("elevation", "azimuth", "object")
    factor_sizes = (4, 24, 183)
    cyclic = {"azimuth": 24}

    resize: Resize = "bilinear"
    standardise: Standardise = False

    @property
    def stored(self) -> tuple[str, ...]:
        return (f"{self.name}-{self.resize}",)


@dataclass(frozen=True, kw_only=True)
class Shapes3D(Images):
    """A shape in a room."""

    name: ClassVar[str] = "shapes3d"
    source: ClassVar[str] = "Burgess and Kim 2018"
    factor_names = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    factor_sizes = (10, 10, 10, 8, 4, 15)
    cyclic = {"floor_hue": 10, "wall_hue": 10, "object_hue": 10}
    stored = ("shapes3d",)

    standardise: Standardise = False


@dataclass(frozen=True, kw_only=True)
class _MPI3D(Images):
    factor_names = (
        "object_color",
        "object_shape",
        "object_size",
        "camera_height",
        "background_color",
        "first_dof",
        "second_dof",
    )
    factor_sizes = (6, 6, 2, 3, 3, 40, 40)

    standardise: Standardise = False


@dataclass(frozen=True, kw_only=True)
class MPI3DToy(_MPI3D):
    """Simple renders of a robot arm with an object."""

    name: ClassVar[str] = "mpi3d_toy"
    source: ClassVar[str] = "Gondal et al. 2019"
    stored = ("mpi3d_toy",)


@dataclass(frozen=True, kw_only=True)
class MPI3DRealistic(_MPI3D):
    """Realistic renders of a robot arm with an object."""

    name: ClassVar[str] = "mpi3d_realistic"
    source: ClassVar[str] = "Gondal et al. 2019"
    stored = ("mpi3d_realistic",)


@dataclass(frozen=True, kw_only=True)
class MPI3DReal(_MPI3D):
    """Photographs of a robot arm with an object."""

    name: ClassVar[str] = "mpi3d_real"
    source: ClassVar[str] = "Gondal et al. 2019"
    stored = ("mpi3d_real",)


@dataclass(frozen=True, kw_only=True)
class XYSquares(Images):
    """Three squares on a grid of positions, one a colour channel."""

    name: ClassVar[str] = "xysquares"
    source: ClassVar[str] = "Michlo et al. 2023, table 4"
    factor_names: ClassVar[tuple[str, ...]] = ("x_R", "y_R", "x_G", "y_G", "x_B", "y_B")

    spacing: Annotated[int, Valid(at_least=1), "pixels between neighbouring positions"] = 8
    grid_size: Annotated[
        int | None, Valid(at_least=2), "most positions along an axis; null fills the image"
    ] = 8
    square_size: Annotated[int, Valid(at_least=1), "side of a square, pixels"] = 8
    image_size: Annotated[int, Valid(at_least=1, at_most=1024), "side of the image, pixels"] = 64
    rgb: Annotated[bool, "a channel for each square; false draws their union in one channel"] = True
    standardise: Standardise = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.square_size >= self.image_size:
            raise FieldError(
                "square_size",
                f"is {self.square_size}; valid: below image_size, which is {self.image_size}",
            )
        if self.positions < 2:
            raise FieldError(
                "spacing",
                f"is {self.spacing}, which leaves one position for a square of {self.square_size} "
                f"in an image of {self.image_size}; valid: at most image_size - square_size, "
                f"{max(self.image_size - self.square_size, 0)}",
            )

    @property
    def positions(self) -> int:
        """P, the number of positions of a square along one axis."""
        fitting = (self.image_size - self.square_size) // self.spacing + 1
        return fitting if self.grid_size is None else min(fitting, self.grid_size)

    @property
    def offset(self) -> int:
        """Pixels before the first position, which centre the grid in the image."""
        return (self.image_size - (self.square_size + (self.positions - 1) * self.spacing)) // 2

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        return (self.positions,) * len(self.factor_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (3 if self.rgb else 1, self.image_size, self.image_size)


@dataclass(frozen=True, kw_only=True)
class XYColumns(XYSquares):
    """Three columns that move sideways, one a colour channel."""

    name: ClassVar[str] = "xycolumns"
    source: ClassVar[str] = "disent's XColumns"
    factor_names: ClassVar[tuple[str, ...]] = ("x_R", "x_G", "x_B")


@dataclass(frozen=True, kw_only=True)
class XYObject(Images):
    """One coloured square of changing place and size."""

    name: ClassVar[str] = "xyobject"
    source: ClassVar[str] = "disent's XYObject"

    spacing: Annotated[int, Valid(at_least=1), "pixels between neighbouring positions"] = 2
    smallest: Annotated[int, Valid(at_least=1), "side of the smallest square, pixels"] = 7
    largest: Annotated[int, Valid(at_least=1), "side of the largest square, pixels"] = 15
    size_step: Annotated[int, Valid(at_least=1), "pixels from size to size"] = 2
    image_size: Annotated[int, Valid(at_least=1, at_most=1024), "side of the image, pixels"] = 64
    palette: Annotated[
        Literal["rainbow", "colors", "rgb", "greys"], "colours; greys has one channel"
    ] = "rainbow"
    intensities: Annotated[int, Valid(at_least=1, at_most=255), "shades of each colour"] = 4
    shaded: Annotated[bool, "the shade is a factor of its own, not mixed into the colour"] = False
    standardise: Standardise = False

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.smallest <= self.largest <= self.image_size:
            raise FieldError(
                "largest",
                f"is {self.largest}; valid: from smallest, {self.smallest}, to image_size, "
                f"{self.image_size}",
            )

    @property
    def placements(self) -> int:
        """Positions along one axis, the same for every size of square."""
        return (self.image_size - self.largest) // self.spacing + 1

    @property
    def square_sizes(self) -> tuple[int, ...]:
        return tuple(range(self.smallest, self.largest + 1, self.size_step))

    @property
    def colors(self) -> int:
        """Colours of the palette at full intensity."""
        return {"rainbow": 6, "colors": 7, "rgb": 3, "greys": 1}[self.palette]

    @property
    def factor_names(self) -> tuple[str, ...]:
        return ("x", "y", "scale", *(("intensity",) if self.shaded else ()), "color")

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        place = (self.placements, self.placements, len(self.square_sizes))
        if self.shaded:
            return (*place, self.intensities, self.colors)
        return (*place, self.intensities * self.colors)

    @property
    def cyclic(self) -> Mapping[str, int]:
        return {"color": 6} if self.shaded and self.palette == "rainbow" else {}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (1 if self.palette == "greys" else 3, self.image_size, self.image_size)


@dataclass(frozen=True, kw_only=True)
class CIFAR10(Images):
    """Photographs of ten kinds of things, without factors; the training set."""

    name: ClassVar[str] = "cifar10"
    source: ClassVar[str] = "Krizhevsky 2009"
    nuisances = 50_000
    image_shape = (3, 32, 32)
    stored = ("cifar10",)

    standardise: Standardise = False


@dataclass(frozen=True, kw_only=True)
class CIFAR100(Images):
    """Photographs of a hundred kinds of things, without factors; the training set."""

    name: ClassVar[str] = "cifar100"
    source: ClassVar[str] = "Krizhevsky 2009"
    nuisances = 50_000
    image_shape = (3, 32, 32)
    stored = ("cifar100",)

    standardise: Standardise = False


SONG_FACTORS = ("pos_x", "pos_y", "scale", "shape", "rotation_1", "hue", "rotation_2")
SONG_IMAGES = 1_000_000
SongImages = Annotated[int, Valid(at_least=1, at_most=RANDOM_NUISANCES), "images in the set"]
VOTE_IMAGES = 400
VoteImages = Annotated[
    int, Valid(at_least=2, at_most=10_000), "images of each of the 80 votes a factor; 400: his code"
]
SongScale = Annotated[
    Literal["half", "printed"], "scale ~ U[.5, 1], as the code, or U[0, 1], as printed"
]
SongColour = Annotated[
    Literal["hue", "rgb"], "HSV(h, 1, 1), as printed, or three channels, as the code of K = 6"
]


@dataclass(frozen=True, kw_only=True)
class Song(Images):
    """Images of K continuous factors, drawn once."""

    source: ClassVar[str] = "Song 2018, section 3.2"
    complexity: ClassVar[int]

    images: SongImages = SONG_IMAGES
    vote_images: VoteImages = VOTE_IMAGES

    @property
    def continuous_factors(self) -> tuple[str, ...]:
        factors = SONG_FACTORS[: self.complexity]
        if getattr(self, "colour", "hue") == "rgb":
            return tuple(
                n for f in factors for n in (("red", "green", "blue") if f == "hue" else (f,))
            )
        return factors

    @property
    def nuisances(self) -> int:
        return self.images

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (1 if self.complexity < 6 else 3, 64, 64)

    @property
    def stored(self) -> tuple[str, ...]:
        options = [getattr(self, option, None) for option in ("scale", "colour")]
        name = "-".join([self.name, str(self.images), *(o for o in options if o)])
        fewer = f"-{self.vote_images}" if self.vote_images != VOTE_IMAGES else ""
        return (name, f"{name}{fewer}-votes")


@dataclass(frozen=True, kw_only=True)
class Song1(Song):
    """Position x."""

    name: ClassVar[str] = "song1"
    complexity: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class Song2(Song):
    """Position."""

    name: ClassVar[str] = "song2"
    complexity: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class Song3(Song):
    """Position and scale."""

    name: ClassVar[str] = "song3"
    complexity: ClassVar[int] = 3

    scale: SongScale = "half"


@dataclass(frozen=True, kw_only=True)
class Song4(Song):
    """Position, scale, shape."""

    name: ClassVar[str] = "song4"
    complexity: ClassVar[int] = 4

    scale: SongScale = "half"


@dataclass(frozen=True, kw_only=True)
class Song5(Song):
    """Position, scale, shape, rotation."""

    name: ClassVar[str] = "song5"
    complexity: ClassVar[int] = 5

    scale: SongScale = "half"


@dataclass(frozen=True, kw_only=True)
class Song6(Song):
    """Position, scale, shape, rotation, colour."""

    name: ClassVar[str] = "song6"
    complexity: ClassVar[int] = 6

    scale: SongScale = "half"
    colour: SongColour = "hue"


@dataclass(frozen=True, kw_only=True)
class Song7(Song):
    """Solids in space: position, depth, shape, colour, two rotations."""

    name: ClassVar[str] = "song7"
    complexity: ClassVar[int] = 7

    colour: SongColour = "hue"


DATASETS: dict[str, type[Images]] = {
    dataset.name: dataset
    for dataset in (
        DSprites, DSpritesRendered, ColorDSprites, NoisyDSprites, ScreamDSprites,
        SmallNORB, SmallNORBMichlo, Cars3D, Shapes3D, MPI3DToy, MPI3DRealistic, MPI3DReal,
        XYSquares, XYObject, XYColumns, CIFAR10, CIFAR100,
        Song1, Song2, Song3, Song4, Song5, Song6, Song7,
    )
}  # fmt: skip
