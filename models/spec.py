"""What a model is made of. Without scikit-learn, so that a command line can be checked without importing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.feature_sets import RAW, check_feature_set
from stinger.errors import InputError

MODELS: Final = ("logreg", "ridge", "mlp", "rf", "et", "hgb", "xgb", "cnn")
"""The models of :func:`models.estimators.make_estimator`."""

CNN: Final = "cnn"
"""The only model on ``raw`` windows; it takes no features."""
FEATURE_MODELS: Final = tuple(model for model in MODELS if model != CNN)
"""The models that take features, of any set but ``raw``."""

SCALED: Final = ("logreg", "ridge", "mlp")
"""The models that get standardised features."""

BLASTER_MLP: Final = "mlp:rich"
"""The larger one of the two kinds of model that a blaster runs."""

MAX_MEMBERS: Final = 16
"""The largest ensemble; each member adds its time to that of every sample."""


@dataclass(frozen=True, slots=True)
class Member:
    """One model of an ensemble and the features that it gets.

    Raises :class:`InputError` for an unknown name, and if only one of both is ``cnn`` or ``raw``.
    """

    model: str
    features: str

    def __post_init__(self) -> None:
        check_model(self.model)
        check_feature_set(self.features)
        if self.model == CNN and self.features != RAW:
            raise InputError(f"there is no '{self}': the model {CNN} takes the window itself, {CNN}:{RAW}")
        if self.features == RAW and self.model != CNN:
            raise InputError(
                f"there is no '{self}': {RAW} is for the model {CNN}; {self.model}:flatten has the same samples"
            )

    def __str__(self) -> str:
        return f"{self.model}:{self.features}"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """An ensemble of one or several members, whose probability is the mean of theirs.

    Members that are equal differ in their random seed. Raises :class:`InputError` for none or more than
    :data:`MAX_MEMBERS`.
    """

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.members) <= MAX_MEMBERS:
            raise InputError(f"an ensemble has 1 to {MAX_MEMBERS} members, not {len(self.members)}")

    @property
    def feature_sets(self) -> tuple[str, ...]:
        """The feature sets of the members, each once."""
        return tuple(dict.fromkeys(member.features for member in self.members))

    def __str__(self) -> str:
        return "+".join(map(str, self.members))


@dataclass(frozen=True, slots=True)
class EstimatorOptions:
    """Parameters of estimators; the defaults are those of ``stinger train``. ``mlp_`` ones apply to the MLP only."""

    mlp_hidden: tuple[int, ...] | None = None
    """The width of each hidden layer; by default ``(64, 32)``, or ``(32,)`` for ``flatten``."""
    mlp_alpha: float = 1e-4
    """The L2 penalty."""
    mlp_max_iter: int = 800
    """The largest number of passes over the rows."""
    mlp_epochs: int | None = None
    """Exactly that many passes, without early stopping, or as many as make ``mlp_min_steps`` steps."""
    mlp_min_steps: int = 0
    mlp_networks: int = 1
    """In an ensemble of several members, each MLP is the mean of so many with different seeds."""
    mlp_batch_rows: int | None = None
    """The rows of a step; by default 200, or all if there are fewer."""
    mlp_learning_rate: float = 1e-3
    """The size of the first steps."""
    mlp_early_stopping: bool | None = None
    """Whether a tenth of the rows is set aside to decide when to stop; by default where there are enough rows."""
    mlp_teacher: ModelSpec | None = None
    """A model that is fitted first. An ``mlp:rich`` that is not part of an ensemble is then fitted to its probabilities
    (:mod:`models.distillation`)."""
    trees: int = 300
    """Number of trees of rf, et and xgb."""
    min_leaf_rows: int = 2
    """The least number of rows in a leaf of rf and et."""
    n_jobs: int = 1
    """Threads of rf, et and xgb."""
    hard_rounds: int = 0
    """How often the negatives that a model takes for positives are added to a third of the negatives, for each kind of
    model (:mod:`models.hard_negatives`); 0 takes all rows at once."""

    def teacher_of(self, spec: ModelSpec) -> ModelSpec | None:
        """Return the model whose probabilities ``spec`` is fitted to; ``None`` if it is fitted to the labels."""
        return self.mlp_teacher if str(spec) == BLASTER_MLP else None

    def feature_sets_to_fit(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the feature sets that fitting ``spec`` needs: its own, and those of its teacher."""
        teacher = self.teacher_of(spec)
        return tuple(dict.fromkeys((*spec.feature_sets, *(() if teacher is None else teacher.feature_sets))))


def parse_spec(text: str) -> ModelSpec:
    """Parse ``model:features``, or several joined by ``+``, such as ``mlp:rich+et:rich``; ``str`` is the inverse.

    >>> parse_spec("mlp:rich")
    ModelSpec(members=(Member(model='mlp', features='rich'),))

    Raises :class:`InputError` with the valid names for anything else.
    """
    return ModelSpec(tuple(_parse_member(part) for part in text.split("+")))


def spec_in_words(text: str) -> str:
    """Return the text of a spec, which may be of a newer version, in words.

    >>> spec_in_words("mlp:rich+et:rich")
    'mlp on rich features + et on rich features'
    """
    members = (member.partition(":") for member in text.split("+"))
    return " + ".join(f"{model} on {features} features" for model, _, features in members)


def check_model(name: str) -> None:
    """Raise :class:`InputError`, with the valid names, unless ``name`` is one of :data:`MODELS`."""
    if name not in MODELS:
        raise InputError(f"there is no model '{name}': expected {', '.join(MODELS)}")


def _parse_member(text: str) -> Member:
    model, colon, features = text.partition(":")
    if not colon:
        raise InputError(
            f"'{text}' is not a model: expected MODEL:FEATURES, such as mlp:rich, or several joined by '+'"
        )
    return Member(model.strip(), features.strip())
