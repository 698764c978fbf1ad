// Plays one file of stimuli into a bank without Python: see bank_player.py. The files may be pipes.

#include "Vdut.h"
#include "verilated.h"

int main() {
    VerilatedContext context;
    Vdut dut(&context);
    auto tick = [&] {
        dut.clk = 1;
        dut.eval();
        dut.clk = 0;
        dut.eval();
    };
    dut.clk = 0;
    dut.rst = 1;
    dut.go = 0;
    tick();
    tick();
    dut.rst = 0;
    dut.go = 1;
    while (!dut.done) tick();
}
