"""Files of features of users and of items: the options that name them, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .console import Output, counted
from .groups import option, packed
from .models import keep_ratings_of, load, model_option
from .options import FILE, threads_option

if TYPE_CHECKING:
    from funksvd import FunkSVD
    from funksvd.ratings import Encoding

FEATURES = "Features"
"""Heading of these options."""


class FeatureFiles(NamedTuple):
    """Files of what is known of users and items besides ratings.

    Parameters
    ----------
    user_features, item_features : str or None
    """

    user_features: str | None = None
    item_features: str | None = None

    @property
    def files(self) -> list[str]:
        """Those that were given."""
        return [path for path in self if path is not None]

    def read(self, output: Output) -> dict[str, Any]:
        """Read them; they are keyword arguments of `FunkSVD.fit` then."""
        from funksvd.ratings import read_features

        with output.busy("Reading"):
            return {
                f"{what}_features": read_features(path, what)
                for what, path in zip(("user", "item"), self, strict=True)
                if path is not None
            }

    def add_to(self, output: Output, model: FunkSVD) -> FunkSVD:
        """A model that also knows the users and items of the files; and say how many."""
        if not self.files:
            return model
        known = model.with_features(**self.read(output))
        for what in ("user", "item"):
            before, after = model.fitted.vocabulary(what), known.fitted.vocabulary(what)
            if n_new := len(after) - len(before):
                output.note(f"{counted(n_new, what)} known by features alone")
        return known


NO_FILES = FeatureFiles()


def tell_features(output: Output, model: FunkSVD) -> None:
    """Say what columns became features, and how many users and items have no ratings."""
    for what, known in model.fitted.features.items():
        output.note(describe_encoding(known.encoding))
        for name, why in known.encoding.left_out.items():
            output.note(f"  {name}: {why}")
        if len(known.alone):
            output.note(f"  {counted(len(known.alone), what)} without ratings, known by features")


def describe_encoding(encoding: Encoding) -> str:
    """The features and how many columns they are, in a line."""
    nouns = {"category": "level", "value": "level", "list": "value", "number": "band"}
    parts = []
    for feature in encoding.features:
        noun = nouns.get(feature.kind, "band")
        count = "yes or no" if feature.kind == "flag" else counted(len(feature.means), noun)
        parts.append(f"{feature.name} ({count})")
    return f"Features of {encoding.what}s: {', '.join(parts)}"


def show_features(output: Output, model: FunkSVD) -> None:
    """Print what each feature is worth, a table of the users' and one of the items'."""
    predicts = model.fitted.rating is not None
    for what, facts in model.fitted.feature_facts.items():
        known = model.fitted.features[what]
        rows = []
        for each in facts:
            effects = [f"{label} {effect:+.2f}" for label, effect in each.strongest()]
            shares = [f"{each.worth.bias_share:.1%}"] if predicts else []
            shares.append(f"{each.worth.taste_share:.1%}")
            worth = f"{each.worth.total:.3f}"
            rows.append([each.name, f"{each.n_columns:,}", worth, *shares, "; ".join(effects)])
        of = ["of biases", "of tastes"] if predicts else ["of scores"]
        header = [f"{what} feature", "columns", "worth", *of, "strongest" if predicts else ""]
        output.note()
        output.table(header, rows, (header[0], header[-1]), header[-1])
        if len(known.alone):
            output.note(f"{counted(len(known.alone), what)} without ratings, known by features")
    if model.fitted.features:
        output.note(
            "worth: standard deviation of what a feature adds to predictions, over the ratings "
            "learned from"
        )


training_features = packed(
    "features",
    FeatureFiles,
    option(
        "--user-features",
        metavar="FILE",
        type=FILE,
        group=FEATURES,
        help="What is known of users: a column of their ids, and columns of categories, numbers, "
        "dates or lists.",
    ),
    option(
        "--item-features",
        metavar="FILE",
        type=FILE,
        group=FEATURES,
        help="What is known of items; of movies.csv, genres and the years of titles.",
    ),
)
"""`--user-features` and `--item-features` of commands that train, as `features: FeatureFiles`."""
LATER = (
    option(
        "--user-features",
        metavar="FILE",
        type=FILE,
        group=FEATURES,
        help="Users the model has not seen, with the features that it was trained with.",
    ),
    option(
        "--item-features",
        metavar="FILE",
        type=FILE,
        group=FEATURES,
        help="Items the model has not seen, with the features that it was trained with.",
    ),
)
later_features = packed("features", FeatureFiles, *LATER)
"""The same of commands that ask a model."""


class AskedModel(NamedTuple):
    """A model file that is asked, and users and items that it knows besides.

    Parameters
    ----------
    model_path : str
    threads : int or None
    user_features, item_features : str or None
    """

    model_path: str
    threads: int | None
    user_features: str | None
    item_features: str | None

    @property
    def files(self) -> list[str]:
        """All files that are named."""
        return [self.model_path, *FeatureFiles(self.user_features, self.item_features).files]

    def load(self, output: Output, result: str | None) -> FunkSVD:
        """Load it, unless the result would be written over the ratings that it was trained on."""
        model = load(output, self.model_path, self.threads)
        keep_ratings_of(model, result)
        return FeatureFiles(self.user_features, self.item_features).add_to(output, model)


asked_model = packed("model_file", AskedModel, model_option, threads_option, *LATER)
"""`--model`, `--threads` and the options of features, as `model_file: AskedModel`."""
