/* A host for a spikefab board in C: plays a step of current, and prints the voltage and the spikes. Linux, no dependencies.

       cc -O2 -Wall -Wextra -o host host.c
       ./host PORT CURRENT STEPS        such as: ./host /dev/ttyUSB1 0.3 1000

   CURRENT is in nA. Each line of output has the number of the step, the voltage in mV, and 1 if the neuron spiked, else 0.
   docs/board.md describes the frames, and host.py is the same program in Python. No register of the neuron is written here:
   after a reset the neuron is at rest, and a second run begins with the state in which the first one ended. */

#define _DEFAULT_SOURCE /* B1000000, cfmakeraw */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { IDENTIFY = 48, PLAY = 49, CONTROL = 50 };  /* operations: the low six bits of a frame to the board */
enum { ANSWER, PAGE, RECORDS };                   /* kinds: the low two bits of a frame from the board */
enum { RUN = 1, RESTART = 8 };                    /* bits of the control register */
enum { BODY = 62 };                               /* bytes of a frame at most, before its stuffing */
enum { PATIENCE = 10 };  /* times that a frame is sent, or that the host waits for 0.3 s, before it gives up */

#define SILENT "the board does not answer: is it the right port, and was the bitstream flashed?"

static int port, number;                    /* the serial port; the number of the next frame with a number */
static uint8_t line[BODY + 1];              /* a frame that is arriving, still stuffed */
static unsigned length;                     /* bytes that have arrived of it, those that found no room included */
static uint8_t body[BODY];                  /* the last good frame, without its CRC: head, numbers, payload */
static unsigned body_length;
static uint8_t records[2048];               /* records that are not yet printed: those of 256 steps at most */
static unsigned recorded, printed;          /* bytes that were stored there, and taken */

static void give_up(const char *sentence) {
    fflush(stdout);
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static uint16_t crc(const uint8_t *data, unsigned n) { /* CRC-16/IBM-SDLC */
    uint16_t value = 0xFFFF;
    while (n--) {
        value ^= *data++;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0x8408 : 0);
    }
    return value ^ 0xFFFF;
}

static void write_all(const uint8_t *data, unsigned n) {
    while (n > 0) {
        ssize_t done = write(port, data, n);
        if (done < 0 && errno != EINTR) give_up("the port takes no bytes: was the board unplugged?");
        if (done > 0) data += done, n -= done;
    }
}

/* COBS: each part between two zeros goes out with its length in front, and a zero ends the frame. */
static void send_frame(uint8_t head, const uint8_t *payload, unsigned n) {
    uint8_t plain[BODY] = {head}, out[BODY + 2];
    unsigned start = 0, end = 1;
    memcpy(plain + 1, payload, n);
    uint16_t sum = crc(plain, ++n);
    plain[n++] = sum & 0xFF;
    plain[n++] = sum >> 8;
    for (unsigned k = 0; k <= n; k++) {
        if (k < n && plain[k] != 0) {
            out[end++] = plain[k];
        } else { /* a zero, or the end */
            out[start] = end - start;
            start = end++;
        }
    }
    out[start] = 0;
    write_all(out, end);
}

/* COBS from the end: each part has its length behind it, where a zero was, or where the frame ends. */
static int unstuff(void) {
    if (length < 5 || length > BODY + 1) return 0;
    for (unsigned end = length; end > 0;) {
        unsigned distance = line[end - 1];
        if (distance == 0 || distance > end) return 0;
        line[end - 1] = 0;
        end -= distance;
    }
    body_length = length - 3; /* without the CRC and the last length */
    memcpy(body, line, body_length);
    return crc(body, body_length) == (line[body_length] | line[body_length + 1] << 8);
}

/* Waits for the next good frame, at most until a time. Returns whether there was one, in `body`. */
static int receive(double until) {
    static uint8_t buffer[4096];
    static ssize_t got, taken;
    for (;;) {
        while (taken < got) {
            uint8_t byte = buffer[taken++];
            if (byte != 0) {
                if (length <= BODY) line[length] = byte;
                length++;
                continue;
            }
            int good = unstuff();
            length = 0;
            if (!good) continue;
            if ((body[0] & 3) == RECORDS && recorded + body_length - 2 <= sizeof records) {
                memcpy(records + recorded, body + 2, body_length - 2);
                recorded += body_length - 2;
            }
            return 1;
        }
        double left = until - seconds();
        if (left <= 0) return 0;
        struct pollfd look = {port, POLLIN, 0};
        if (poll(&look, 1, (int)(1000 * left) + 1) <= 0) continue;
        got = read(port, buffer, sizeof buffer);
        taken = 0;
        if (got <= 0 && errno != EINTR && errno != EAGAIN) give_up("the port is gone: was the board unplugged?");
    }
}

/* Sends a frame with a number, which the board carries out only once, even if it arrives twice. */
static void command(uint8_t operation, const uint8_t *payload, unsigned n) {
    int following = (number + 1) % 4;
    for (int sent = 0; sent < PATIENCE; sent++) {
        send_frame(number << 6 | operation, payload, n);
        for (double until = seconds() + 0.3; receive(until);) {
            if ((body[1] & 3) == following) { /* the number of the frame that the board expects next */
                number = following;
                return;
            }
        }
    }
    give_up(SILENT);
}

static void control(unsigned bits, unsigned code_bytes) {
    uint8_t payload[BODY] = {bits};
    command(CONTROL, payload, code_bytes);
}

static void wait_for_silence(void) {
    for (double until = seconds() + 1; seconds() < until && receive(seconds() + 0.05);) {}
}

static void ask_page(uint8_t page) {
    for (int sent = 0; sent < PATIENCE; sent++) {
        send_frame(IDENTIFY, &page, 1);
        for (double until = seconds() + 0.3; receive(until);) {
            if ((body[0] & 3) == PAGE && body_length == 34) return;
        }
    }
    give_up(SILENT);
}

/* What the board says of itself: a length, JSON and a CRC, in pages of 32 bytes. It then expects frame 0. */
static const char *identity(void) {
    static uint8_t block[256 * 32 + 1];
    for (int tries = 0; tries < PATIENCE; tries++) {
        unsigned have = 0, size = 4;
        for (; have < size && have < 256 * 32; have += 32) {
            ask_page(have / 32);
            memcpy(block + have, body + 2, 32);
            size = (block[0] | block[1] << 8) + 4;
        }
        if (size <= have && crc(block, size - 2) == (block[size - 2] | block[size - 1] << 8)) {
            block[size - 2] = 0;
            return (const char *)block + 2;
        }
        wait_for_silence(); /* a page came twice, because the first one was late */
    }
    give_up("the board's identity is damaged: flash its bitstream again.");
    return NULL;
}

/* The numbers behind a key such as "i":[ in the JSON, which has no spaces. No other part of it looks like the keys below. */
static void find(const char *json, const char *key, int *numbers, int count) {
    const char *at = strstr(json, key);
    if (at == NULL) give_up("the board's identity lacks something: it is not that of spikefab.");
    at += strlen(key);
    for (char *end; count > 0; count--, at = end + 1) *numbers++ = strtol(at, &end, 10);
}

/* A signed number, its low byte first. */
static int32_t number_in(const uint8_t *data, unsigned n) {
    uint32_t value = 0;
    for (unsigned k = 0; k < n; k++) value |= (uint32_t)data[k] << 8 * k;
    if (n < 4 && value >> (8 * n - 1)) value -= UINT32_C(1) << 8 * n;
    return (int32_t)value;
}

static int open_port(const char *path) {
    struct termios settings;
    int opened = open(path, O_RDWR | O_NOCTTY);
    if (opened < 0 || tcgetattr(opened, &settings) < 0 || flock(opened, LOCK_EX | LOCK_NB) < 0) return -1;
    cfmakeraw(&settings); /* eight data bits, no parity, and no byte with a meaning of its own */
    settings.c_cflag = (settings.c_cflag & ~(CSTOPB | CRTSCTS)) | CLOCAL | CREAD;
    cfsetispeed(&settings, B1000000);
    cfsetospeed(&settings, B1000000);
    return tcsetattr(opened, TCSAFLUSH, &settings) < 0 ? -1 : opened;
}

int main(int argc, char **argv) {
    char *rest = "", *behind = "";
    double current = argc == 4 ? strtod(argv[2], &rest) : 0;
    long steps = argc == 4 ? strtol(argv[3], &behind, 10) : 0;
    if (argc != 4 || *rest || *behind) give_up("usage: ./host PORT CURRENT STEPS");
    if ((port = open_port(argv[1])) < 0) {
        fprintf(stderr, "%s cannot be opened: %s\n", argv[1], strerror(errno));
        return 1;
    }

    write_all((const uint8_t *)"\0", 2); /* ends whatever the board has received of a frame */
    const char *board = identity();
    int version, i[2], v[2], bytes[3]; /* i and v: bits before the point, bits behind it; bytes: of a code, entry, record */
    find(board, "\"link\":", &version, 1);
    find(board, "\"i\":[", i, 2);
    find(board, "\"v\":[", v, 2);
    find(board, "\"bytes\":[", bytes, 3);
    if (version != 2) {
        fprintf(stderr, "the board speaks version %d of the link, and this program version 2.\n", version);
        return 1;
    }
    double scale = (double)(1LL << i[1]), top = (double)(1LL << (i[0] + i[1] - 1));
    if (!(-top <= current * scale && current * scale < top - 0.5)) {
        fprintf(stderr, "%g nA is beyond the range of the input, %g nA.\n", current, top / scale);
        return 1;
    }
    int32_t code = (int32_t)(current * scale + 0.5);
    if (code > current * scale + 0.5) code--; /* C rounds towards zero, and this is to be rounded down */

    control(0, bytes[0]);
    wait_for_silence(); /* an earlier host may have left a neuron that runs: its last records come */
    control(RESTART, bytes[0]); /* no stimulus, step 0 */
    recorded = printed = 0;
    control(RUN, bytes[0]); /* each step waits for stimulus from here on */

    long step = 0, spikes = 0;
    double volts = 0;
    while (step < steps) {
        int more = steps - step < 256 ? (int)(steps - step) : 256; /* steps for which one entry of the stimulus lasts */
        uint8_t entry[5] = {more - 1, code, code >> 8, code >> 16, code >> 24};
        recorded = printed = 0;
        command(PLAY, entry, bytes[1]);
        for (int k = 0; k < more; k++) {
            for (int waited = 0; recorded - printed < (unsigned)bytes[2];) {
                waited = receive(seconds() + 0.3) ? 0 : waited + 1;
                if (waited == PATIENCE) give_up(SILENT);
            }
            const uint8_t *record = records + printed;
            unsigned head = record[0] | record[1] << 8; /* the number of the step; in the lowest bit whether it spiked */
            volts = number_in(record + 2, bytes[2] - 2) / (double)(1LL << v[1]);
            printed += bytes[2];
            if (head >> 1 != step % 32768) give_up("the line lost a frame with records: run it again.");
            printf("%ld %.6f %u\n", step, volts, head & 1);
            step++;
            spikes += head & 1;
        }
    }
    printf("# %ld steps, %ld spikes, the last voltage is %.6f mV\n", steps, spikes, volts);
    return 0;
}
