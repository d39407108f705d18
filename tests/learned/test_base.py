"""What follows from how a family declares its arrays: rows, growth, means and files."""

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from funksvd.learned import Axis, Draws, Learned, LearnedRatings
from funksvd.learned.base import OF_DRAWS, array, number, optional, side_by_side
from funksvd.learned.draws import whole_numbers


@dataclass(frozen=True, eq=False)
class Toy(Learned):
    """The least that there can be."""

    kind: ClassVar[str] = "toy"

    level: float = number()
    tastes: np.ndarray = array(Axis.USER, Axis.FACTOR)
    features: np.ndarray = array(Axis.ITEM, Axis.FACTOR)


@dataclass(frozen=True, eq=False)
class WithYears(Toy):
    """The same family, which learns one array more: this field is all that it takes."""

    kind: ClassVar[str] = "toy with years"

    years: np.ndarray | None = optional(Axis.ITEM, tensor="items.years")


def random_model(family, shape, n_factors=4, n_draws=None, seed=0):
    """A model of a family; without draws, those arrays are left out."""
    random = np.random.default_rng(seed)
    of_draws = (n_draws, n_factors + 1)
    lengths = (*shape, n_factors, *of_draws, 2, 3, 0)
    sizes = dict(zip(Axis, lengths, strict=True))
    values = {}
    for name, declared in family.declared().items():
        if OF_DRAWS & set(declared.axes) and n_draws is None:
            continue
        drawn = random.normal(size=[sizes[axis] for axis in declared.axes]).astype(declared.dtype)
        values[name] = drawn if declared.axes else float(drawn)
    return family(**values)


def assert_same(comp, ref):
    assert type(comp) is type(ref)
    assert comp.arrays().keys() == ref.arrays().keys()
    for name, ref_array in ref.arrays().items():
        comp_array = comp.arrays()[name]
        assert np.asarray(comp_array).dtype == np.asarray(ref_array).dtype
        assert np.shape(comp_array) == np.shape(ref_array)
        np.testing.assert_array_equal(comp_array, ref_array, err_msg=name)


def predictions(learned):
    """Of every pair, one at a time."""
    mu, b_u, b_i, p, q = (np.asarray(each, float).tolist() for each in learned.parameters)
    return np.array(
        [
            [naive.predict(mu, b_u[u], b_i[i], p[u], q[i]) for i in range(len(q))]
            for u in range(len(p))
        ]
    )


FAMILIES = [Toy, WithYears, LearnedRatings]


@pytest.fixture(params=FAMILIES, ids=lambda family: family.__name__)
def family(request):
    return request.param


def test_every_field_is_declared(family):
    assert list(family.declared()) == [field.name for field in fields(family)]


def test_what_a_model_is_without_is_none_of_its_arrays():
    toy = random_model(WithYears, (3, 4))
    assert list(toy.arrays()) == ["level", "tastes", "features", "years"]
    without = replace(toy, years=None)
    assert list(without.arrays()) == ["level", "tastes", "features"]
    assert "items.years" not in without.tensors()


def test_rows_are_taken_in_the_order_asked_for(family):
    model = random_model(family, (5, 7), n_draws=2)
    users, items = np.array([4, 0, 0]), np.array([6, 2])
    comp = model.rows(users, items)
    for name, declared in family.declared().items():
        ref = getattr(model, name)
        rows = {Axis.USER: [4, 0, 0], Axis.ITEM: [6, 2]}.get((*declared.axes, None)[0])
        if rows is not None:
            ref = np.stack([ref[row] for row in rows])
        np.testing.assert_array_equal(getattr(comp, name), ref, err_msg=name)


def test_a_model_spread_out_has_zeros_where_nothing_was(family):
    model = random_model(family, (3, 2), n_draws=2)
    users, items = np.array([5, 0, 2]), np.array([1, 3])
    comp = model.spread_out(users, items, (6, 4))
    assert_same(comp.rows(users, items), model)
    new_users, new_items = np.array([1, 3, 4]), np.array([0, 2])
    for name, values in comp.rows(new_users, new_items).arrays().items():
        axes = family.declared()[name].axes
        if axes[:1] in [(Axis.USER,), (Axis.ITEM,)]:
            assert not values.any(), name
            assert len(getattr(comp, name)) == {Axis.USER: 6, Axis.ITEM: 4}[axes[0]]
            assert getattr(comp, name).dtype == getattr(model, name).dtype
    assert_same(model, random_model(family, (3, 2), n_draws=2))  # untouched


@pytest.mark.parametrize("n_members", [1, 2, 3, 7])
@pytest.mark.parametrize("n_draws", [None, 2])
def test_predictions_of_the_mean_are_the_mean_of_the_predictions(n_members, n_draws):
    members = [random_model(LearnedRatings, (5, 6), 3, n_draws, seed) for seed in range(n_members)]
    mean = LearnedRatings.mean(members)
    ref = np.mean([predictions(member) for member in members], axis=0)
    np.testing.assert_allclose(predictions(mean), ref, rtol=1e-5, atol=1e-6)
    assert all(array.dtype == np.float32 for array in mean.parameters[1:])
    if n_draws:
        ref_means = np.concatenate([member.draw_means for member in members])
        np.testing.assert_array_equal(mean.draws.global_means, ref_means)
        ref_biases = np.concatenate([member.draw_user_biases for member in members], axis=1)
        np.testing.assert_array_equal(mean.draws.user_biases, ref_biases)
        assert mean.draws.item_biases.shape == (6, n_members * n_draws)


def test_the_mean_of_a_new_array_is_its_mean():
    members = [random_model(WithYears, (3, 4), seed=seed) for seed in range(3)]
    comp = WithYears.mean(members)
    np.testing.assert_allclose(comp.years, sum(m.years for m in members) / 3, rtol=1e-6)
    assert comp.level == pytest.approx(sum(m.level for m in members) / 3)
    assert comp.tastes.shape == (3, 12)


def test_a_mean_is_without_what_a_member_is_without():
    members = [random_model(LearnedRatings, (3, 4), seed=seed) for seed in range(2)]
    members[1] = replace(members[1], implicit_factors=None)
    assert LearnedRatings.mean(members).implicit_factors is None


@pytest.mark.parametrize("n_members", [1, 2, 3])
def test_members_have_their_own_factors_again(family, n_members):
    members = [random_model(family, (5, 6), 3, seed=seed) for seed in range(n_members)]
    found = family.mean(members).members(n_members)
    assert len(found) == n_members
    for comp, ref in zip(found, members, strict=True):
        for name, values in comp.arrays().items():
            if Axis.FACTOR in family.declared()[name].axes:
                np.testing.assert_allclose(values, getattr(ref, name), rtol=1e-6)
            else:
                np.testing.assert_array_equal(values, getattr(family.mean(members), name))


def test_members_are_without_draws():
    both = LearnedRatings.mean([random_model(LearnedRatings, (3, 4), 2, 3, s) for s in (0, 1)])
    assert all(member.draws is None for member in both.members(2))
    assert both.members(2)[1].user_factors.shape == (3, 2)


def test_side_by_side_products_are_means_of_products():
    random = np.random.default_rng(0)
    p, q = ([random.normal(size=(n, 2)).astype("f4") for _ in range(3)] for n in (4, 5))
    comp = side_by_side(p) @ side_by_side(q).T
    np.testing.assert_allclose(
        comp, sum(a @ b.T for a, b in zip(p, q, strict=True)) / 3, rtol=1e-5, atol=1e-6
    )
    assert side_by_side(p[:1]) is p[0]


def test_draws_are_known_beside_their_mean():
    """And those of earlier programs, whose factors are the model's, side by side."""
    models = [random_model(LearnedRatings, (3, 4), 2, seed=seed) for seed in range(3)]
    mean = LearnedRatings.mean(models)
    assert mean.draws is None
    numbers = [
        [whole_numbers(factors) for factors in (model.user_factors, model.item_factors)]
        for model in models
    ]
    users, items = (np.stack([each[side][0] for each in numbers], axis=-1) for side in (0, 1))
    scales = np.stack([each[0][1] * each[1][1] for each in numbers], axis=-1)
    biases = (
        np.column_stack([model.user_biases for model in models]),
        np.column_stack([model.item_biases for model in models]),
    )
    draws = Draws(np.array([model.global_mean for model in models]), *biases, users, items, scales)
    comp = mean.with_draws(draws)
    assert all(a is b for a, b in zip(draws, comp.draws, strict=True))
    assert (comp.n_draws, comp.n_factors_of_draw) == (3, 2)
    old = replace(comp, draw_user_factors=None, draw_item_factors=None, draw_scales=None)
    assert (old.n_draws, old.n_factors_of_draw) == (3, 2)
    for known in (old.draws, comp.draws):
        for at, model in enumerate(models):
            factors = known.scales[:, at] * known.user_factors[..., at].astype(float)
            found = known.global_means[at] + known.user_biases[:, at, None]
            found = found + known.item_biases[:, at] + factors @ known.item_factors[..., at].T
            np.testing.assert_allclose(found, predictions(model), rtol=0.01, atol=0.03)


# -- files -----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FAMILIES),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.integers(1, 4),
    st.none() | st.integers(2, 4),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_tensors_come_back_as_they_were(family, shape, n_factors, n_draws, seed, is_whole):
    model = random_model(family, shape, n_factors, n_draws, seed)
    if not is_whole:
        of_all = [name for name, d in family.declared().items() if not d.is_optional]
        model = family(**{name: getattr(model, name) for name in of_all})
    tensors = model.tensors()
    assert all(values.ndim >= 1 for values in tensors.values())
    assert_same(family.from_tensors(tensors, *shape), model)


def test_names_and_types_in_a_file():
    tensors = random_model(LearnedRatings, (3, 4), 4, 2).tensors()
    kinds = {name: (values.dtype.name, values.shape) for name, values in tensors.items()}
    assert kinds == {
        "global_mean": ("float64", (1,)),
        "user_biases": ("float32", (3,)),
        "item_biases": ("float32", (4,)),
        "user_factors": ("float32", (3, 4)),
        "item_factors": ("float32", (4, 4)),
        "implicit_factors": ("float32", (4, 4)),
        "draws.global_means": ("float64", (2,)),
        "draws.user_biases": ("float32", (3, 2)),
        "draws.item_biases": ("float32", (4, 2)),
        "draws.user_factors": ("int8", (3, 5, 2)),
        "draws.item_factors": ("int8", (4, 5, 2)),
        "draws.scales": ("float64", (5, 2)),
        "user_noise": ("float32", (3,)),
        "item_noise": ("float32", (4,)),
        "user_feature_biases": ("float32", (2,)),
        "user_feature_factors": ("float32", (2, 4)),
        "item_feature_biases": ("float32", (3,)),
        "item_feature_factors": ("float32", (3, 4)),
        "day_users": ("int32", (0,)),
        "day_numbers": ("int32", (0,)),
        "day_biases": ("float32", (0,)),
        "user_implicit_factors": ("float32", (3, 4)),
    }
    assert "items.years" in random_model(WithYears, (3, 4)).tensors()


def changed(name, change):
    """The tensors of a sound model, one of them changed or left out."""
    tensors = random_model(LearnedRatings, (3, 4), 4, 2).tensors()
    if change is None:
        del tensors[name]
    else:
        tensors[name] = change(tensors[name]) if callable(change) else change
    return tensors


def with_one(value):
    def change(values):
        values = values.copy()
        values.flat[-1] = value
        return values

    return change


def unaligned(values):
    raw = np.zeros(values.nbytes + 1, np.uint8)[1:]
    raw[:] = np.frombuffer(values.tobytes(), np.uint8)
    return raw.view(values.dtype).reshape(values.shape)


OF_EACH_DRAW = ("draws.global_means", "draws.user_biases", "draws.item_biases")
REFUSED = {
    "an unknown array": (
        changed("user_moods", np.zeros(3, np.float32)),
        "user_moods",
    ),
    "a field's name where the file has another": (
        changed("draw_means", np.zeros(2)),
        "draw_means",
    ),
    "another precision": (
        changed("user_factors", lambda a: a.astype(np.float64)),
        "user_factors is not an aligned array of float32",
    ),
    "a mean of single precision": (
        changed("global_mean", lambda a: a.astype(np.float32)),
        "global_mean is not an aligned array of float64",
    ),
    "integers": (
        changed("item_biases", lambda a: a.astype(np.int32)),
        "item_biases is not an aligned array of float32",
    ),
    "an array between two words": (
        changed("item_factors", unaligned),
        "item_factors is not an aligned array of float32",
    ),
    "a user too few": (
        changed("user_biases", lambda a: a[1:]),
        r"user_biases has the shape \(2,\), not \(3,\)",
    ),
    "an item too many": (
        changed("implicit_factors", lambda a: np.resize(a, (5, 4))),
        r"implicit_factors has the shape \(5, 4\), not \(4, 4\)",
    ),
    "fewer factors of items than of users": (
        changed("item_factors", lambda a: a[:, 1:].copy()),
        r"item_factors has the shape \(4, 3\), not \(4, 4\)",
    ),
    "factors in a row": (
        changed("user_factors", lambda a: a.reshape(-1)),
        r"user_factors has the shape \(12,\)",
    ),
    "two means": (
        changed("global_mean", lambda a: np.resize(a, 2)),
        r"global_mean has the shape \(2,\), not \(1,\)",
    ),
    "a mean that is no array": (
        changed("global_mean", lambda a: a.reshape(())),
        r"global_mean has the shape \(\), not \(1,\)",
    ),
    "not a number": (
        changed("item_factors", with_one(np.nan)),
        "item_factors holds values that are not finite",
    ),
    "an infinite number": (
        changed("draws.global_means", with_one(-np.inf)),
        "draws.global_means holds values that are not finite",
    ),
    "draws of too many users": (
        changed("draws.user_biases", lambda a: np.resize(a, (4, 2))),
        r"draws.user_biases has the shape \(4, 2\), not \(3, 2\)",
    ),
    "biases of more draws than means": (
        changed("draws.item_biases", lambda a: np.resize(a, (4, 3))),
        r"draws.item_biases has the shape \(4, 3\), not \(4, 2\)",
    ),
    **{
        f"draws without {name}": (
            changed(f"draws.{name}", None),
            f"draws.{name} is missing, where other arrays of draws are there",
        )
        for name in ("global_means", "user_biases", "item_biases")
    },
    **{
        f"draws with factors, but without {name}": (
            changed(f"draws.{name}", None),
            f"draws.{name} is missing, where other arrays of draws are there",
        )
        for name in ("user_factors", "item_factors", "scales")
    },
    "factors that are not those of the draws": (
        random_model(LearnedRatings, (3, 4), 4).tensors()
        | {
            name: values
            for name, values in random_model(LearnedRatings, (3, 4), 1, 3).tensors().items()
            if name in OF_EACH_DRAW
        },
        "4 factors are not those of 3 draws",
    ),
    "factors of draws without draws": (
        {
            name: values
            for name, values in random_model(LearnedRatings, (3, 4), 1, 3).tensors().items()
            if not (
                (name.startswith("draws.") and "biases" in name) or name == "draws.global_means"
            )
        },
        "factors of draws are there without draws",
    ),
    "a single draw": (
        random_model(LearnedRatings, (3, 4), 4, 1).tensors(),
        "4 factors are not those of 1 draw",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_file_may_not_hold(name):
    tensors, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        LearnedRatings.from_tensors(tensors, 3, 4)


@pytest.mark.parametrize(
    "name", ["global_mean", "user_biases", "item_biases", "user_factors", "item_factors"]
)
def test_what_a_file_may_not_be_without(name):
    with pytest.raises(KeyError, match=name):
        LearnedRatings.from_tensors(changed(name, None), 3, 4)


def test_no_draws_at_all_are_refused():
    none = random_model(LearnedRatings, (3, 4), 4).tensors() | {
        "draws.global_means": np.zeros(0),
        "draws.user_biases": np.zeros((3, 0), np.float32),
        "draws.item_biases": np.zeros((4, 0), np.float32),
    }
    with pytest.raises(ValueError, match="4 factors are not those of 0 draws"):
        LearnedRatings.from_tensors(none, 3, 4)
