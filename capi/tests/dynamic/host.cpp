// Loads a plug-in, and gives it up again: `host PLUGIN LIBRARY`. It is not linked with hvloop.
#include <dlfcn.h>
#include <stdio.h>

template <class Function> static Function find(void *object, const char *name) {
    void *const found = dlsym(object, name);
    if (!found) fprintf(stderr, "%s: %s\n", name, dlerror());
    return reinterpret_cast<Function>(found);
}

static bool loaded(const char *path) {
    void *const object = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (object) dlclose(object);
    return object != NULL;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    void *thread = NULL;
    for (int round = 0; round < 3; ++round) {
        void *const plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (!plugin) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        printf("work: %d\n", find<int (*)()>(plugin, "work")());
        if (round == 2) thread = find<void *(*)()>(plugin, "leave")();
        dlclose(plugin);
        printf("plug-in: %d, library: %d\n", loaded(argv[1]), loaded(argv[2]));
    }
    // Its code is still there for the thread that runs it.
    void *const library = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
    typedef int (*Call)(void *);
    printf("runs: %d\n", find<Call>(library, "hvloop_thread_is_running")(thread));
    printf("stopped: %d\n", find<Call>(library, "hvloop_thread_stop")(thread));
    printf("joined: %d\n", find<int (*)(void *, void *)>(library, "hvloop_thread_join")(thread, NULL));
    find<void (*)(void *)>(library, "hvloop_thread_free")(thread);
    dlclose(library);
    return 0;
}
