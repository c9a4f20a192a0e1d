// A C++ program that hosts a Rust plug-in on its loop, with an object of its own beside it: messages go both ways,
// and one stop() ends both.

#include <stdint.h>
#include <stdio.h>

#include <string>

#include "hv/EventLoop.h"

// What src/lib.rs has.
extern "C" {
struct plugin;
struct plugin_told {
    void (*call)(void *data, const unsigned char *text, size_t size);
    void *data;
};
plugin *plugin_start(const hvloop_loop *loop, plugin_told told);
void plugin_free(plugin *started);
}

namespace {

struct Program {
    hv::EventLoop loop;
    int told;

    Program() : told(0) {}

    void on_told(const std::string &text) {
        printf("c++ is told: %s\n", text.c_str());
        if (++told == 2) loop.stop();
    }

    static void call(void *data, const unsigned char *text, size_t size) {
        static_cast<Program *>(data)->on_told(std::string(reinterpret_cast<const char *>(text), size));
    }
};

} // namespace

int main() {
    Program program;
    const plugin_told told = {&Program::call, &program};
    plugin *started = plugin_start(program.loop.loop(), told);
    if (!started) {
        fprintf(stderr, "%s\n", hvloop_last_error());
        return 1;
    }
    program.loop.runInLoop([] { printf("c++ has its own tasks\n"); });

    hvloop_report report;
    if (hvloop_loop_run(program.loop.loop(), &report) != 0) {
        fprintf(stderr, "%s\n", hvloop_last_error());
        return 1;
    }
    plugin_free(started);
    printf("one report: %s\n", report.clean ? "clean" : "not clean");
    return report.clean ? 0 : 1;
}
