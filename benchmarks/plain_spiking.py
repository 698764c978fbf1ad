"""Plain loops of the models whose spike is part of the solution: see `plain.py`."""

from math import cosh, exp, tanh

from numba import njit
from numba.np.unsafe.ndarray import to_fixed_tuple as values

REARM = 15.0  # mV below the spike level to which the potential must fall before the next crossing can be a spike


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
