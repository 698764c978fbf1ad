"""CMA-ES with margin, of which a whole generation is sampled at once."""

from typing import Any

import numpy as np
from cmaes import CMAwM


class Evolution(CMAwM):
    """`cmaes.CMAwM`, with the method `ask_all`. It gives the numbers that as many calls of `ask` give, bit for bit.

    `ask` diagonalises, samples, checks and encodes for one candidate at a time, which took a quarter of a small fit. A test
    holds the two against each other: this class uses the private fields of the package.
    """

    def ask_all(self) -> tuple[np.ndarray, np.ndarray]:
        """Sample a generation: the points (population, dimensions) to evaluate, and those to `tell`, see `CMAwM.ask`."""
        cma, n = self._cma, self.population_size
        B, D = cma._eigen_decomposition()
        scale = B.dot(np.diag(D))
        low, high = self._continuous_space.T
        found = np.empty((n, self.dim))
        taken = refused = 0  # candidates that are sampled, and samples that were refused for the next one
        while taken < n:
            # as many samples as candidates are missing: so no random number is drawn that `ask` would not draw
            noise = cma._rng.randn(n - taken, self.dim)
            # one product a sample, as a product of matrices adds up in another order
            x = cma._mean + cma._sigma * np.array([scale.dot(z) for z in noise])
            inside = x[:, self._continuous_idx]
            feasible = np.all((inside >= low) & (inside <= high), axis=1)
            x[:, self._continuous_idx] = np.clip(inside, low, high)
            for sample, good in zip(x, feasible, strict=True):
                if good or refused == self._n_max_resampling:
                    found[taken], taken, refused = sample, taken + 1, 0
                else:
                    refused += 1
        encoded = found.copy()
        if self._n_zdim:
            encoded[:, self._discrete_idx] = self._encode_discrete_params(found[:, self._discrete_idx])
        return encoded, found

    @property
    def spread(self) -> tuple[float, np.ndarray]:
        """Standard deviation sigma of the samples, and their covariance (dimensions, dimensions) in units of sigma^2."""
        return float(self._cma._sigma), self._cma._C.copy()

    def tell_all(self, points: np.ndarray, values: Any) -> None:
        """Tell the values (population,) of the points of a generation, see `CMAwM.tell`."""
        self.tell(list(zip(points, map(float, values), strict=True)))
