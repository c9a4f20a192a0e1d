// Log lines by libhv's macros go where the program wants them, and hvloop's own with them.
#include "hv/EventLoop.h"
#include "hv/hlog.h"

static void tell(int level, const char *buf, int len) {
    // Behind the time: the level's letter, and the text.
    std::string line(buf, (size_t)len);
    printf("%d|%s", level, line.substr(24).c_str());
}

static void own(int, const char *buf, int len) { printf("own|%s", std::string(buf, (size_t)len).substr(24).c_str()); }

int main() {
    hlog_set_handler(tell);
    hlogi("too quiet to be told");
    hlogw("%s %d", "a warning of", 7);
    hlog_set_level(LOG_LEVEL_INFO);
    LOGI("now it is told");
    LOGD("and this is not");
    hlog_set_level_by_str("ERROR");
    hlogw("nor this");
    hloge("%s", std::string(2000, 'x').substr(0, 3).c_str());
    std::string wide(3000, 'w');
    hloge("%s", wide.c_str());

    // What hvloop says itself.
    hv::EventLoop loop;
    loop.runInLoop([]() { throw std::runtime_error("out of the blue"); });
    loop.runInLoop([&loop]() { loop.stop(); });
    loop.run();

    hlog_disable();
    hlogf("not even this");

    logger_t *logger = logger_create();
    logger_set_handler(logger, own);
    logger_print(logger, LOG_LEVEL_INFO, "%s", "of its own");
    logger_print(logger, LOG_LEVEL_DEBUG, "%s", "not told");
    logger_destroy(logger);
    hv_destroy_default_logger();
    return 0;
}
