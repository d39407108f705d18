"""The HTTP side: what is answered, refused, limited, counted and replaced."""

import json
import threading
import time

import pytest

from funksvd import FunkSVD, FunkSVDError
from funksvd.listing import Filters
from funksvd.serving import ModelHolder, Service, create_app

testclient = pytest.importorskip("fastapi.testclient")


@pytest.fixture
def holder(model, titles, attributes):
    return ModelHolder(lambda: Service(model, titles, attributes), [], every=0)


@pytest.fixture
def client(holder):
    with testclient.TestClient(create_app(holder)) as client:
        yield client


def guest(**changed):
    return {"ratings": [{"item": 1, "rating": 4.0}, {"item": "3", "rating": 2}], **changed}


def test_each_route_answers(client, holder, model):
    user = int(model.user_ids[0])
    service = holder.service
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/items", params={"search": "alien"}).json() == service.find_items(
        "alien", 20
    )
    assert client.get("/similar", params={"item": 3, "n": 2}).json() == service.similar(3, 2)
    assert client.get("/recommend", params={"user": user}).json() == service.recommend(user, 10)
    filters = {"by": "rating", "exclude": [1, "2"], "min_ratings": 3, "diversify": 0.5}
    assert client.get("/recommend", params={"user": user, **filters}).json() == service.recommend(
        user, 10, "rating", Filters(False, ["1", "2"], None, 3, 0.5)
    )
    assert client.get("/recommend", params={"user": user, "among": [3, 4]}).json() == (
        service.recommend(user, 10, None, Filters(among=["3", "4"]))
    )
    others = model.user_ids[:3].tolist()
    assert client.get("/recommend", params={"user": others, "n": 2}).json() == (
        service.recommend_all(others, 2)
    )
    where = {"where": ["genre=comedy", "year>1995"]}
    assert client.get("/recommend", params={"user": user, **where}).json() == (
        service.recommend(user, 10, None, Filters(among=[5]))
    )
    answer = client.post("/fold-in", json=guest(**where)).json()
    assert answer == service.fold_in({"1": 4.0, "3": 2.0}, 10, None, Filters(among=[5]))
    assert client.get("/similar", params={"user": user}).json() == service.similar_users(user, 10)
    predicted = client.get("/predict", params={"user": user, "item": 3}).json()
    assert predicted == service.predict(user, 3)
    timed = client.get("/predict", params={"user": user, "item": 3, "time": "2005-09-06"}).json()
    assert timed == predicted
    asked = {"user": user, "item": 3, "at_least": 4}
    assert client.get("/predict", params=asked).json() == service.predict(user, 3, at_least=4)
    refused = client.get("/predict", params=asked | {"at_least": 99})
    assert refused.status_code == 422
    assert "must be a rating of the model's scale" in refused.text
    assert client.post("/fold-in", json=guest(n=3)).json() == service.fold_in(
        {"1": 4.0, "3": 2.0}, 3
    )
    asked = client.post("/fold-in", json=guest(among=[4, "5"], explain=True, **filters))
    assert asked.json() == service.fold_in(
        {"1": 4.0, "3": 2.0}, 10, "rating", Filters(False, [1, "2"], [4, "5"], 3, 0.5), explain=True
    )
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for name in ("app.js", "style.css", "icon.svg"):
        assert f"/page/{name}" in page.text
        assert client.get(f"/page/{name}").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/recommend", "/predict", "/similar", "/fold-in", "/items", "/healthz", "/metrics"} == (
        paths.keys()
    )


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (guest(ratings=[]), 422, "at least 1 item"),
        (guest(ratings=[{"item": 1, "rating": 2}] * 1001), 422, "at most 1000 items"),
        (guest(ratings=[{"item": 1, "rating": 77}]), 422, "ratings go from"),
        (guest(ratings=[{"item": 1, "rating": "much"}]), 422, "valid number"),
        (guest(ratings=[{"item": "x" * 201, "rating": 2}]), 422, "at most 200 characters"),
        (guest(ratings=[{"item": 999, "rating": 2}]), 404, "knows none of these items"),
        (guest(n=0), 422, "greater than or equal to 1"),
        (guest(n=101), 422, "less than or equal to 100"),
        (guest(by="popularity"), 422, "'both', 'choice' or 'rating'"),
        (guest(exclude="1"), 422, "valid list"),
        (guest(exclude=[1] * 1001), 422, "at most 1000 items"),
        (guest(among=[[1]]), 422, "valid integer"),
        (guest(min_ratings=-1), 422, "greater than or equal to 0"),
        (guest(diversify=1), 422, "less than 1"),
        (guest(ratings=[{"item": 1}]), 422, "a rating is missing"),
        (guest(n=2.0), 422, "valid integer"),
        (guest(n="2"), 422, "valid integer"),
        (guest(explain=1), 422, "valid boolean"),
        (guest(where="genre=Comedy"), 422, "valid list"),
        (guest(where=["genre=Comedy"] * 21), 422, "at most 20 items"),
        (guest(where=["genre=Polka"]), 422, "no item has 'Polka' in the column genre"),
        (guest(where=["comedy"]), 422, "is no condition such as genre=Comedy"),
        (guest(extra=1), 422, "Extra inputs are not permitted"),
        *((guest(ratings=[{"item": 1, "rating": x}]), 422, "valid number") for x in (True, "5")),
        (guest(ratings=[{"item": 1, "rating": 10**400}]), 422, "valid number"),
        (guest(ratings=[{"item": 1, "rating": 1e300}]), 422, "ratings go from"),
        *(
            (guest(ratings=[{"item": x, "rating": 2}]), 422, "integer")
            for x in (True, 1.0, None, [])
        ),
        (guest(ratings=[{"item": 2**63, "rating": 2}]), 422, "less than 9223372036854775808"),
        (guest(ratings=[{"item": "", "rating": 2}]), 422, "at least 1 character"),
        ([], 422, "valid dictionary"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(client, body, status, message):
    answer = client.post("/fold-in", json=body)
    assert answer.status_code == status
    assert message in json.dumps(answer.json())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"ratings": [{"item": 1, "rating": NaN}]}', "finite number"),
        ('{"ratings": [{"item": 1, "rating": -1e999}]}', "finite number"),
        ('{"ratings": [{"item": 1, "rating": 2}], "n": Infinity}', "valid integer"),
        (r'{"ratings": [{"item": "\ud800", "rating": 2}]}', "unicode"),
        (r'{"ratings": [{"item": 1, "rating": 2}], "\ud800": 1}', "unicode"),
    ],
)
def test_what_json_can_say_but_no_answer_can_repeat(client, text, message):
    headers = {"Content-Type": "application/json"}
    answer = client.post("/fold-in", content=text, headers=headers)
    assert answer.status_code == 422
    assert message in json.dumps(answer.json())


@pytest.mark.parametrize("status", [200, 422], ids=["right", "wrong"])
def test_json_that_is_deep_or_no_text(client, status):
    deep = {200: b" " * 100_000 + json.dumps(guest()).encode(), 422: b"[" * 100_000}[status]
    headers = {"Content-Type": "application/json"}
    answer = client.post("/fold-in", content=deep, headers=headers)
    assert answer.status_code in (status, 400)
    assert client.post("/fold-in", content=b"\xff\xfe\xfa", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"ratings": [{"item": "x" * 5000, "rating": 2}]},
        {"x" * 5000: 1},
        {"ratings": [{}] * 1000},
        {f"x{n}": 1 for n in range(9999)},
    ],
    ids=["value", "name", "ratings", "names"],
)
def test_what_is_refused_is_not_sent_back(client, changed):
    answer = client.post("/fold-in", json=guest(**changed))
    assert answer.status_code == 422
    assert len(answer.content) < 3000


def test_of_two_ratings_of_an_item_the_last_counts(client):
    twice = [{"item": 1, "rating": 1.0}, {"item": "1", "rating": 4.0}]
    once = client.post("/fold-in", json=guest(ratings=twice[1:]))
    assert client.post("/fold-in", json=guest(ratings=twice)).json() == once.json()


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        ("user=1&N=5", "N", "There is no such parameter"),
        ("user=1&n=1&n=2", "n", "Give it once"),
        ("user=1&exclude=1&exclude=2&by=rating&by=rating", "by", "Give it once"),
        ("user=1&" + "&".join(f"n{n}" for n in range(2000)), "n0", "There is no such parameter"),
    ],
    ids=["unknown", "twice", "repeated", "many"],
)
def test_parameters_that_nobody_reads_are_refused(client, query, name, message):
    answer = client.get(f"/recommend?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0] == {
        "type": "unexpected", "loc": ["query", name], "msg": message
    }  # fmt: skip
    assert len(answer.content) < 3000
    assert client.get("/?utm_source=mail").status_code == 200


def test_head_is_answered_as_get(served, holder, model):
    import httpx

    address = served(create_app(holder))
    user = model.user_ids[0]
    for path in ("/", "/healthz", f"/recommend?user={user}", "/page/app.js", "/openapi.json", "/x"):
        get, head = httpx.get(address + path), httpx.head(address + path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-length"] == get.headers["content-length"]
    assert httpx.head(f"{address}/fold-in").status_code == 405


def test_strangers_get_404(client):
    for path in ("/recommend?user=nobody", "/similar?item=nothing", "/similar?user=nobody"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "the model does not know" in answer.json()["detail"]


def test_nobody_waits_for_a_long_search(holder, served, monkeypatch):
    import httpx

    others_are_answered = threading.Event()

    def search(text, n):
        assert others_are_answered.wait(10)
        return []

    monkeypatch.setattr(holder.service, "find_items", search)
    address = served(create_app(holder))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(httpx.get(f"{address}/items")))
    thread.start()
    assert httpx.get(f"{address}/healthz").status_code == 200
    others_are_answered.set()
    thread.join()
    assert answers[0].status_code == 200


def test_large_bodies_are_refused_before_they_are_read(client):
    def chunks():
        for _ in range(30):
            yield b" " * 10_000

    answer = client.post("/fold-in", content=chunks())
    assert answer.status_code == 413
    assert "more than 262,144 bytes" in answer.json()["detail"]
    assert client.post("/fold-in", json=guest()).status_code == 200


def test_other_names_of_this_machine_are_refused(holder):
    with testclient.TestClient(create_app(holder, ["localhost"])) as client:
        assert client.get("/healthz", headers={"host": "localhost:8000"}).status_code == 200
        assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400


def test_headers_keep_strangers_scripts_out(client):
    headers = client.get("/").headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert headers["x-content-type-options"] == "nosniff"


def test_metrics_count_by_route_and_status(client):
    client.post("/fold-in", json=guest())
    client.get("/recommend?user=nobody")
    client.get("/nowhere/at/all")
    text = client.get("/metrics").text
    assert 'funksvd_requests_total{route="/fold-in",status="200"} 1.0' in text
    assert 'funksvd_requests_total{route="/recommend",status="404"} 1.0' in text
    assert 'route="other",status="404"' in text
    assert 'funksvd_request_seconds_count{route="/fold-in"} 1.0' in text


class TestReload:
    """A new file or folder takes over; a broken one does not."""

    @pytest.fixture
    def path(self, model, tmp_path):
        model.save(tmp_path / "m")
        return tmp_path / "m"

    @pytest.fixture
    def folder(self, model, path):
        model.save(path, as_folder=True)
        return path

    @pytest.fixture
    def watching(self, path):
        return ModelHolder(lambda: Service(FunkSVD.load(path)), [str(path)], every=0)

    def test_only_a_changed_file_is_loaded(self, watching, path, model):
        before = watching.service
        assert watching.refresh() is False
        assert watching.service is before
        other = FunkSVD(n_factors=2, n_epochs=1, validation_fraction=0)
        other.fit(np_ratings()).save(path)
        assert watching.refresh() is True
        assert watching.service.describe()["n_items"] == 3
        assert watching.n_reloads == 1

    def test_a_broken_file_leaves_the_old_model(self, watching, path):
        before = watching.service
        path.write_bytes(b"no model")
        assert watching.refresh() is False
        assert watching.service is before
        with testclient.TestClient(create_app(watching)) as client:
            health = client.get("/healthz")
            assert health.status_code == 200
            assert health.json()["status"] == "stale"
            assert "not a model file" in health.json()["problem"]
            assert "funksvd_model_load_failures 1.0" in client.get("/metrics").text

    def test_only_a_changed_folder_is_loaded(self, folder, watching):
        assert watching.refresh() is False
        other = FunkSVD(n_factors=2, n_epochs=1, validation_fraction=0).fit(np_ratings())
        for as_folder in (True, False, True):
            other.save(folder, as_folder=as_folder)
            assert watching.refresh() is True
            assert watching.service.describe()["n_items"] == 3
            assert watching.refresh() is False
        assert (watching.n_reloads, watching.n_failures) == (3, 0)

    def test_a_broken_folder_leaves_the_old_model_until_it_is_whole(self, folder, watching):
        before = watching.service
        biases = folder / "rating.user_biases.bin"
        whole = biases.read_bytes()
        for damage in (lambda: biases.write_bytes(bytes(len(whole))), biases.unlink):
            damage()
            assert watching.refresh() is False
            assert watching.service is before
            assert "damaged or was altered" in watching.problem
            biases.write_bytes(whole)
            assert watching.refresh() is True
            before = watching.service

    def test_a_service_that_stays_stale_is_unhealthy(self, watching, path, monkeypatch):
        content = path.read_bytes()
        with testclient.TestClient(create_app(watching)) as client:
            path.write_bytes(b"no model")
            assert watching.refresh() is False
            assert client.get("/healthz").status_code == 200
            monkeypatch.setattr("funksvd.serving.app.STALE_SECONDS", 0.0)
            assert client.get("/healthz").status_code == 503
            path.write_bytes(content)
            assert watching.refresh() is True
            assert client.get("/healthz").status_code == 200

    def test_files_that_have_not_changed_are_tried_again_later(self, watching, path, monkeypatch):
        load, watching._load = watching._load, lambda: 1 / 0
        path.touch()
        assert watching.refresh() is False
        watching._load = load
        assert watching.refresh() is False  # not at once
        monkeypatch.setattr("funksvd.serving.holder.RETRY_SECONDS", 0.0)
        assert watching.refresh() is True
        assert watching.refresh() is False
        assert watching.problem is None

    @pytest.mark.parametrize("error", [MemoryError, ValueError, SystemExit, KeyboardInterrupt])
    def test_watching_goes_on_whatever_happens(self, model, path, error):
        failing = threading.Event()

        def load():
            if failing.is_set():
                raise error("made up")
            return Service(model)

        holder = ModelHolder(load, [str(path)], every=0.01)
        holder.start()
        try:
            failing.set()
            path.write_bytes(b"one")
            while holder.problem is None:
                time.sleep(0.01)
            assert holder.problem == f"{path} could not be loaded: {error.__name__} made up"
            failing.clear()
            path.write_bytes(b"another")
            while holder.problem is not None:
                time.sleep(0.01)
            assert (holder.n_failures, holder.n_reloads) == (1, 1)
        finally:
            holder.stop()

    def test_no_request_is_lost_meanwhile(self, path, served):
        import httpx

        holder = ModelHolder(lambda: Service(FunkSVD.load(path)), [str(path)], every=0.01)
        address = served(create_app(holder))
        done = threading.Event()
        statuses = []

        def ask():
            with httpx.Client(base_url=address) as client:
                while not done.is_set() or len(statuses) < 20:
                    statuses.append(client.post("/fold-in", json=guest()).status_code)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            model = FunkSVD.load(path)
            for _ in range(3):
                before = holder.n_reloads
                model.save(path)
                while holder.n_reloads == before:
                    pass
        finally:
            done.set()
            thread.join()
        assert set(statuses) == {200}


def np_ratings():
    from funksvd import Ratings

    return Ratings.from_arrays([1, 1, 2, 2], [1, 2, 2, 3], [1.0, 2.0, 3.0, 4.0])


def test_what_cannot_be_loaded_at_first_is_an_error(tmp_path):
    with pytest.raises(FunkSVDError, match="there is no such model file"):
        ModelHolder(lambda: Service(FunkSVD.load(tmp_path / "none")), [str(tmp_path / "none")])


def test_predictions_for_a_time(model, with_days):
    user, other = (model.user_ids[at].item() for at in (0, 1))
    on_days = with_days(model, {(user, 13_032): 0.75})
    holder = ModelHolder(lambda: Service(on_days), [], every=0)
    with testclient.TestClient(create_app(holder)) as client:

        def prediction(user, **given):
            params = {"user": user, "item": 3, **given}
            return client.get("/predict", params=params).json()["prediction"]

        plain = prediction(user)
        for time_ in ("2005-09-06", "2005-09-06T23:59:59Z", 1_126_000_000, 1_126_000_000_000):
            assert prediction(user, time=time_) == pytest.approx(plain + 0.75, abs=2e-4)
        for time_ in ("2005-09-07", "2005-09-06T23:59:59-03:00", 0, 1_126_100_000):
            assert prediction(user, time=time_) == plain
        assert prediction(other, time="2005-09-06") == prediction(other)
        for time_ in ("yesterday", "-5", "1.5", "2005-13-01", "", "13032"):
            answer = client.get("/predict", params={"user": user, "item": 3, "time": time_})
            assert answer.status_code == 422, time_
