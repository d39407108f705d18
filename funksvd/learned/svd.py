"""The singular value decomposition of a product of factors, and what it is good for.

A learned P Qᵀ has many factorizations; its singular value decomposition U Σ Vᵀ is the one with
orthonormal columns, sorted by how much each contributes. It follows from two thin QR
decompositions and one small SVD,

    P = Q_P R_P,   Q = Q_Q R_Q,   R_P R_Qᵀ = U' Σ V'ᵀ,   U = Q_P U',   V = Q_Q V',

in O((n_users + n_items) k²), never the dense matrix.

References
----------
G. Golub, C. Van Loan, "Matrix Computations", 4th ed., 2013, sections 2.4 and 5.5.
C. Eckart, G. Young, "The approximation of one matrix by another of lower rank", 1936.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class SVD(NamedTuple):
    """A = U Σ Vᵀ.

    Parameters
    ----------
    u : ndarray of shape (m, k), float64
        Left singular vectors, one a column. The element of largest magnitude in each is positive.
    singular_values : ndarray of shape (k,), float64
        Descending, not negative.
    vt : ndarray of shape (k, n), float64
        Right singular vectors, one a row.
    """

    u: np.ndarray
    singular_values: np.ndarray
    vt: np.ndarray

    @property
    def explained_energy(self) -> np.ndarray:
        """Share of ‖A‖²_F in each singular value, σ_f² / Σ σ²; of shape (k,)."""
        energy = self.singular_values**2
        return energy / max(energy.sum(), np.finfo(np.float64).tiny)

    @property
    def rank(self) -> int:
        """Number of singular values above round-off: max(m, n) ε σ₁, as NumPy's matrix_rank."""
        largest = max(len(self.u), self.vt.shape[1])
        threshold = largest * np.finfo(np.float64).eps * self.singular_values[0]
        return int(np.sum(self.singular_values > threshold))

    def truncated(self, rank: int) -> SVD:
        """The best approximation of a lower rank (Eckart and Young)."""
        return SVD(self.u[:, :rank], self.singular_values[:rank], self.vt[:rank])

    def reconstruct(self, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Rows of A itself: U Σ Vᵀ; of shape (len(rows), n)."""
        return (self.u[rows] * self.singular_values) @ self.vt

    def project(self, rows: np.ndarray) -> np.ndarray:
        """Coordinates of rows in the space of the right singular vectors, as PCA has them.

        Parameters
        ----------
        rows : ndarray of shape (m', n)
            Rows like those of A; A's own give U Σ.

        Returns
        -------
        ndarray of shape (m', k)
        """
        return rows @ self.vt.T

    def pseudo_inverse(self) -> SVD:
        """The Moore–Penrose pseudo-inverse A⁺ = V Σ⁻¹ Uᵀ, as an SVD of its own.

        Singular values that are zero up to round-off are left out. `pseudo_inverse().dot(b)` is
        the shortest of the least-squares solutions of A x = b.
        """
        kept = slice(None, self.rank)
        reverse = slice(None, None, -1)  # the smallest becomes the largest
        return _with_fixed_signs(
            self.vt[kept].T[:, reverse],
            1 / self.singular_values[kept][reverse],
            self.u[:, kept].T[reverse],
        )

    def dot(self, x: np.ndarray) -> np.ndarray:
        """A x, for x of shape (n,) or (n, p)."""
        return self.u @ (self.singular_values * (self.vt @ x).T).T


def svd_of_product(left: np.ndarray, right: np.ndarray) -> SVD:
    """The SVD of left @ right.T.

    Parameters
    ----------
    left : ndarray of shape (m, k)
    right : ndarray of shape (n, k)

    Returns
    -------
    SVD
        Of min(m, n, k) singular values.
    """
    import scipy.linalg  # takes long to import, and no training needs it

    q_left, r_left = scipy.linalg.qr(left.astype(np.float64), mode="economic")
    q_right, r_right = scipy.linalg.qr(right.astype(np.float64), mode="economic")
    u, singular_values, vt = scipy.linalg.svd(r_left @ r_right.T, full_matrices=False)
    return _with_fixed_signs(q_left @ u, singular_values, vt @ q_right.T)


def _with_fixed_signs(u: np.ndarray, singular_values: np.ndarray, vt: np.ndarray) -> SVD:
    """U and V are unique up to a common sign a column: make U's largest element positive."""
    largest = u[np.argmax(np.abs(u), axis=0), np.arange(u.shape[1])]
    signs = np.where(largest < 0, -1.0, 1.0)
    return SVD(u * signs, singular_values, vt * signs[:, None])
