// A network on its own: external currents from a file in, results and synaptic currents to files out.
//
//   network CURRENTS RESULTS SYNAPTIC COUNT IDLE
//     CURRENTS   32 bits a code, in the order in which the network takes them
//     RESULTS    is written: `o_record` of each result, 32 bits a word
//     SYNAPTIC   is written: `s`, 64 bits each
//     COUNT      results after which it ends
//     IDLE       of 256 clocks, in how many on average no current is offered although there is one
//
// Prints the number of clocks. Ends with status 3 if nothing comes out for a million clocks.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "Vdut.h"
#include "verilated.h"

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    FILE *currents = std::fopen(argv[1], "rb"), *results = std::fopen(argv[2], "wb"), *synaptic = std::fopen(argv[3], "wb");
    if (!currents || !results || !synaptic) return 2;
    const long wanted = std::atol(argv[4]);
    const uint32_t idle = uint32_t(std::atol(argv[5]));
    VerilatedContext context;
    Vdut dut(&context);
    uint32_t random = 20;
    long found = 0, clocks = 0, quiet = 0;
    int32_t code = 0;
    bool waiting = std::fread(&code, 4, 1, currents) == 1, offered = false;
    auto tick = [&] {
        dut.clk = 1;
        dut.eval();
        dut.clk = 0;
        dut.eval();
    };
    dut.clk = 0;
    dut.rst = 1;
    tick();
    dut.rst = 0;
    while (found < wanted) {
        random = random * 1664525 + 1013904223;
        offered = waiting && (offered || (random >> 24) >= idle);
        dut.i_valid = offered;
        dut.i = offered ? code : random;
        dut.eval();
        const bool taken = offered && dut.i_ready;
        if (dut.s_valid && std::fwrite(&dut.s, 8, 1, synaptic) != 1) return 4;
        if (dut.o_valid) {
            if (std::fwrite(&dut.o_record, sizeof dut.o_record, 1, results) != 1) return 4;
            found++;
            quiet = 0;
        } else if (++quiet > 1000000) {
            return 3;
        }
        tick();
        clocks++;
        if (taken) {
            waiting = std::fread(&code, 4, 1, currents) == 1;
            offered = false;
        }
    }
    if (std::fclose(results) || std::fclose(synaptic)) return 4;
    std::printf("%ld\n", clocks);
    return 0;
}
