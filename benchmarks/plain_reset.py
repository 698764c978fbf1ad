"""Plain loops of the models that are reset at a spike, or whose threshold moves: see `plain.py`."""

from math import cos, exp, expm1, pi, sin, tan

from numba import njit
from numba.np.unsafe.ndarray import to_fixed_tuple as values


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


@njit
def glif(params, start, current, data, outside, dt, count, spikes, masked, trace=None):
    """Platkiewicz & Brette 2011 with the thresholds of `mat`, which has no reset: theta_r follows the mean of its drive."""
    decay_1, decay_2 = exp(-dt / 10), exp(-dt / 200)
    for n in range(params.shape[0]):
        tau_m, R_m, omega, kappa, tau_s, alpha_1, alpha_2, E_L, t_ref, V_peak = values(params[n], 10)
        decay, share, n_ref, lowest = exp(-dt / tau_m), -expm1(-dt / tau_s), round(t_ref / dt), E_L + omega
        for s in range(current.shape[0]):
            V, h1, h2, theta_r, hold = start[n, 0], start[n, 1], start[n, 2], start[n, 3], 0
            found, total = 0, 0.0
            for t in range(current.shape[1]):
                V_inf = E_L + R_m * current[s, t]
                before = max(V - lowest, 0.0)
                V = V_inf + (V - V_inf) * decay
                v = V
                theta_r += share * (kappa * 0.5 * (before + max(V - lowest, 0.0)) - theta_r)
                h1 *= decay_1
                h2 *= decay_2
                hold -= 1
                if hold <= 0 and V >= lowest + h1 + h2 + theta_r:
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
