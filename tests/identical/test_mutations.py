"""The regression against itself: it must fail on every defect that is planted in the hardware."""

import pytest

from spikefab.errors import MismatchError
from spikefab.hw.models import AdExNeuron, ThetaNeuron
from spikefab.sim.verify import play, prepare, require_exact

pytestmark = pytest.mark.slow  # a simulator is compiled for each defect

# every operation is in one of them: an exponential's shift, a wrapping phase, tables in a row
KINDS = [AdExNeuron, ThetaNeuron]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_mutation_is_caught(kind, mutate):
    neuron = kind(word=16)
    plan = prepare(neuron, steps=600)
    require_exact(play(plan, mutate.rewritten(neuron, {})))  # the rewriting itself changes nothing
    planted = list(mutate.mutations(neuron))
    assert len(planted) >= 7
    for name, mutant in planted:
        checks = play(plan, mutant)
        seen = {c["first_mismatch"]["variable"] for c in checks if c["mismatches"]}
        print(f"{kind.__name__}: {name}: {'caught in ' + ', '.join(sorted(seen)) if seen else 'NOT CAUGHT'}")
        assert seen - {"o_valid"}, f"{kind.__name__}: {name} was not caught"
        with pytest.raises(MismatchError, match=r"first at step \d+ of segment \d+"):
            require_exact(checks)
