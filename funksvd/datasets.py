"""Published data sets of ratings: a list of them, and a function that downloads one.

Archives are kept as they were published, and read as they are: nothing is unpacked.
"""

from __future__ import annotations

import difflib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from funksvd.atomic import replacing
from funksvd.errors import DownloadError, RatingsError, argument

FOLDER_VARIABLE = "FUNKSVD_DATA"
"""Environment variable that names the folder of downloaded archives."""
CHUNK_BYTES = 1 << 16
"""Bytes of an archive that are received and written at a time."""
TIMEOUTS = 10.0, 30.0
"""Longest time to wait for a connection, and between two parts of an answer; in seconds."""


@dataclass(frozen=True)
class Dataset:
    """A data set as it was published.

    Parameters
    ----------
    name : str
        Name by which it is asked for.
    title : str
        Name for people.
    ratings : str
        Number and kind of the ratings, in a line.
    size : str
        Size of the archive, for the person who waits for it; "" where it is not known.
    checksum : str
        "ALGORITHM:DIGEST" of the archive.
    urls : tuple of str
        Addresses of the archive, the publisher's first.
    terms : str
        Terms of use, in short.
    home : str
        Address of the publisher's page about it.
    features : tuple of str
        Of "user" and "item", those of which the archive has a table of features.
    """

    name: str
    title: str
    ratings: str
    size: str
    checksum: str
    urls: tuple[str, ...]
    terms: str
    home: str
    features: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the archive."""
        return self.urls[0].rsplit("/", 1)[-1]


class Fetched(NamedTuple):
    """An archive that is in its place, with the right checksum.

    Parameters
    ----------
    path : Path
    how : {"there", "downloaded", "copied"}
        Whether it was there before, or has been downloaded or copied.
    """

    path: Path
    how: str


class Progress(Protocol):
    """A progress bar, as pooch asks for it."""

    @property
    def total(self) -> float | None: ...
    @total.setter
    def total(self, n_bytes: int, /) -> None: ...
    def update(self, n_bytes: int, /) -> object: ...
    def reset(self) -> object: ...
    def close(self) -> object: ...


MOVIELENS_TERMS = (
    "for research; to be acknowledged in publications (Harper and Konstan 2015, "
    "doi:10.1145/2827872); no commercial use without permission; whether it may be passed on is "
    "said in the README in the archive"
)
JESTER_TERMS = (
    "for research, when acknowledged by citing Goldberg, Roeder, Gupta and Perkins, Eigentaste, "
    "Information Retrieval 4(2), 2001"
)


WITH_USERS = ("100k", "1m")
"""Sets of MovieLens that tell the users' age, gender, occupation and zip code."""


def _movielens(name: str, title: str, ratings: str, size: str, checksum: str) -> Dataset:
    return Dataset(
        f"ml-{name}",
        f"MovieLens {title}",
        ratings,
        size,
        checksum,
        (f"https://files.grouplens.org/datasets/movielens/ml-{name}.zip",),
        MOVIELENS_TERMS,
        f"https://grouplens.org/datasets/movielens/{name.removesuffix('-small')}/",
        ("user", "item") if name in WITH_USERS else ("item",),
    )


_ALL = (
    # SHA-256 as recorded by TensorFlow Datasets (tensorflow_datasets/url_checksums/movielens.txt),
    # or else MD5 as published by GroupLens beside the archive (ml-10m.zip.md5, ml-32m.zip.md5).
    _movielens(
        "100k",
        "100K",
        "100,000 ratings of films, 1 to 5 stars",
        "5 MB",
        "sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    ),
    _movielens(
        "1m",
        "1M",
        "1,000,209 ratings of films, 1 to 5 stars",
        "6 MB",
        "sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    ),
    _movielens(
        "10m",
        "10M",
        "10,000,054 ratings of films, 0.5 to 5 stars",
        "66 MB",
        "md5:ce571fd55effeba0271552578f2648bd",
    ),
    _movielens(
        "20m",
        "20M",
        "20,000,263 ratings of films, 0.5 to 5 stars",
        "199 MB",
        "sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
    ),
    _movielens(
        "25m",
        "25M",
        "25,000,095 ratings of films, 0.5 to 5 stars",
        "262 MB",
        "sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
    ),
    _movielens(
        "32m",
        "32M",
        "32,000,204 ratings of films, 0.5 to 5 stars",
        "239 MB",
        "md5:d472be332d4daa821edc399621853b57",
    ),
    # GroupLens may replace it by a newer one; this is the one of September 2018.
    _movielens(
        "latest-small",
        "latest-small",
        "100,836 ratings of films, 0.5 to 5 stars",
        "1 MB",
        "sha256:696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
    ),
    # Jester's dataset 2: the others are spreadsheets with a column for each joke. SHA-256 as
    # recorded by OmniRec (omnirec/data_loaders), which found it in the Internet Archive.
    Dataset(
        "jester",
        "Jester, dataset 2",
        "1.7 million ratings of jokes, from -10 to 10",
        "8 MB",
        "sha256:5c2b9fb8346fc132ac1be6a9264fef9a6d153da68f3201839ac25c19f9a59a09",
        (
            "https://eigentaste.berkeley.edu/dataset/archive/jester_dataset_2.zip",
            "https://web.archive.org/web/20250409222630id_/"
            "https://eigentaste.berkeley.edu/dataset/archive/jester_dataset_2.zip",
        ),
        JESTER_TERMS,
        "https://eigentaste.berkeley.edu/dataset/",
    ),
    # SHA-256 as recorded by Ludwig (ludwig/datasets/configs/goodbooks_books.yaml).
    Dataset(
        "goodbooks-10k",
        "goodbooks-10k",
        "5,976,479 ratings of books, 1 to 5 stars",
        "",
        "sha256:261b97b56db61f3fb2ce5aadbb13704d30179fcc986c17ace665a0af9ed00731",
        ("https://github.com/zygmuntz/goodbooks-10k/releases/download/v1.0/goodbooks-10k.zip",),
        "Creative Commons Attribution-ShareAlike 4.0 (CC BY-SA 4.0)",
        "https://github.com/zygmuntz/goodbooks-10k",
        ("item",),
    ),
)
DATASETS = {dataset.name: dataset for dataset in _ALL}
"""The data sets by name."""


def find(name: str) -> Dataset:
    """The data set of a name, in upper or lower case.

    Raises
    ------
    RatingsError
        If there is none; the message lists the names.
    """
    if name.lower() in DATASETS:
        return DATASETS[name.lower()]
    near = difflib.get_close_matches(name.lower(), DATASETS, n=1, cutoff=0.5)
    suggestion = f" Did you mean {near[0]}?" if near else ""
    raise RatingsError(
        f"there is no data set called {name!r}, only {', '.join(DATASETS)}.{suggestion}"
    )


def default_folder() -> Path:
    """The folder of downloaded archives: FUNKSVD_DATA, or else one in the user's cache folder."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("funksvd"))


def fetch(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    source: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Download a data set, unless it is there already.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.
    folder : path, optional
        Folder to keep it in; by default `default_folder()`. It is made if it is not there.
    source : path, optional
        The archive, downloaded by other means: it is checked and copied.
    progress : Progress, optional

    Returns
    -------
    Fetched

    Raises
    ------
    RatingsError
        If there is no such data set, or `source` is missing or not its archive.
    DownloadError
        If it cannot be downloaded or kept, or what was sent is not what was published; nothing
        is left behind.
    """
    dataset = find(name)
    kept = Path(folder or default_folder()).expanduser().absolute() / dataset.file_name
    try:
        if _is_right(kept, dataset):
            return Fetched(kept, "there")
        kept.parent.mkdir(parents=True, exist_ok=True)
        if source is not None:
            _copy(Path(source).expanduser(), kept, dataset)
            return Fetched(kept, "copied")
        _download(dataset, kept, progress)
        return Fetched(kept, "downloaded")
    except OSError as error:
        raise DownloadError(
            f"{kept}: {name} cannot be kept there ({error.strerror or error}). Name another folder "
            f"with {argument('folder')} or in the environment variable {FOLDER_VARIABLE}"
        ) from error


def _is_right(path: Path, dataset: Dataset) -> bool:
    return path.is_file() and _digest(path, dataset) == dataset.checksum


def _digest(path: Path, dataset: Dataset) -> str:
    import pooch

    algorithm = dataset.checksum.partition(":")[0]
    return f"{algorithm}:{pooch.file_hash(str(path), alg=algorithm)}"


def _copy(source: Path, kept: Path, dataset: Dataset) -> None:
    try:
        found = _digest(source, dataset)
    except OSError as error:
        raise RatingsError(f"{source} cannot be read: {error.strerror}") from error
    if found != dataset.checksum:
        raise RatingsError(
            f"{source} {_not_published(dataset, found)}. Download it again from {dataset.urls[0]}"
        )
    with replacing(kept) as temporary:
        shutil.copyfile(source, temporary)


def _download(dataset: Dataset, kept: Path, progress: Progress | None) -> None:
    """Download the archive from the first address that sends the one that was published."""
    import pooch
    import requests

    download = pooch.HTTPDownloader(
        progressbar=progress or False, chunk_size=CHUNK_BYTES, timeout=TIMEOUTS
    )
    failures = []
    for url in dataset.urls:
        host = urlsplit(url).netloc
        try:
            with replacing(kept) as temporary:
                download(url, str(temporary), None)
                found = _digest(temporary, dataset)
                if found != dataset.checksum:
                    raise _UnpublishedError(f"what {host} sent {_not_published(dataset, found)}")
            return
        except requests.RequestException as error:
            failures.append(_failure(host, error))
        except _UnpublishedError as error:
            failures.append(str(error))
    raise DownloadError(
        f"{dataset.name} cannot be downloaded: {'; '.join(failures)}. If a browser can, download "
        f"{dataset.urls[0]} with it, and fetch {dataset.name} again with {argument('source')} and "
        "the name of that file"
    )


class _UnpublishedError(Exception):
    """The error for an archive that is not the published one."""


def _not_published(dataset: Dataset, found: str) -> str:
    return (
        f"is not the archive of {dataset.name} that was published, or not all of it (its "
        f"{found.replace(':', ' is ')} instead of {dataset.checksum.partition(':')[2]})"
    )


def _failure(host: str, error: Exception) -> str:
    """The cause of a failed download, in fewer words than the library has for it."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{host} answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.SSLError):
        return f"the certificate of {host} is not valid"
    if isinstance(error, requests.Timeout):
        return f"{host} does not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"the connection to {host} broke off"
    if isinstance(error, requests.ConnectionError):
        return f"{host} cannot be reached (is there a network?)"
    return f"{host}: {error}"
