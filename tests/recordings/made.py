"""Made recordings for the tests of what a current may be: a leaky neuron under steps, pulses or noise, on any sample step."""

import numpy as np

# a spike from its onset on: ms after the onset, and mV above it
SPIKE = np.array([[0.0, 0.2, 0.4, 0.6, 0.8, 1.2, 1.6, 2.2, 3.0], [0.0, 12.0, 45.0, 75.0, 70.0, 35.0, 8.0, -8.0, -15.0]])


def stimulus(kind: str, rng: np.random.Generator, amplitude: float, duration: float, dt: float) -> np.ndarray:
    """(T,) nA: a step, pulses of 2 ms, or noise with a time constant of 3 ms; quiet for 50 ms at both ends."""
    n = round(duration / dt)
    t = np.arange(n) * dt
    on = (t >= 50) & (t < duration - 50)
    if kind == "steps":
        return amplitude * on
    if kind == "pulses":
        return 14 * amplitude * (on & (t % 40 < 2.0))
    slow, level = np.empty(n), 0.0
    for k, kick in enumerate(rng.normal(size=n)):
        level += dt / 3.0 * -level + np.sqrt(2 * dt / 3.0) * kick
        slow[k] = level
    return amplitude * (0.7 + 0.8 * slow) * on


def neuron(current: np.ndarray, dt: float, rng: np.random.Generator, noise: float = 0.2) -> np.ndarray:
    """(T,) mV: a leaky neuron of 100 MOhm and 15 ms with an adapting threshold; its spikes have the shape of a cell's."""
    shape = np.interp(np.arange(round(3.0 / dt)) * dt, *SPIKE)
    v, theta, k, n = -70.0, 0.0, 0, len(current)
    voltage = np.empty(n)
    while k < n:
        v += dt / 15.0 * (-(v + 70.0) + 100.0 * current[k])
        theta -= dt / 30.0 * theta
        voltage[k] = v
        if v > -50.0 + theta:
            end = min(n, k + len(shape))
            voltage[k:end] = v + shape[: end - k]
            v, theta, k = v - 15.0, theta + 4.0, end
        else:
            k += 1
    return voltage + rng.normal(0, noise, n)


def image_of(voltage: np.ndarray, dt: float, size: float, delay: float) -> np.ndarray:
    """(T,) nA: the slope of the voltage, `delay` ms late, scaled so that that of a spike is `size` nA at most."""
    slope = np.gradient(voltage, dt)
    slope[np.abs(slope) < 20] = 0.0
    late = np.interp(np.arange(len(slope)) * dt - delay, np.arange(len(slope)) * dt, slope)
    return size * late / 165.0
