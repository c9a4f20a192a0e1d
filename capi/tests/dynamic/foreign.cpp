// Two copies of hvloop in one program: the one that it is linked with, and `foreign LIBRARY`.
#include <dlfcn.h>

#include "hv/EventLoop.h"

template <class Function> static Function find(void *object, const char *name) {
    return reinterpret_cast<Function>(dlsym(object, name));
}

static const char *why(const char *text) { return strstr(text, "another copy") ? "another copy" : text; }

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    hlog_disable();
    void *const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    typedef decltype(&hvloop_loop_new) New;
    typedef decltype(&hvloop_loop_stop) Stop;
    typedef decltype(&hvloop_loop_release) Release;
    typedef decltype(&hvloop_last_error) LastError;
    const Stop their_stop = find<Stop>(library, "hvloop_loop_stop");
    const Release their_release = find<Release>(library, "hvloop_loop_release");
    const LastError their_error = find<LastError>(library, "hvloop_last_error");

    hvloop_loop *const ours = hvloop_loop_new(NULL);
    hvloop_loop *const theirs = find<New>(library, "hvloop_loop_new")(NULL);
    printf("copies: %d\n", their_stop != &hvloop_loop_stop);
    int error = hvloop_loop_stop(theirs);
    printf("theirs here: %d, %s\n", error == HVLOOP_ERROR_HANDLE, why(hvloop_last_error()));
    error = their_stop(ours);
    printf("ours there: %d, %s\n", error == HVLOOP_ERROR_HANDLE, why(their_error()));
    const hvloop_tcp_client *const client = hvloop_tcp_client_new(theirs);
    printf("a client: %d, %s\n", client == NULL, why(hvloop_last_error()));
    // Nor is it freed by the wrong one.
    hvloop_loop_release(theirs);
    their_release(ours);
    error = hvloop_loop_stop(ours);
    printf("each its own: %d %d\n", error, their_stop(theirs));
    hvloop_loop_release(ours);
    their_release(theirs);
    return 0;
}
