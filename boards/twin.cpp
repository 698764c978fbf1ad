// The simulated board: the whole top level, its serial line at the pins `rx` and `tx`, behind a file descriptor.
//
//   twin CLOCKS FD    clocks of a bit; the descriptor (of a pseudo terminal) with the host's bytes, both ways
//
// The line is driven and sampled clock by clock, at the speed it has on a board. The simulation runs as fast as it can; it only
// pauses while nothing has been on the line for a while.

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "Vdut.h"
#include "verilated.h"

static const int CHUNK = 10000;  // clocks between two looks at the descriptor
static const int QUIET = 20;     // chunks without a byte after which it pauses

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const int clocks = std::atoi(argv[1]), fd = std::atoi(argv[2]);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    VerilatedContext context;
    Vdut dut(&context);
    std::deque<uint8_t> in, out;
    int sent = 10, sent_clock = 0;          // bits of the byte on `rx`: 10 is none
    uint8_t sending = 0, taking = 0;
    int taken = -1, taken_clock = 0;        // bits sampled of the byte on `tx`: -1 is none
    int quiet = 0;
    auto tick = [&] {
        dut.clk = 1;
        dut.eval();
        dut.clk = 0;
        dut.eval();
    };
    dut.rx = 1;
    dut.clk = 0;
    dut.rst = 1;
    tick();
    tick();
    dut.rst = 0;
    for (;;) {
        bool busy = false;
        for (int k = 0; k < CHUNK; k++) {
            if (sent < 10 && ++sent_clock == clocks) {
                sent_clock = 0;
                sent++;
            }
            if (sent == 10 && !in.empty()) {
                sending = in.front();
                in.pop_front();
                sent = sent_clock = 0;
            }
            busy |= sent < 10;
            dut.rx = sent == 0 ? 0 : sent < 9 ? (sending >> (sent - 1)) & 1 : 1;
            tick();
            if (taken < 0) {
                if (!dut.tx) {
                    taken = 0;
                    taken_clock = 0;
                }
            } else if (++taken_clock == clocks / 2 + clocks * (taken + 1)) {
                if (taken < 8) taking = uint8_t((taking >> 1) | (dut.tx << 7));
                if (taken++ == 8) {
                    if (dut.tx) out.push_back(taking);
                    taken = -1;
                }
            }
            busy |= taken >= 0;
        }
        while (!out.empty()) {
            uint8_t buffer[4096];
            size_t n = 0;
            for (; n < sizeof buffer && n < out.size(); n++) buffer[n] = out[n];
            const ssize_t done = write(fd, buffer, n);
            if (done <= 0) break;  // the host does not read: its bytes wait
            out.erase(out.begin(), out.begin() + done);
        }
        quiet = busy ? 0 : quiet + 1;
        struct pollfd look = {fd, POLLIN, 0};
        if (in.size() < 4096 && poll(&look, 1, quiet > QUIET ? 1 : 0) > 0) {
            uint8_t buffer[4096];
            const ssize_t n = read(fd, buffer, sizeof buffer);
            if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR && errno != EIO)) return 0;
            for (ssize_t k = 0; k < n; k++) in.push_back(buffer[k]);
            if (n > 0) quiet = 0;
        }
    }
}
