"""Plain float64 numba loops: what a user would write by hand, for the batch kernel to be measured against.

One function a model, the published equations by the scheme and at the time step of the hardware, one candidate after the
other, real exp, no fastmath; what does not change within a sweep is computed before it. All share one signature:

    params (N, P), start (N, K)       physical parameters and initial states, in the model's order
    current, data, outside (S, T)     nA; mV to compare with; 1 where the error counts, else 0
    dt                                ms
    count (N, S), spikes (N, S, max)  out: spikes, and the steps that spiked as far as there is room
    masked (N, S)                     out: sum of squared error where it counts
    trace (N, S, T) or None           out: mV

The counter of a refractory time and the flag of a level to be crossed start at rest, whatever `start` says of them.
Long, as each model is a loop of its own and shares nothing, as by hand. No spikefab code in here.
`tests/identical/test_plain.py` holds every loop against the model's float64 ideal.
"""

from math import cos, cosh, exp, expm1, pi, sin, tan, tanh

from numba import njit
from numba.np.unsafe.ndarray import to_fixed_tuple as values

REARM = 15.0  # mV below the level of a spike's crossing


@njit
def lapicque(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Lapicque 1907; Gerstner et al. 2014, eqs. 1.5-1.9: the leak is exact."""
    for n in range(params.shape[0]):
        tau_m, R_m, V_th, E_L, V_peak = values(params[n], 5)
        decay = exp(-dt / tau_m)
        for s in range(current.shape[0]):
            V = start[n, 0]
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                V_inf = E_L + R_m * current[s, t]
                V = V_inf + (V - V_inf) * decay
                v = V
                if V >= V_th:
                    v, V = V_peak, E_L
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def lif(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Gerstner et al. 2014, eqs. 1.5-1.9: the leak is exact."""
    for n in range(params.shape[0]):
        tau_m, R_m, V_th, V_reset, E_L, t_ref, V_peak = values(params[n], 7)
        decay, n_ref = exp(-dt / tau_m), round(t_ref / dt)
        for s in range(current.shape[0]):
            V, hold = start[n, 0], 0
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                if hold > 0:
                    hold -= 1
                    v = V
                else:
                    V_inf = E_L + R_m * current[s, t]
                    V = V_inf + (V - V_inf) * decay
                    v = V
                    if V >= V_th:
                        v, V, hold = V_peak, V_reset, n_ref
                        if found < spikes.shape[2]:
                            spikes[n, s, found] = t
                        found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def quadratic_if(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Gerstner et al. 2014, ch. 5.3: forward Euler."""
    for n in range(params.shape[0]):
        C, k, V_c, V_reset, E_L, V_peak, t_ref = values(params[n], 7)
        per_C, n_ref = dt / C, round(t_ref / dt)
        for s in range(current.shape[0]):
            V, hold = start[n, 0], 0
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                if hold > 0:
                    hold -= 1
                    v = V
                else:
                    V += per_C * (k * (V - E_L) * (V - V_c) + current[s, t])
                    v = V
                    if V >= V_peak:
                        v, V, hold = V_peak, V_reset, n_ref
                        if found < spikes.shape[2]:
                            spikes[n, s, found] = t
                        found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def exp_if(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Fourcaud-Trocme et al. 2003: forward Euler."""
    for n in range(params.shape[0]):
        C, g_L, Delta_T, V_T, V_reset, E_L, V_peak, t_ref = values(params[n], 8)
        per_C, sharp, n_ref = dt / C, 1 / Delta_T, round(t_ref / dt)
        for s in range(current.shape[0]):
            V, hold = start[n, 0], 0
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                if hold > 0:
                    hold -= 1
                    v = V
                else:
                    V += per_C * (g_L * (E_L - V + Delta_T * exp((V - V_T) * sharp)) + current[s, t])
                    v = V
                    if V >= V_peak:
                        v, V, hold = V_peak, V_reset, n_ref
                        if found < spikes.shape[2]:
                            spikes[n, s, found] = t
                        found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def adex(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Brette & Gerstner 2005, eqs. 1-3: forward Euler, w exactly with V held."""
    for n in range(params.shape[0]):
        C, g_L, Delta_T, V_T, a, tau_w, b, E_L, V_reset, V_peak, t_ref = values(params[n], 11)
        per_C, sharp, moved, n_ref = dt / C, 1 / Delta_T, -expm1(-dt / tau_w), round(t_ref / dt)
        for s in range(current.shape[0]):
            V, w, hold = start[n, 0], start[n, 1], 0
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                w_old = w
                w += moved * (a * (V - E_L) - w)
                if hold > 0:
                    hold -= 1
                    v = V
                else:
                    V += per_C * (g_L * (E_L - V + Delta_T * exp((V - V_T) * sharp)) - w_old + current[s, t])
                    v = V
                    if V >= V_peak:
                        v, V, hold = V_peak, V_reset, n_ref
                        w += b
                        if found < spikes.shape[2]:
                            spikes[n, s, found] = t
                        found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def izhikevich(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Izhikevich 2007, eqs. 8.5-8.6: forward Euler, u with the old v."""
    for n in range(params.shape[0]):
        C, k, a, b, c, d, v_r, v_t, v_peak = values(params[n], 9)
        per_C, rate = dt / C, dt * a
        for s in range(current.shape[0]):
            V, u = start[n, 0], start[n, 1]
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                x = V - v_r
                V += per_C * (k * x * (V - v_t) - u + current[s, t])
                u += rate * (b * x - u)
                v = V
                if V >= v_peak:
                    v, V = v_peak, c
                    u += d
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def linexp(x):
    """x / (1 - exp(-x)), 1 at 0."""
    return x / (1 - exp(-x)) if abs(x) > 1e-6 else 1 + x / 2


@njit
def hodgkin_huxley(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Hodgkin & Huxley 1952, eqs. 7-26, with shifts and speeds of the gates: exponential Euler, gates first."""
    for n in range(params.shape[0]):
        C, g_Na, g_K, g_L, E_Na, E_K, E_L, V_T, V_S, phi_m, phi_h, phi_n, V_spike = values(params[n], 13)
        leak, speed_m, speed_h, speed_n = g_L * E_L, -dt * phi_m, -dt * phi_h, -dt * phi_n
        for s in range(current.shape[0]):
            V, m, h, k, armed = start[n, 0], start[n, 1], start[n, 2], start[n, 3], True
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                u = V - V_T
                alpha, beta = linexp(0.1 * (u + 40)), 4 * exp((u + 65) * (-1 / 18))
                both = alpha + beta
                x_inf = alpha / both
                m = x_inf + (m - x_inf) * exp(speed_m * both)
                alpha, beta = 0.1 * linexp(0.1 * (u + 55)), 0.125 * exp((u + 65) * (-1 / 80))
                both = alpha + beta
                x_inf = alpha / both
                k = x_inf + (k - x_inf) * exp(speed_n * both)
                u -= V_S
                alpha, beta = 0.07 * exp((u + 65) * (-1 / 20)), 1 / (1 + exp(-0.1 * (u + 35)))
                both = alpha + beta
                x_inf = alpha / both
                h = x_inf + (h - x_inf) * exp(speed_h * both)
                sodium, potassium = g_Na * m * m * m * h, g_K * (k * k) * (k * k)
                g = sodium + potassium + g_L
                V_inf = (sodium * E_Na + potassium * E_K + leak + current[s, t]) / g
                V = V_inf + (V - V_inf) * exp(-dt * g / C)
                if armed and V >= V_spike:
                    armed = False
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                elif V <= V_spike - REARM:
                    armed = True
                total += outside[s, t] * (V - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = V
            count[n, s], masked[n, s] = found, total


@njit
def morris_lecar(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Morris & Lecar 1981, eqs. 9-10: exponential Euler, gate first."""
    for n in range(params.shape[0]):
        C, g_Ca, g_K, g_L, V_2, V_3, V_4, phi, V_1, E_Ca, E_K, E_L, V_spike = values(params[n], 13)
        steep_2, steep_4, leak, speed = 1 / V_2, 1 / V_4, g_L * E_L, -dt * phi
        for s in range(current.shape[0]):
            V, w, armed = start[n, 0], start[n, 1], True
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                y = (V - V_3) * steep_4
                w_inf = 0.5 * (1 + tanh(y))
                w = w_inf + (w - w_inf) * exp(speed * cosh(0.5 * y))
                calcium, potassium = g_Ca * (0.5 * (1 + tanh((V - V_1) * steep_2))), g_K * w
                g = calcium + potassium + g_L
                V_inf = (calcium * E_Ca + potassium * E_K + leak + current[s, t]) / g
                V = V_inf + (V - V_inf) * exp(-dt * g / C)
                if armed and V >= V_spike:
                    armed = False
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                elif V <= V_spike - REARM:
                    armed = True
                total += outside[s, t] * (V - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = V
            count[n, s], masked[n, s] = found, total


@njit
def fitzhugh_nagumo(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """FitzHugh 1961, eqs. 1-2; Nagumo et al. 1962: forward Euler, w with the old x."""
    for n in range(params.shape[0]):
        a, b, eps, tau, k_I, V_0, S, V_spike = values(params[n], 8)
        speed, slow = dt / tau, dt * eps / tau
        for s in range(current.shape[0]):
            x, w, armed = start[n, 0], start[n, 1], True
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                dx = x - x * x * x * (1 / 3) - w + k_I * current[s, t]
                w += slow * (x + a - b * w)
                x += speed * dx
                v = V_0 + S * x
                if armed and v >= V_spike:
                    armed = False
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                elif v <= V_spike - REARM:
                    armed = True
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def hindmarsh_rose(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Hindmarsh & Rose 1984, eqs. 1-3: Euler, y first, then x and z with the old x."""
    for n in range(params.shape[0]):
        b, d, r, strength, tau, k_I, I_0, x_R, V_0, S, V_spike = values(params[n], 11)
        speed, slow = dt / tau, dt * r / tau
        for s in range(current.shape[0]):
            x, y, z, armed = start[n, 0], start[n, 1], start[n, 2], True
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                y += speed * (1 - d * x * x - y)
                dx = y + x * x * (b - x) - z + k_I * current[s, t] + I_0
                z += slow * (strength * (x - x_R) - z)
                x += speed * dx
                v = V_0 + S * x
                if armed and v >= V_spike:
                    armed = False
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                elif v <= V_spike - REARM:
                    armed = True
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def alpha(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Rall 1967 before Gerstner et al. 2014, eqs. 1.5-1.9: each stage exact for the mean of what drives it."""
    for n in range(params.shape[0]):
        tau_m, R_m, tau_s, V_th, E_L, V_reset, t_ref, V_peak = values(params[n], 8)
        decay, moved, n_ref = exp(-dt / tau_m), -expm1(-dt / tau_s), round(t_ref / dt)
        for s in range(current.shape[0]):
            V, y1, y2, hold = start[n, 0], start[n, 1], start[n, 2], 0
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                before_1, before_2 = y1, y2
                y1 += moved * (current[s, t] - y1)
                y2 += moved * (0.5 * (before_1 + y1) - y2)
                if hold > 0:
                    hold -= 1
                    v = V
                else:
                    V_inf = E_L + R_m * (0.5 * (before_2 + y2))
                    V = V_inf + (V - V_inf) * decay
                    v = V
                    if V >= V_th:
                        v, V, hold = V_peak, V_reset, n_ref
                        if found < spikes.shape[2]:
                            spikes[n, s, found] = t
                        found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def theta(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Ermentrout & Kopell 1986: forward Euler. The state is in half turns, and inhibition does not turn it back through pi."""
    for n in range(params.shape[0]):
        tau, eta, k_I, V_0, S, V_peak = values(params[n], 6)
        speed = dt / tau
        for s in range(current.shape[0]):
            angle = pi * start[n, 0]
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                c = cos(angle)
                angle += speed * (1 - c + (1 + c) * (eta + k_I * current[s, t]))
                if angle >= pi:
                    angle -= 2 * pi
                    v = V_peak
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                else:
                    angle = max(angle, -pi)
                    v = V_0 + S * min(max(tan(0.5 * angle), -8.0), 8.0)
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def resonate_and_fire(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Izhikevich 2001: the rotation is exact, between two halves of the step's input."""
    for n in range(params.shape[0]):
        b, omega, k_I, y_th, y_reset, E_L, V_peak = values(params[n], 7)
        kept, turned, half = exp(b * dt) * cos(omega * dt), exp(b * dt) * sin(omega * dt), 0.5 * k_I * dt
        for s in range(current.shape[0]):
            y, x = start[n, 0], start[n, 1]
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                kick = half * current[s, t]
                x += kick
                x, y = kept * x - turned * y + kick, turned * x + kept * y
                v = E_L + y
                if y >= y_th:
                    x, y, v = 0.0, y_reset, V_peak
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


@njit
def mat(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Kobayashi, Tsubo & Shinomoto 2009: all exact. tau_1 = 10 ms and tau_2 = 200 ms."""
    decay_1, decay_2 = exp(-dt / 10), exp(-dt / 200)
    for n in range(params.shape[0]):
        tau_m, R_m, alpha_1, alpha_2, omega, E_L, t_ref, V_peak = values(params[n], 8)
        decay, n_ref, lowest = exp(-dt / tau_m), round(t_ref / dt), E_L + omega
        for s in range(current.shape[0]):
            V, h1, h2, hold = start[n, 0], start[n, 1], start[n, 2], 0
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                V_inf = E_L + R_m * current[s, t]
                V = V_inf + (V - V_inf) * decay
                v = V
                h1 *= decay_1
                h2 *= decay_2
                hold -= 1
                if hold <= 0 and V >= lowest + h1 + h2:
                    v, hold = V_peak, n_ref
                    h1 += alpha_1
                    h2 += alpha_2
                    if found < spikes.shape[2]:
                        spikes[n, s, found] = t
                    found += 1
                total += outside[s, t] * (v - data[s, t]) ** 2
                if trace is not None:
                    trace[n, s, t] = v
            count[n, s], masked[n, s] = found, total


LOOPS = {
    "LapicqueNeuron": lapicque,
    "LIFNeuron": lif,
    "QuadraticIFNeuron": quadratic_if,
    "ExpIFNeuron": exp_if,
    "AdExNeuron": adex,
    "IzhikevichNeuron": izhikevich,
    "HodgkinHuxleyNeuron": hodgkin_huxley,
    "MorrisLecarNeuron": morris_lecar,
    "FitzHughNagumoNeuron": fitzhugh_nagumo,
    "HindmarshRoseNeuron": hindmarsh_rose,
    "AlphaNeuron": alpha,
    "ThetaNeuron": theta,
    "ResonateAndFireNeuron": resonate_and_fire,
    "MATNeuron": mat,
}
