// A board at its pins, for tests: commands on the standard input, answers on the standard output, numbers of 32 bits.
//
//   fuzz CLOCKS       clocks of a bit
//
//   S n byte...       put n bytes on `rx`, without pauses, and run until the last one has passed
//   L n byte...       put n levels on `rx`: the lowest bit of a byte, for as many clocks as the other bits say, and one
//   P n               run for n clocks
//
// Each is answered by: the number of bytes that came on `tx` meanwhile, those bytes, the number of stop bits that were low, and
// the clocks in which `led`, `spike` and `voltage` were high.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vdut.h"
#include "verilated.h"

static VerilatedContext context;
static Vdut dut(&context);
static std::vector<uint8_t> received;
static uint32_t counts[4];  // low stop bits, then clocks with the three pins high
static int bit_clocks;

static void tick() {
    static int taken = -1, clock = 0;  // bits sampled of the byte on `tx`: -1 is none
    static uint8_t taking = 0;
    dut.clk = 1;
    dut.eval();
    dut.clk = 0;
    dut.eval();
    counts[1] += dut.led;
    counts[2] += dut.spike;
    counts[3] += dut.voltage;
    if (taken < 0) {
        if (!dut.tx) taken = clock = 0;
    } else if (++clock == bit_clocks / 2 + bit_clocks * (taken + 1)) {
        if (taken < 8) {
            taking = uint8_t((taking >> 1) | (dut.tx << 7));
            taken++;
        } else {
            received.push_back(taking);
            counts[0] += !dut.tx;
            taken = -1;
        }
    }
}

static void level(int value, uint32_t clocks) {
    dut.rx = value;
    for (uint32_t k = 0; k < clocks; k++) tick();
}

static bool read_number(uint32_t* number) { return fread(number, 4, 1, stdin) == 1; }

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    bit_clocks = std::atoi(argv[1]);
    dut.rst = 1;
    level(1, 2);
    dut.rst = 0;
    for (int command = getchar(); command != EOF; command = getchar()) {
        uint32_t number;
        if (!read_number(&number)) return 2;
        received.clear();
        for (uint32_t& count : counts) count = 0;
        std::vector<uint8_t> bytes(command == 'P' ? 0 : number);
        if (fread(bytes.data(), 1, bytes.size(), stdin) != bytes.size()) return 2;
        if (command == 'S') {
            for (const uint8_t byte : bytes) {
                level(0, bit_clocks);
                for (int k = 0; k < 8; k++) level(byte >> k & 1, bit_clocks);
                level(1, bit_clocks);
            }
        } else if (command == 'L') {
            for (const uint8_t byte : bytes) level(byte & 1, (byte >> 1) + 1);
        } else {
            level(1, number);
        }
        const uint32_t size = uint32_t(received.size());
        fwrite(&size, 4, 1, stdout);
        fwrite(received.data(), 1, size, stdout);
        fwrite(counts, 4, 4, stdout);
        fflush(stdout);
    }
    return 0;
}
