/* A POP3 server that answers from memory, as fast as the kernel takes it; a thread a connection.
 *
 * server FILE HEADER COUNT LEAST MOST
 *
 * FILE holds a header of HEADER octets and, behind it, lines of 78 octets each. A message is the
 * header and as many of these lines as make LEAST to MOST octets, from another line on each time.
 * The port is written to stdout. The server ends when its stdin does. server.py does the same.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE 78
#define OUTPUT (256 * 1024)
/* What is longer is sent from where it lies. */
#define COPIED (32 * 1024)

struct buffer {
    char *data;
    size_t length;
};

struct connection {
    int socket;
    int broken;
    size_t waiting;
    char output[OUTPUT];
    char input[64 * 1024];
};

static const char *header, *block;
static size_t header_length, block_lines;
static uint64_t count, least, most, total;
static struct buffer scan_listing, unique_ids;

static void send_all(struct connection *to, const char *data, size_t length)
{
    while (length && !to->broken) {
        ssize_t sent = send(to->socket, data, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            to->broken = 1;
            return;
        }
        data += sent;
        length -= (size_t)sent;
    }
}

static void flush(struct connection *to)
{
    send_all(to, to->output, to->waiting);
    to->waiting = 0;
}

static void put(struct connection *to, const char *data, size_t length)
{
    if (to->waiting + length > OUTPUT || length > COPIED)
        flush(to);
    if (length > COPIED) {
        send_all(to, data, length);
        return;
    }
    memcpy(to->output + to->waiting, data, length);
    to->waiting += length;
}

static void say(struct connection *to, const char *text)
{
    put(to, text, strlen(text));
}

static uint64_t lines_of(uint64_t number)
{
    uint64_t wanted = least + number * 7919 % (most - least + 1);
    return wanted > header_length ? (wanted - header_length + LINE - 1) / LINE : 0;
}

static uint64_t octets_of(uint64_t number)
{
    return header_length + lines_of(number) * LINE;
}

static void put_message(struct connection *to, uint64_t number, uint64_t lines)
{
    char status[64];
    size_t from = number * 37 % block_lines;
    snprintf(status, sizeof status, "+OK %llu octets\r\n", (unsigned long long)octets_of(number));
    say(to, status);
    put(to, header, header_length);
    while (lines && !to->broken) {
        size_t run = block_lines - from < lines ? block_lines - from : (size_t)lines;
        put(to, block + from * LINE, run * LINE);
        lines -= run;
        from = 0;
    }
    say(to, ".\r\n");
}

static void put_number(struct connection *to, uint64_t number, int unique_id)
{
    char line[96];
    const char *form = unique_id ? "+OK %llu unique-%010llu\r\n" : "+OK %llu %llu\r\n";
    uint64_t value = unique_id ? number : octets_of(number);
    snprintf(line, sizeof line, form, (unsigned long long)number, (unsigned long long)value);
    say(to, line);
}

static struct buffer listing(int unique_id)
{
    struct buffer made = {malloc(count * 40 + 64), 0};
    const char *form = unique_id ? "%llu unique-%010llu\r\n" : "%llu %llu\r\n";
    if (!made.data)
        exit(1);
    made.length = (size_t)sprintf(made.data, "+OK listing follows\r\n");
    for (uint64_t number = 1; number <= count; number++) {
        uint64_t value = unique_id ? number : octets_of(number);
        made.length += (size_t)sprintf(made.data + made.length, form, (unsigned long long)number,
                                       (unsigned long long)value);
    }
    made.length += (size_t)sprintf(made.data + made.length, ".\r\n");
    return made;
}

/* Answer one command; whether the session goes on. */
static int answer(struct connection *to, const char *line)
{
    char verb[8] = "";
    unsigned long long number = 0, lines = 0;
    int arguments = sscanf(line, "%7s %llu %llu", verb, &number, &lines) - 1;
    int there = arguments > 0 && number >= 1 && number <= count;
    if (!strcasecmp(verb, "RETR") && there) {
        put_message(to, number, lines_of(number));
    } else if (!strcasecmp(verb, "TOP") && there) {
        put_message(to, number, lines < lines_of(number) ? lines : lines_of(number));
    } else if (!strcasecmp(verb, "STAT")) {
        char text[64];
        snprintf(text, sizeof text, "+OK %llu %llu\r\n", (unsigned long long)count,
                 (unsigned long long)total);
        say(to, text);
    } else if (!strcasecmp(verb, "LIST") && arguments < 1) {
        put(to, scan_listing.data, scan_listing.length);
    } else if (!strcasecmp(verb, "UIDL") && arguments < 1) {
        put(to, unique_ids.data, unique_ids.length);
    } else if ((!strcasecmp(verb, "LIST") || !strcasecmp(verb, "UIDL")) && there) {
        put_number(to, number, !strcasecmp(verb, "UIDL"));
    } else if (!strcasecmp(verb, "CAPA")) {
        say(to, "+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n");
    } else if (!strcasecmp(verb, "QUIT")) {
        say(to, "+OK bye\r\n");
        return 0;
    } else if (!strcasecmp(verb, "NOOP") || !strcasecmp(verb, "USER") ||
               !strcasecmp(verb, "PASS") || !strcasecmp(verb, "RSET") ||
               (!strcasecmp(verb, "DELE") && there)) {
        say(to, "+OK\r\n");
    } else {
        say(to, "-ERR no\r\n");
    }
    return 1;
}

static void *serve(void *argument)
{
    struct connection *to = argument;
    size_t held = 0;
    int open = 1;
    say(to, "+OK ready\r\n");
    while (open && !to->broken) {
        char *line = to->input, *end;
        ssize_t got;
        /* Whoever waits for an answer gets it; until then answers are gathered. */
        flush(to);
        got = recv(to->socket, to->input + held, sizeof to->input - 1 - held, 0);
        if (got <= 0)
            break;
        held += (size_t)got;
        while (open && (end = memchr(line, '\n', held))) {
            *end = 0;
            open = answer(to, line);
            held -= (size_t)(end + 1 - line);
            line = end + 1;
        }
        memmove(to->input, line, held);
        if (held == sizeof to->input - 1)
            break;
    }
    flush(to);
    close(to->socket);
    free(to);
    return NULL;
}

static void *accept_all(void *argument)
{
    int listener = *(int *)argument, on = 1;
    for (;;) {
        pthread_t thread;
        struct connection *to = calloc(1, sizeof *to);
        if (!to || (to->socket = accept(listener, NULL, NULL)) < 0)
            exit(1);
        setsockopt(to->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (pthread_create(&thread, NULL, serve, to))
            exit(1);
        pthread_detach(thread);
    }
}

static struct buffer content(const char *path)
{
    struct buffer read = {NULL, 0};
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        exit(1);
    read.length = (size_t)ftell(file);
    read.data = malloc(read.length);
    rewind(file);
    if (!read.data || fread(read.data, 1, read.length, file) != read.length)
        exit(1);
    fclose(file);
    return read;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct buffer file;
    pthread_t thread;
    char nothing;
    if (argc != 6)
        return 2;
    file = content(argv[1]);
    header = file.data;
    header_length = strtoull(argv[2], NULL, 10);
    block = header + header_length;
    block_lines = (file.length - header_length) / LINE;
    count = strtoull(argv[3], NULL, 10);
    least = strtoull(argv[4], NULL, 10);
    most = strtoull(argv[5], NULL, 10);
    for (uint64_t number = 1; number <= count; number++)
        total += octets_of(number);
    scan_listing = listing(0);
    unique_ids = listing(1);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&address, &length) ||
        pthread_create(&thread, NULL, accept_all, &listener))
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (read(STDIN_FILENO, &nothing, 1) > 0)
        ;
    return 0;
}
