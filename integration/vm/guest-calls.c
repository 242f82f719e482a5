/*
 * System calls that no command of the guest makes, for the situations of `cargo xtask agree`:
 *
 *   guest-calls filtered PROGRAM ARGUMENT…     runs it under a filter that knows no call for modules, as containers have
 *   guest-calls socket FAMILY TYPE PROTOCOL    holds a socket
 *   guest-calls algorithm TYPE NAME            holds a socket of the kernel's ciphers
 *   guest-calls congestion NAME                holds a TCP socket with this congestion control
 *   guest-calls layer NAME                     holds a TCP connection to itself with this upper layer
 *   guest-calls map NAME TARGET                makes a mapped device of 8 sectors
 *   guest-calls unmap NAME                     removes it
 *   guest-calls rule quota, rule match         makes a table `made` of the packet filter with a rule: a quota, or xt_mark
 *   guest-calls unrule made                    removes the table
 *
 * What holds something prints a line when it has it. musl's compiler has no headers of Linux: their structures are here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/filter.h and linux/seccomp.h */
struct instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};
struct filter {
    uint16_t len;
    const struct instruction *instructions;
};
enum { LOAD_WORD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06 };
enum { MODE_FILTER = 2 };
#define ALLOW 0x7fff0000u
#define FAIL 0x00050000u

/* linux/if_alg.h */
struct algorithm {
    uint16_t family;
    uint8_t type[14];
    uint32_t features, mask;
    uint8_t name[64];
};

/* linux/dm-ioctl.h */
struct mapped {
    uint32_t version[3], size, start, targets;
    int32_t open;
    uint32_t flags, event, padding;
    uint64_t device;
    char name[128], id[129], data[7];
};
struct target {
    uint64_t start, length;
    int32_t status;
    uint32_t next;
    char type[16];
};
struct request {
    struct mapped mapped;
    struct target target;
    char parameters[8];
};
enum { CREATE = 3, REMOVE = 4, SUSPEND = 6, TABLE = 9 };

/* linux/netlink.h and linux/netfilter/: the numbers of messages and attributes */
struct header {
    uint32_t len;
    uint16_t type, flags;
    uint32_t number, port;
    uint8_t family, version;
    uint16_t subsystem;
};
enum { FILTER = 12, TABLES = 10, BEGIN = 0x10, FINISH = 0x11, REQUEST = 1, ANSWER = 4, MAKE = 0xc00, NESTED = 0x8000 };
enum { NEW_TABLE = 0, DELETE_TABLE = 2, NEW_CHAIN = 3, NEW_RULE = 6 };

static int fail(const char *what) {
    fprintf(stderr, "guest-calls: %s: %s\n", what, strerror(errno));
    return 1;
}

static int hold(int result, const char *what) {
    if (result < 0)
        return fail(what);
    puts("held");
    fflush(stdout);
    pause();
    return 0;
}

static int filtered(char **command) {
    const struct instruction instructions[] = {
        {LOAD_WORD, 0, 0, 0},
        {JUMP_IF_EQUAL, 3, 0, SYS_init_module},
        {JUMP_IF_EQUAL, 2, 0, SYS_finit_module},
        {JUMP_IF_EQUAL, 1, 0, SYS_delete_module},
        {RETURN, 0, 0, ALLOW},
        {RETURN, 0, 0, FAIL | ENOSYS},
    };
    const struct filter filter = {sizeof instructions / sizeof *instructions, instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, MODE_FILTER, &filter))
        return fail("filter");
    execv(command[0], command);
    return fail(command[0]);
}

static int algorithm(const char *type, const char *name) {
    struct algorithm address = {.family = AF_ALG};
    strncpy((char *)address.type, type, sizeof address.type - 1);
    strncpy((char *)address.name, name, sizeof address.name - 1);
    int handle = socket(AF_ALG, SOCK_SEQPACKET, 0);
    return hold(handle < 0 ? handle : bind(handle, (struct sockaddr *)&address, sizeof address), name);
}

static int congestion(const char *name) {
    int handle = socket(AF_INET, SOCK_STREAM, 0);
    return hold(setsockopt(handle, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)), name);
}

static int layer(const char *name) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&address, size) || listen(server, 1) ||
        getsockname(server, (struct sockaddr *)&address, &size) ||
        connect(client, (struct sockaddr *)&address, size))
        return fail("connect");
    return hold(setsockopt(client, IPPROTO_TCP, TCP_ULP, name, strlen(name)), name);
}

static int control(unsigned call, const char *name, const char *type) {
    struct request request = {.mapped = {.version = {4, 0, 0}, .size = sizeof request}};
    request.mapped.start = offsetof(struct request, target);
    strncpy(request.mapped.name, name, sizeof request.mapped.name - 1);
    if (type) {
        request.mapped.targets = 1;
        request.target.length = 8;
        strncpy(request.target.type, type, sizeof request.target.type - 1);
    }
    int handle = open("/dev/mapper/control", O_RDWR);
    if (handle < 0 || ioctl(handle, _IOWR(0xfd, call, struct mapped), &request) < 0)
        return fail(name);
    return 0;
}

static uint8_t messages[2048];
static size_t used;

static size_t message(uint16_t type, uint16_t flags) {
    int is_frame = type == BEGIN || type == FINISH;
    struct header header = {.type = is_frame ? type : TABLES << 8 | type, .flags = REQUEST | flags};
    header.number = 1;
    header.family = is_frame ? 0 : 2;
    header.subsystem = is_frame ? htons(TABLES) : 0;
    memcpy(messages + used, &header, sizeof header);
    used += sizeof header;
    return used - sizeof header;
}

static size_t attribute(uint16_t type, const void *value, size_t len) {
    size_t start = used;
    uint16_t head[] = {4 + len, type};
    memcpy(messages + used, head, 4);
    memcpy(messages + used + 4, value, len);
    used += (4 + len + 3) & ~3;
    return start;
}

static void text(uint16_t type, const char *value) { attribute(type, value, strlen(value) + 1); }

/* The length of a message, or of an attribute with others in it, is known at its end. */
static void end_message(size_t start) { *(uint32_t *)(messages + start) = used - start; }
static void end_nested(size_t start) { *(uint16_t *)(messages + start) = used - start; }

static int send_messages(void) {
    struct { uint16_t family, padding; uint32_t port, groups; } kernel = {.family = AF_NETLINK};
    uint8_t answer[512];
    int handle = socket(AF_NETLINK, SOCK_RAW, FILTER);
    if (sendto(handle, messages, used, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return fail("rule");
    /* Behind the header of the answer is the error's number. */
    while (recv(handle, answer, sizeof answer, MSG_DONTWAIT) > 0)
        if ((errno = -*(int32_t *)(answer + 16)))
            return fail("rule");
    return 0;
}

static int rule(const char *kind) {
    int is_match = !strcmp(kind, "match");
    end_message(message(BEGIN, 0));
    size_t start = message(NEW_TABLE, MAKE | ANSWER);
    text(1, "made");
    end_message(start);
    start = message(NEW_CHAIN, MAKE | ANSWER);
    text(1, "made");
    text(3, "chain");
    end_message(start);
    start = message(NEW_RULE, MAKE | ANSWER);
    text(1, "made");
    text(2, "chain");
    size_t list = attribute(4 | NESTED, "", 0), one = attribute(1 | NESTED, "", 0);
    text(1, kind);
    size_t data = attribute(2 | NESTED, "", 0);
    if (is_match) {
        text(1, "mark");
        attribute(2, (uint8_t[]){0, 0, 0, 1}, 4);
        attribute(3, (uint8_t[16]){0}, 16);
    } else {
        attribute(1, (uint8_t[]){0, 0, 0, 0, 0, 1, 0, 0}, 8);
    }
    end_nested(data);
    end_nested(one);
    end_nested(list);
    end_message(start);
    end_message(message(FINISH, 0));
    return send_messages();
}

static int unrule(const char *table) {
    end_message(message(BEGIN, 0));
    size_t start = message(DELETE_TABLE, ANSWER);
    text(1, table);
    end_message(start);
    end_message(message(FINISH, 0));
    return send_messages();
}

int main(int count, char **arguments) {
    const char *what = count > 2 ? arguments[1] : "";
    if (!strcmp(what, "filtered"))
        return filtered(arguments + 2);
    if (!strcmp(what, "socket") && count == 5)
        return hold(socket(atoi(arguments[2]), atoi(arguments[3]), atoi(arguments[4])), "socket");
    if (!strcmp(what, "algorithm") && count == 4)
        return algorithm(arguments[2], arguments[3]);
    if (!strcmp(what, "congestion"))
        return congestion(arguments[2]);
    if (!strcmp(what, "layer"))
        return layer(arguments[2]);
    if (!strcmp(what, "map") && count == 4)
        return control(CREATE, arguments[2], NULL) || control(TABLE, arguments[2], arguments[3]) ||
               control(SUSPEND, arguments[2], NULL);
    if (!strcmp(what, "unmap"))
        return control(REMOVE, arguments[2], NULL);
    if (!strcmp(what, "rule"))
        return rule(arguments[2]);
    if (!strcmp(what, "unrule"))
        return unrule(arguments[2]);
    fprintf(stderr, "guest-calls: see guest-calls.c\n");
    return 2;
}
