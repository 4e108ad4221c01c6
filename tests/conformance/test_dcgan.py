"""specs/dcgan.yaml against Radford et al. 2015 and its authors' code: what its numbers alone do not show."""

import itertools

import pytest
from games import reader

read = reader("dcgan")


@pytest.mark.parametrize(("role", "bare"), [("generator", [3]), ("discriminator", [0, 3])])
def test_batch_norm_stands_everywhere_but_at_the_output_of_g_and_the_ends_of_d(algorithm, role, bare):
    """Section 3. A bias stands only where no batch norm takes it away."""
    inside = [layer for layer in algorithm.players[role].layers if type(layer).__name__ != "Reshape"]
    pairs = [(one, type(after).__name__) for one, after in itertools.pairwise([*inside, None])]
    weighted = [(layer, after == "BatchNormalization") for layer, after in pairs if hasattr(layer, "use_bias")]
    assert [place for place, (_, normed) in enumerate(weighted) if not normed] == bare
    assert all(layer.use_bias is not normed for layer, normed in weighted)
