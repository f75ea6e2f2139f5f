// A client for hexagonrpcd -p: it gets the node's descriptor from there, and hexagonrpcd's listener serves what
// the DSP needs to load the module. Ends the process on the DSP, and by that hexagonrpcd.
#include "plain_listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    static const char uri[] = "file:///libecho_skel.so?echo_skel_handle_invoke&_modver=1.0&_dom=cdsp";
    const char *descriptor = getenv("HEXAGONRPC_FD");
    if (!descriptor) {
        fprintf(stderr, "descriptor_client: HEXAGONRPC_FD is not set; hexagonrpcd -p sets it\n");
        return 64;
    }
    int node = atoi(descriptor);
    char reason[255] = "";
    uint32_t sent[2] = {sizeof uri, sizeof reason}, got[2] = {0, 0};
    const struct buffer open[] = {
        {sent, sizeof sent, -1}, {uri, sizeof uri, -1}, {got, sizeof got, -1}, {reason, sizeof reason, -1}};
    int status = call(node, 8, 0x02020200, open);
    printf("open1: %d, 0x%x %s\n", status, got[1], reason);
    int32_t values[100];
    uint32_t count = 100;
    int64_t total = 0;
    for (int i = 0; i < 100; i++) values[i] = i;
    const struct buffer sum[] = {{&count, 4, -1}, {values, sizeof values, -1}, {&total, 8, -1}};
    if (status == 0 && got[1] == 0) {
        status = call(node, got[0], 0x03020100, sum);
        printf("sum: %d, %lld\n", status, (long long)total);
    }
    // Before the end: with the process there hexagonrpcd ends, and it ends its clients.
    fflush(stdout);
    call(node, 4, 0x02000000, NULL);
    return total == 100 * 99 / 2 ? 0 : 1;
}
