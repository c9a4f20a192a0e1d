/* Log lines by libhv's names, beside hvloop's own lines: to stderr, from warnings on, unless a handler, a file or
   another level is set. */
#ifndef HV_LOG_H_
#define HV_LOG_H_

#include "hplatform.h"

#include "../hvloop.h"

typedef enum {
    LOG_LEVEL_VERBOSE = 0,
    LOG_LEVEL_DEBUG = 1,
    LOG_LEVEL_INFO = 2,
    LOG_LEVEL_WARN = 3,
    LOG_LEVEL_ERROR = 4,
    LOG_LEVEL_FATAL = 5,
    LOG_LEVEL_SILENT = 6,
} log_level_e;

typedef void (*logger_handler)(int loglevel, const char *buf, int len);

/* A logger. The default one is hvloop's log, so that its level and its handler hold for hvloop's lines, too. */
typedef struct logger_s {
    logger_handler handler;
    FILE *file;
    char path[256];
    int level;
    int own; /* made by logger_create: knows nothing of hvloop's log */
} logger_t;

HV_INLINE int hvloop_log_level_of(int level) {
    switch (level) {
    case LOG_LEVEL_VERBOSE:
        return HVLOOP_LOG_LEVEL_TRACE;
    case LOG_LEVEL_DEBUG:
        return HVLOOP_LOG_LEVEL_DEBUG;
    case LOG_LEVEL_INFO:
        return HVLOOP_LOG_LEVEL_INFO;
    case LOG_LEVEL_WARN:
        return HVLOOP_LOG_LEVEL_WARN;
    case LOG_LEVEL_ERROR:
    case LOG_LEVEL_FATAL:
        return HVLOOP_LOG_LEVEL_ERROR;
    default:
        return level < LOG_LEVEL_VERBOSE ? HVLOOP_LOG_LEVEL_TRACE : HVLOOP_LOG_LEVEL_OFF;
    }
}

HV_INLINE int hvloop_log_level_from(int level) { return (int)LOG_LEVEL_ERROR + 1 - level; }

/* What writes a line somewhere: handlers, for logger_set_handler. */
HV_INLINE void stdout_logger(int loglevel, const char *buf, int len) {
    (void)loglevel;
    fprintf(stdout, "%.*s", len, buf);
}

HV_INLINE void stderr_logger(int loglevel, const char *buf, int len) {
    (void)loglevel;
    fprintf(stderr, "%.*s", len, buf);
}

/* One of the program, whatever has it: in C the linker keeps one. */
#ifdef __cplusplus
inline logger_t *hv_default_logger() {
    static logger_t logger = {NULL, NULL, {0}, LOG_LEVEL_WARN, 0};
    return &logger;
}
#else
__attribute__((weak)) logger_t hvloop_default_logger = {NULL, NULL, {0}, LOG_LEVEL_WARN, 0};

static inline logger_t *hv_default_logger(void) { return &hvloop_default_logger; }
#endif

/* A line without its end, to where the logger's lines go. */
HV_INLINE void hvloop_logger_tell(logger_t *logger, int level, const char *text) {
    static const char letters[] = "VDIWEF";
    const char letter = level >= LOG_LEVEL_VERBOSE && level <= LOG_LEVEL_FATAL ? letters[level] : '?';
    struct timeval now;
    struct tm parts;
    char stamp[32];
    char few[1024];
    char *line = few;
    int size;
    gettimeofday(&now, NULL);
    memset(&parts, 0, sizeof(parts));
    localtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &parts);
    size = snprintf(few, sizeof(few), "%s.%03d %c %s\n", stamp, (int)(now.tv_usec / 1000), letter, text);
    if (size >= (int)sizeof(few)) {
        line = (char *)malloc((size_t)size + 1);
        if (line == NULL) {
            return;
        }
        snprintf(line, (size_t)size + 1, "%s.%03d %c %s\n", stamp, (int)(now.tv_usec / 1000), letter, text);
    }
    if (logger->handler) {
        logger->handler(level, line, size);
    } else if (logger->file) {
        fwrite(line, 1, (size_t)size, logger->file);
        if (level >= LOG_LEVEL_WARN) {
            fflush(logger->file);
        }
    } else {
        stderr_logger(level, line, size);
    }
    if (line != few) {
        free(line);
    }
}

HV_INLINE void hvloop_logger_line(void *data, int level, const char *target, const char *text) {
    (void)target;
    hvloop_logger_tell((logger_t *)data, hvloop_log_level_from(level), text);
}

/* hvloop's lines, and these, go to the default logger's handler or file from now on. */
HV_INLINE void hvloop_logger_install(logger_t *logger) {
    hvloop_log_handler handler;
    if (logger->own) {
        return;
    }
    memset(&handler, 0, sizeof(handler));
    handler.call = hvloop_logger_line;
    handler.data = logger;
    hvloop_log_set_handler(handler);
    hvloop_log_set_level(hvloop_log_level_of(logger->level));
}

HV_INLINE logger_t *logger_create(void) {
    logger_t *logger = (logger_t *)calloc(1, sizeof(logger_t));
    if (logger) {
        logger->level = LOG_LEVEL_INFO;
        logger->own = 1;
    }
    return logger;
}

HV_INLINE void logger_set_level(logger_t *logger, int level) {
    logger->level = level;
    if (!logger->own) {
        hvloop_log_set_level(hvloop_log_level_of(level));
    }
}

HV_INLINE void logger_set_level_by_str(logger_t *logger, const char *level) {
    static const char *const names[] = {"VERBOSE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "SILENT"};
    int i;
    for (i = 0; i < (int)(sizeof(names) / sizeof(*names)); ++i) {
        if (strcasecmp(level, names[i]) == 0) {
            logger_set_level(logger, i);
        }
    }
}

/* NULL: lines go to the file, or to stderr, again. */
HV_INLINE void logger_set_handler(logger_t *logger, logger_handler handler) {
    logger->handler = handler;
    hvloop_logger_install(logger);
}

/* Lines are added to that file, which nobody ever cuts: see logrotate(8). */
HV_INLINE void logger_set_file(logger_t *logger, const char *path) {
    FILE *const before = logger->file;
    logger->file = fopen(path, "a");
    snprintf(logger->path, sizeof(logger->path), "%s", path);
    if (before) {
        fclose(before);
    }
    hvloop_logger_install(logger);
}

HV_INLINE const char *logger_get_cur_file(logger_t *logger) { return logger->path; }

HV_INLINE void logger_fsync(logger_t *logger) {
    if (logger->file) {
        fflush(logger->file);
        fsync(fileno(logger->file));
    }
}

HV_INLINE void logger_destroy(logger_t *logger) {
    if (logger && logger->own) {
        if (logger->file) {
            fclose(logger->file);
        }
        free(logger);
    }
}

/* Lines go to stderr again. */
HV_INLINE void hv_destroy_default_logger(void) {
    logger_t *const logger = hv_default_logger();
    hvloop_log_handler none;
    if (logger->handler == NULL && logger->file == NULL) {
        return;
    }
    memset(&none, 0, sizeof(none));
    hvloop_log_set_handler(none);
    logger->handler = NULL;
    if (logger->file) {
        fclose(logger->file);
        logger->file = NULL;
    }
}

/* How lines look, and how long files are kept, is not hvloop's to say. */
#define logger_set_format(logger, format) ((void)(logger), (void)(format))
#define logger_set_max_bufsize(logger, size) ((void)(logger), (void)(size))
#define logger_set_max_filesize(logger, size) ((void)(logger), (void)(size))
#define logger_set_max_filesize_by_str(logger, size) ((void)(logger), (void)(size))
#define logger_set_remain_days(logger, days) ((void)(logger), (void)(days))
#define logger_set_truncate_percent(logger, percent) ((void)(logger), (void)(percent))
#define logger_enable_color(logger, on) ((void)(logger), (void)(on))
#define logger_enable_fsync(logger, on) ((void)(logger), (void)(on))

#ifdef __GNUC__
__attribute__((format(printf, 3, 0)))
#endif
HV_INLINE int hvloop_logger_vprint(logger_t *logger, int level, const char *format, va_list arguments) {
    char few[1024];
    char *text = few;
    va_list again;
    int size;
    va_copy(again, arguments);
    size = vsnprintf(few, sizeof(few), format, arguments);
    if (size >= (int)sizeof(few)) {
        text = (char *)malloc((size_t)size + 1);
        if (text) {
            vsnprintf(text, (size_t)size + 1, format, again);
        }
    }
    va_end(again);
    if (size >= 0 && text) {
        if (logger->own) {
            hvloop_logger_tell(logger, level, text);
        } else {
            hvloop_log_write(hvloop_log_level_of(level), text);
        }
    }
    if (text != few) {
        free(text);
    }
    return size;
}

#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
HV_INLINE int logger_print(logger_t *logger, int level, const char *format, ...) {
    va_list arguments;
    int size;
    if (level < logger->level) {
        return 0;
    }
    va_start(arguments, format);
    size = hvloop_logger_vprint(logger, level, format, arguments);
    va_end(arguments);
    return size;
}

#define hlog hv_default_logger()
#define hlog_destory() hv_destroy_default_logger()
#define hlog_disable() logger_set_level(hlog, LOG_LEVEL_SILENT)
#define hlog_set_file(path) logger_set_file(hlog, path)
#define hlog_set_level(level) logger_set_level(hlog, level)
#define hlog_set_level_by_str(level) logger_set_level_by_str(hlog, level)
#define hlog_set_handler(handler) logger_set_handler(hlog, handler)
#define hlog_set_format(format) logger_set_format(hlog, format)
#define hlog_set_max_filesize(size) logger_set_max_filesize(hlog, size)
#define hlog_set_max_filesize_by_str(size) logger_set_max_filesize_by_str(hlog, size)
#define hlog_set_remain_days(days) logger_set_remain_days(hlog, days)
#define hlog_set_truncate_percent(percent) logger_set_truncate_percent(hlog, percent)
#define hlog_enable_fsync() logger_enable_fsync(hlog, 1)
#define hlog_disable_fsync() logger_enable_fsync(hlog, 0)
#define hlog_fsync() logger_fsync(hlog)
#define hlog_get_cur_file() logger_get_cur_file(hlog)

#define hlogd(...) logger_print(hlog, LOG_LEVEL_DEBUG, __VA_ARGS__)
#define hlogi(...) logger_print(hlog, LOG_LEVEL_INFO, __VA_ARGS__)
#define hlogw(...) logger_print(hlog, LOG_LEVEL_WARN, __VA_ARGS__)
#define hloge(...) logger_print(hlog, LOG_LEVEL_ERROR, __VA_ARGS__)
#define hlogf(...) logger_print(hlog, LOG_LEVEL_FATAL, __VA_ARGS__)

#if !defined(LOGD) && !defined(LOGI) && !defined(LOGW) && !defined(LOGE) && !defined(LOGF)
#define LOGD hlogd
#define LOGI hlogi
#define LOGW hlogw
#define LOGE hloge
#define LOGF hlogf
#endif

#endif /* HV_LOG_H_ */
