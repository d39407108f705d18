"""What the OpenAPI description promises is kept, for made-up requests within it and beyond it.

`scripts/fuzz_serving.py` does the same for as long as is asked for, with a real server.
"""

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from funksvd import FunkSVD, Ratings
from funksvd.serving import ModelHolder, Service, create_app


@pytest.fixture(scope="module")
def described():
    model = FunkSVD(n_factors=2, n_epochs=1, validation_fraction=0)
    model.fit(Ratings.from_arrays([1, 1, 2, 2, 3], [0, 1, 1, 2, 0], [1.0, 2.0, 3.0, 4.0, 5.0]))
    holder = ModelHolder(lambda: Service(model, {0: "A title"}), [], every=0)
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(holder))


@pytest.mark.parametrize(
    ("path", "method", "modes"),
    [
        ("/healthz", "GET", ["positive"]),
        ("/metrics", "GET", ["positive"]),
        ("/items", "GET", ["positive", "negative"]),
        ("/similar", "GET", ["positive", "negative"]),
        ("/predict", "GET", ["positive", "negative"]),
        ("/recommend", "GET", ["positive", "negative"]),
        ("/fold-in", "POST", ["positive", "negative"]),
    ],
)
def test_the_description_is_true(described, path, method, modes):
    operation = described[path][method]
    cases = [
        operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)) for mode in modes
    ]
    # Either a user or an item, ratings on the model's scale, its rankings: no schema can say this.
    is_beyond = path in ("/similar", "/fold-in", "/predict", "/recommend")
    beyond = [positive_data_acceptance] if is_beyond else []

    @hypothesis.given(case=hypothesis.strategies.one_of(cases))
    @hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
    def check(case):
        case.call_and_validate(excluded_checks=beyond)

    check()


def test_all_that_is_described_is_tested(described):
    (marked,) = test_the_description_is_true.pytestmark
    assert {(path, method) for path, method, _ in marked.args[1]} == {
        (each.ok().path, each.ok().method.upper()) for each in described.get_all_operations()
    }
