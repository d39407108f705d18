"""Every command on next to nothing: each algorithm, one user, one item, one rating of each."""

import pytest

DATA = {
    "one rating": "1,1,5\n",
    "one user": "1,1,5\n1,2,3\n1,3,1\n",
    "one item": "1,1,5\n2,1,3\n3,1,1\n",
    "nothing shared": "1,1,5\n2,2,3\n",
    "a square": "1,1,5\n1,2,3\n2,1,4\n2,2,1\n",
}
MODEL = ("--model", "m.funksvd")
ON_THE_MODEL = [
    ("info", "m.funksvd"),
    ("evaluate", "m.funksvd"),
    ("evaluate", "m.funksvd", "r.csv", "--ranking"),
    ("compare", "m.funksvd", "m.funksvd", "other.csv"),
    ("predict", "--user", 1, "--item", 1, *MODEL),
    ("predict", "r.csv", *MODEL),
    ("recommend", "--all-users", *MODEL),
    ("recommend", "--user", 1, "--explain", *MODEL),
    ("recommend", "--rate", "1=4", *MODEL),
    ("similar", 1, *MODEL),
    ("similar", "--user", 1, *MODEL),
    ("export", "m.funksvd", "-o", "factors.txt"),
    ("update", "m.funksvd", "r.csv"),
    ("update", "m.funksvd", "other.csv", "-o", "u.funksvd"),
]
ON_THE_RATINGS = [
    ("cross-validate", "r.csv", "--folds", 2),
    ("cross-validate", "r.csv", "--split", "leave-last-out", "--ranking"),
]


@pytest.mark.parametrize("rows", DATA.values(), ids=DATA)
def test_every_command_does_it_or_says_why_not(cli, tmp_path, monkeypatch, rows):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.csv").write_text(f"user,item,rating\n{rows}")
    (tmp_path / "other.csv").write_text("user,item,rating\n1,1,4\n8,9,2\n")
    short = ("-k", 2, "--n-epochs", 2)
    n_trained = 0
    for algorithm in ("sgd", "svd++", "bayes", "bayes++", "incremental"):
        how = ("--algorithm", algorithm, *short)
        whole = ("--test-fraction", 0, "--valid-fraction", 0)
        commands = [("train", "r.csv", *how, *whole, "-o", "m.funksvd")]
        if cli(*commands[0]).code == 0:
            n_trained += 1
            commands += ON_THE_MODEL
        commands += [(*command, *how) for command in ON_THE_RATINGS]
        for command in commands:
            result = cli(*command)  # an exception of another kind than the program's fails the test
            assert (result.code == 2) == (result.err.count("Error: ") == 1), (command, result)
            assert result.code in (0, 2), (command, result)
            assert "nan" not in result.out.split(), (command, result)
    assert n_trained == (0 if rows == DATA["one rating"] else 5)
    assert cli("report", *MODEL[1:], "-o", "r.html").code == (0 if n_trained else 2)
    assert cli("tune", "r.csv", "--trials", 1).code == 2
