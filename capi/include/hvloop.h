/* hvloop for C: event loops, timers, TCP, UDP, Unix sockets, TLS, WebSocket, and a stop that closes every
   socket. Generated from capi/src by capi/header.sh: edit the sources. */

#ifndef HVLOOP_H
#define HVLOOP_H

#include <stddef.h>
#include <stdint.h>

/**
 * hvloop for C and C++. `hvloop.h` declares the functions of this crate, and the headers in `hv` have libhv's
 * classes on top of them; this page is the ABI's rules. Rust programs need this crate to share a loop with C or
 * C++: see `share`.
 *
 * # The rules
 *
 * - **Handles** are opaque. Those with `_retain` and `_release` are counted; a function that gives one gives
 *   a count with it. Each function may be called on any thread, unless it says otherwise.
 * - **Errors.** A function that can fail returns a negative `hvloop_error`, NULL, or 0
 *   where it else returns the number of something; `hvloop_last_error` has the text, of each thread its own. A
 *   NULL that must not be is an error, and so are a handle of another kind, text that is not in UTF-8, and
 *   a panic: none gets out.
 * - **Callbacks** are `{ call, drop, data }` by value. `drop` runs exactly once, after the last `call`: on the
 *   loop's thread if the loop took it, else before the function returns that refuses it. No callback runs within
 *   a function of the ABI, but `hvloop_loop_run_in_loop` on the loop's thread. No exception may leave
 *   one: the C++ headers catch them.
 * - **Lifetime.** After a `_free` has returned none of the object's callbacks runs.
 * - **Bytes and texts** that are given are copied, or used, before the function returns. Those that a callback
 *   gets are valid for its time.
 * - **Times** are milliseconds in `int64_t`; -1 is none, where there may be none.
 * - `hvloop_abi_version()` is to be `HVLOOP_ABI_VERSION`.
 *
 * This is the only crate of hvloop with `unsafe` code: pointers come from C, and its word is taken for what the
 * functions say under "Safety".
 */

/**
 * There is something to read, or the end; to be looked for, or found.
 */
#define HVLOOP_READABLE 1

/**
 * There is room to write; to be looked for, or found.
 */
#define HVLOOP_WRITABLE 2

/**
 * The longest delimiter, in bytes.
 */
#define HVLOOP_MAX_DELIMITER 16

/**
 * The most bytes that a place has.
 */
#define HVLOOP_PLACE_SIZE 128

/**
 * As many attempts as it takes, for `hvloop_reconnect`.
 */
#define HVLOOP_ENDLESS UINT32_MAX

/**
 * As often as the loop runs, for `hvloop_loop_set_timer` and its likes.
 */
#define HVLOOP_FOREVER UINT32_MAX

/**
 * The version of the ABI that `hvloop.h` declares. Programs compare it with `hvloop_abi_version`, as the C++
 * headers do: it changes with each change that old programs would not survive.
 */
#define HVLOOP_ABI_VERSION 1

/**
 * What a function of the ABI returns if it failed: a negative number that never gets another meaning. 0, or a
 * positive number, is success. `hvloop_last_error` has the text.
 */
enum hvloop_error
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * A pointer was NULL that must not be.
     */
    HVLOOP_ERROR_NULL = -1,
    /**
     * hvloop's own code panicked, or Rust code that it called.
     */
    HVLOOP_ERROR_PANIC = -2,
    /**
     * An argument is out of its range, or no text in UTF-8.
     */
    HVLOOP_ERROR_ARGUMENT = -3,
    /**
     * The loop takes no more work, as it has stopped or is about to.
     */
    HVLOOP_ERROR_CLOSED = -4,
    /**
     * It cannot be done in this state: the loop is running already, the thread was started before.
     */
    HVLOOP_ERROR_STATE = -5,
    /**
     * The connection is not open.
     */
    HVLOOP_ERROR_NOT_OPEN = -6,
    /**
     * The send queue has no room; nothing was taken.
     */
    HVLOOP_ERROR_FULL = -7,
    /**
     * The system failed.
     */
    HVLOOP_ERROR_IO = -8,
    /**
     * TLS failed, or a certificate or key is no good.
     */
    HVLOOP_ERROR_TLS = -9,
    /**
     * The time was over.
     */
    HVLOOP_ERROR_TIMEOUT = -10,
    /**
     * There is none.
     */
    HVLOOP_ERROR_NOT_FOUND = -11,
    /**
     * It has to be called on the loop's thread; or must not be, as it would wait for itself.
     */
    HVLOOP_ERROR_THREAD = -12,
    /**
     * hvloop does not do this.
     */
    HVLOOP_ERROR_UNSUPPORTED = -13,
    /**
     * The handle is none of this copy of the library, not of this kind, or was freed.
     */
    HVLOOP_ERROR_HANDLE = -14,
};
#ifndef __cplusplus
typedef int32_t hvloop_error;
#endif // __cplusplus

/**
 * What is behind a `hvloop_io`.
 */
enum hvloop_io_kind
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * A stream: TCP, TLS, Unix.
     */
    HVLOOP_IO_KIND_STREAM = 1,
    /**
     * A UDP socket.
     */
    HVLOOP_IO_KIND_DATAGRAM = 2,
    /**
     * A WebSocket, of either side.
     */
    HVLOOP_IO_KIND_WEBSOCKET = 3,
    /**
     * A descriptor of the user's.
     */
    HVLOOP_IO_KIND_FOREIGN = 4,
};
#ifndef __cplusplus
typedef int32_t hvloop_io_kind;
#endif // __cplusplus

/**
 * How a length is written.
 */
enum hvloop_length_coding
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * The most significant byte first.
     */
    HVLOOP_LENGTH_CODING_BIG_ENDIAN = 0,
    /**
     * The least significant byte first.
     */
    HVLOOP_LENGTH_CODING_LITTLE_ENDIAN = 1,
    /**
     * Seven bits a byte, the least significant first; all bytes but the last have their top bit set.
     */
    HVLOOP_LENGTH_CODING_VARINT = 2,
};
#ifndef __cplusplus
typedef int32_t hvloop_length_coding;
#endif // __cplusplus

/**
 * How a loop is chosen for new work.
 */
enum hvloop_load_balance
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * One after the other.
     */
    HVLOOP_LOAD_BALANCE_ROUND_ROBIN = 0,
    /**
     * Any one.
     */
    HVLOOP_LOAD_BALANCE_RANDOM = 1,
    /**
     * The one with the fewest connections.
     */
    HVLOOP_LOAD_BALANCE_LEAST_CONNECTIONS = 2,
};
#ifndef __cplusplus
typedef int32_t hvloop_load_balance;
#endif // __cplusplus

/**
 * How much a line matters.
 */
enum hvloop_log_level
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * Nothing at all, for `hvloop_log_set_level`.
     */
    HVLOOP_LOG_LEVEL_OFF = 0,
    /**
     * Something was lost, or does not work.
     */
    HVLOOP_LOG_LEVEL_ERROR = 1,
    /**
     * Something that should not be.
     */
    HVLOOP_LOG_LEVEL_WARN = 2,
    /**
     * What an operator may want to know.
     */
    HVLOOP_LOG_LEVEL_INFO = 3,
    /**
     * What a developer may want to know.
     */
    HVLOOP_LOG_LEVEL_DEBUG = 4,
    /**
     * Each step.
     */
    HVLOOP_LOG_LEVEL_TRACE = 5,
};
#ifndef __cplusplus
typedef int32_t hvloop_log_level;
#endif // __cplusplus

/**
 * Where a loop is in its life.
 */
enum hvloop_status
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * No thread has run it yet.
     */
    HVLOOP_STATUS_IDLE = 0,
    /**
     * A thread runs it.
     */
    HVLOOP_STATUS_RUNNING = 1,
    /**
     * A thread runs it, but no callback runs until it is resumed or stopped.
     */
    HVLOOP_STATUS_PAUSED = 2,
    /**
     * It was told to stop: connections finish.
     */
    HVLOOP_STATUS_DRAINING = 3,
    /**
     * Every connection is closed; what was accepted before runs.
     */
    HVLOOP_STATUS_CLOSING = 4,
    /**
     * It has stopped, for good.
     */
    HVLOOP_STATUS_STOPPED = 5,
};
#ifndef __cplusplus
typedef int32_t hvloop_status;
#endif // __cplusplus

/**
 * By what a stream is cut into packages.
 */
enum hvloop_unpack_mode
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * Packages of `fixed_length` bytes each.
     */
    HVLOOP_UNPACK_MODE_FIXED_LENGTH = 1,
    /**
     * Packages that end with `delimiter`, which is part of them.
     */
    HVLOOP_UNPACK_MODE_DELIMITER = 2,
    /**
     * Packages that say their length in their head.
     */
    HVLOOP_UNPACK_MODE_LENGTH_FIELD = 3,
};
#ifndef __cplusplus
typedef int32_t hvloop_unpack_mode;
#endif // __cplusplus

/**
 * Where a WebSocket is in its life.
 */
enum hvloop_ws_state
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
    /**
     * Nothing is there; or it has ended.
     */
    HVLOOP_WS_STATE_CLOSED = 0,
    /**
     * A client's attempt is under way: DNS, connect, TLS, the upgrade.
     */
    HVLOOP_WS_STATE_CONNECTING = 1,
    /**
     * Messages go both ways.
     */
    HVLOOP_WS_STATE_OPEN = 2,
    /**
     * The close handshake is under way.
     */
    HVLOOP_WS_STATE_CLOSING = 3,
    /**
     * A client waits to connect again.
     */
    HVLOOP_WS_STATE_BACKING_OFF = 4,
};
#ifndef __cplusplus
typedef int32_t hvloop_ws_state;
#endif // __cplusplus

/**
 * Keeps a stopping loop draining. See `hvloop_loop_hold`.
 */
typedef struct hvloop_hold hvloop_hold;

/**
 * A request. It is valid for the time of the callback that gets it, as are all texts of it, which are the
 * bytes that came and need not be in UTF-8.
 */
typedef struct hvloop_http_request hvloop_http_request;

/**
 * An answer: one that a callback is to fill in, or that a server gave to a client's upgrade. Texts and bytes of
 * it are valid for as long as it is and nothing of it is changed. One thread at a time.
 */
typedef struct hvloop_http_response hvloop_http_response;

/**
 * Anything with a descriptor: a connection, a datagram socket, a WebSocket, a descriptor of the user's. There is
 * one handle for each, which all of its callbacks are given. Counted: `hvloop_io_retain` and
 * `hvloop_io_release`. Each function may be called on any thread, unless it says otherwise. When the connection
 * has ended, its functions say so; they never reach another one.
 */
typedef struct hvloop_io hvloop_io;

/**
 * A loop. Counted: `hvloop_loop_retain` and `hvloop_loop_release`. Each function may be called on any thread,
 * unless it says otherwise. A loop has one handle, however often it is asked for.
 */
typedef struct hvloop_loop hvloop_loop;

/**
 * Options of a loop, for `hvloop_loop_new` and `hvloop_pool_new`. Any thread.
 */
typedef struct hvloop_loop_options hvloop_loop_options;

/**
 * Several loops, each on a thread of its own. Any thread.
 */
typedef struct hvloop_pool hvloop_pool;

/**
 * A client of TCP, TLS or Unix streams: one connection at a time. Each function may be called on any thread, also
 * in the client's own callbacks.
 */
typedef struct hvloop_tcp_client hvloop_tcp_client;

/**
 * A server of TCP, TLS or Unix streams. Each function may be called on any thread, also in the server's own
 * callbacks.
 */
typedef struct hvloop_tcp_server hvloop_tcp_server;

/**
 * A loop on a thread of its own. Any thread.
 */
typedef struct hvloop_thread hvloop_thread;

/**
 * How clients do TLS: whom they trust, and what they show of themselves. Counted: `hvloop_tls_client_retain` and
 * `hvloop_tls_client_release`; shared by any number of clients. Any thread.
 */
typedef struct hvloop_tls_client hvloop_tls_client;

/**
 * How servers do TLS: what they show of themselves, and whom they let in. Counted: `hvloop_tls_server_retain` and
 * `hvloop_tls_server_release`; shared by any number of servers. Any thread.
 */
typedef struct hvloop_tls_server hvloop_tls_server;

/**
 * A UDP socket: with one peer, or at an address where anybody may send to. Each function may be called on any
 * thread, also in its own callbacks.
 */
typedef struct hvloop_udp hvloop_udp;

/**
 * A WebSocket client, on a loop of the program's or on one that it brings, which has a thread of its own. Freed by
 * `hvloop_ws_client_free`. Each function may be called on any thread.
 */
typedef struct hvloop_ws_client hvloop_ws_client;

/**
 * A WebSocket server, which answers plain HTTP, too. Freed by `hvloop_ws_server_free`. Any thread.
 */
typedef struct hvloop_ws_server hvloop_ws_server;

/**
 * What a server does with the connections of a path; also of several paths, and of several servers. Freed by
 * `hvloop_ws_service_free`. Any thread.
 */
typedef struct hvloop_ws_service hvloop_ws_service;

/**
 * Who is told the addresses of a host: `call(data, addresses, count, error)`, once, on the loop's thread.
 * `addresses` are so many `struct sockaddr_storage`; `error` is NULL, or says why there are none. Both are valid for
 * the call. `drop(data)`, unless it is NULL, comes exactly once, after the call or in its place: on the loop's
 * thread, or before the function returns that refuses it.
 */
typedef struct hvloop_dns_callback {
    /**
     * What is called. Not NULL.
     */
    void (*call)(void *data, const void *addresses, size_t count, const char *error);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_dns_callback;

/**
 * What running, or joining, a loop returns: how its stop went.
 */
typedef struct hvloop_report {
    /**
     * Connections that were open at the stop, finished in order and were closed.
     */
    uint64_t closed_cleanly;
    /**
     * Connections that the deadline closed by force.
     */
    uint64_t forced;
    /**
     * Connections that ended for a reason of their own meanwhile.
     */
    uint64_t failed;
    /**
     * Connects under way at the stop that were given up.
     */
    uint64_t aborted_connects;
    /**
     * Bytes that were accepted for sending, and that no socket had taken at the end.
     */
    uint64_t lost_bytes;
    /**
     * Tasks that ran after the stop was noticed.
     */
    uint64_t tasks_run;
    /**
     * How many connections and holds were still there when the deadline passed.
     */
    uint64_t still_held;
    /**
     * From noticing the stop to its end, in milliseconds.
     */
    int64_t elapsed_ms;
    /**
     * 1: nothing had to be forced, and nothing was left; else 0.
     */
    int32_t clean;
} hvloop_report;

/**
 * What is called when a descriptor is ready, on the loop's thread: `call(data, io, ready)`, where `ready` has
 * `HVLOOP_READABLE`, `HVLOOP_WRITABLE` or both. `drop(data)`, unless it is NULL, comes exactly once, after the
 * last call, when the descriptor is off the loop.
 */
typedef struct hvloop_fd_callback {
    /**
     * What is called. Not NULL.
     */
    void (*call)(void *data, struct hvloop_io *io, int ready);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_fd_callback;

/**
 * How a stream is cut into packages, each of which `on_message` gets whole, head and delimiter included. Copied
 * where it is given.
 */
typedef struct hvloop_unpack {
    /**
     * A `hvloop_unpack_mode`. What is of another mode does not count.
     */
    int mode;
    /**
     * The most bytes of a package, head and delimiter included; 0: 2 MiB. One that is longer ends the connection.
     */
    uint32_t max_size;
    /**
     * The bytes of each package.
     */
    uint32_t fixed_length;
    /**
     * The delimiter.
     */
    uint8_t delimiter[HVLOOP_MAX_DELIMITER];
    /**
     * How many bytes it has, from 1 to 16.
     */
    uint16_t delimiter_size;
    /**
     * Where the body begins: the length of the head.
     */
    uint16_t body_offset;
    /**
     * Where the length is.
     */
    uint16_t length_offset;
    /**
     * How many bytes the length has, from 1 to 8; of a varint, how many of them `body_offset` counts.
     */
    uint16_t length_size;
    /**
     * What to add to the length to get that of the body. If it counts the whole package: minus the head's.
     */
    int32_t length_adjustment;
    /**
     * A `hvloop_length_coding`.
     */
    int length_coding;
} hvloop_unpack;

/**
 * Something to be done once: `call(data)`. `drop(data)`, unless it is NULL, follows, or comes instead, exactly
 * once: on the loop's thread, or before the function returns that refuses the task.
 */
typedef struct hvloop_task {
    /**
     * What is called. Not NULL.
     */
    void (*call)(void *data);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_task;

/**
 * What is called of a stream, on its loop's thread; each may be NULL. `io` is the connection's one handle, valid
 * for the time of the call: `hvloop_io_retain` keeps it. `drop(data)`, unless it is NULL, comes exactly once,
 * after the last call.
 */
typedef struct hvloop_io_callbacks {
    /**
     * The connection is up, TLS included.
     */
    void (*on_open)(void *data, struct hvloop_io *io);
    /**
     * Bytes came, or a package. They are the callback's for its time, also to be changed.
     */
    void (*on_message)(void *data, struct hvloop_io *io, const void *bytes, size_t size);
    /**
     * All that was accepted for sending has been sent: so many bytes since the last time.
     */
    void (*on_write_complete)(void *data, struct hvloop_io *io, size_t size);
    /**
     * It has ended: exactly once for each attempt of a client, and for each connection of a server that came up,
     * as its last callback. `io` is NULL if it never came up. `error` is a number of the system's (`errno.h`), 0
     * if it ended in order; `reason` says it in words.
     */
    void (*on_close)(void *data, struct hvloop_io *io, int error, const char *reason);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What all are called with.
     */
    void *data;
} hvloop_io_callbacks;

/**
 * Who is told each line: `call(data, level, target, text)`, on any thread, on several at a time. `level` is a
 * `hvloop_log_level`; both texts are valid for the call, and `target` says who speaks. `drop(data)`, unless it is
 * NULL, comes exactly once, after the last call.
 */
typedef struct hvloop_log_handler {
    /**
     * What is called. NULL: lines go to stderr.
     */
    void (*call)(void *data, int level, const char *target, const char *text);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_log_handler;

/**
 * Counters of a loop. See `hvloop_loop_metrics`.
 */
typedef struct hvloop_metrics {
    /**
     * Turns of the loop.
     */
    uint64_t ticks;
    /**
     * Tasks run.
     */
    uint64_t tasks;
    /**
     * Timer callbacks run.
     */
    uint64_t timers_fired;
    /**
     * Timers armed now.
     */
    uint64_t timers;
    /**
     * Connections now, those still connecting included.
     */
    uint64_t connections;
    /**
     * Connections accepted by listeners.
     */
    uint64_t accepted;
    /**
     * Times that a listener could not accept for want of descriptors or memory.
     */
    uint64_t accept_errors;
    /**
     * Bytes read from sockets.
     */
    uint64_t bytes_in;
    /**
     * Bytes written to sockets.
     */
    uint64_t bytes_out;
    /**
     * Bytes of memory that connections hold.
     */
    uint64_t memory;
    /**
     * Connections closed since they held too much memory.
     */
    uint64_t memory_closes;
    /**
     * Panics caught in callbacks.
     */
    uint64_t panics;
    /**
     * The longest that a callback ran, in milliseconds.
     */
    int64_t longest_callback_ms;
    /**
     * What keeps a stopping loop draining: sockets, connects, holds.
     */
    uint64_t holds;
} hvloop_metrics;

/**
 * What each thread of a pool calls before its loop runs, or after: `call(data, n)`, on several threads at a
 * time. `drop(data)`, unless it is NULL, comes exactly once, after the last call.
 */
typedef struct hvloop_pool_hook {
    /**
     * What is called, with the number of the thread. NULL: nothing is.
     */
    void (*call)(void *data, size_t n);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_pool_hook;

/**
 * What a signal calls: `call(data, signum)`, on the loop's thread. `drop(data)`, unless it is NULL, comes exactly
 * once, after the last call: on the loop's thread, or before the function returns that refuses it.
 */
typedef struct hvloop_signal_callback {
    /**
     * What is called, with the number of the signal. Not NULL.
     */
    void (*call)(void *data, int signum);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_signal_callback;

/**
 * When a client connects again after a connection, or an attempt, has ended. Copied where it is given.
 */
typedef struct hvloop_reconnect {
    /**
     * The first delay, in milliseconds; not 0.
     */
    uint32_t min_delay_ms;
    /**
     * What the delays grow to, in milliseconds; not less than the first.
     */
    uint32_t max_delay_ms;
    /**
     * How they grow: 0 not at all, 1 by the first delay each time, 2 and more times this number each time.
     */
    uint32_t delay_policy;
    /**
     * How many attempts may follow one another without a session that lasted 5 s; `HVLOOP_ENDLESS`: any number.
     */
    uint32_t max_retries;
    /**
     * How much of each delay is left to chance, from 0 to 1: it becomes shorter by so much at the most.
     */
    double jitter;
} hvloop_reconnect;

/**
 * What a timer, or an idle callback, calls: `call(data, id)`. `drop(data)`, unless it is NULL, comes exactly
 * once, after the last call: on the loop's thread, or before the function returns that refuses it.
 */
typedef struct hvloop_timer_callback {
    /**
     * What is called, with the id of the timer. Not NULL.
     */
    void (*call)(void *data, uint64_t id);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_timer_callback;

/**
 * What is called of a UDP socket, on its loop's thread; each may be NULL. `io` is the socket's one handle, valid
 * for the time of the call: `hvloop_io_retain` keeps it. `drop(data)`, unless it is NULL, comes exactly once,
 * after the last call.
 */
typedef struct hvloop_udp_callbacks {
    /**
     * A datagram came, from a `struct sockaddr` of so many bytes.
     */
    void (*on_message)(void *data,
                       struct hvloop_io *io,
                       const void *bytes,
                       size_t size,
                       const void *address,
                       uint32_t length);
    /**
     * All that had to wait has been sent: so many bytes since the last time.
     */
    void (*on_write_complete)(void *data, struct hvloop_io *io, size_t size);
    /**
     * What the system said against a datagram, such as that nobody listens at the peer's port, or against joining a
     * group; the socket goes on. `error` is a number of the system's (`errno.h`), `reason` says it in words.
     */
    void (*on_error)(void *data, struct hvloop_io *io, int error, const char *reason);
    /**
     * It is closed: exactly once for each `hvloop_udp_start` that was accepted, as its last callback. `error` is 0
     * if it ended in order. `io` is not NULL.
     */
    void (*on_close)(void *data, struct hvloop_io *io, int error, const char *reason);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What all are called with.
     */
    void *data;
} hvloop_udp_callbacks;

/**
 * What is called of a WebSocket, on its loop's thread; each may be NULL. `io` is the connection's one handle, valid
 * for the time of the call: `hvloop_io_retain` keeps it. `drop(data)`, unless it is NULL, comes exactly once,
 * after the last call.
 */
typedef struct hvloop_ws_callbacks {
    /**
     * Messages go both ways. Of a server `request` is what the client asked with, of a client `response` what the
     * server answered; the other one is NULL.
     */
    void (*on_open)(void *data,
                    struct hvloop_io *io,
                    const struct hvloop_http_request *request,
                    const struct hvloop_http_response *response);
    /**
     * A message, whole: a text in UTF-8, without a NUL behind it (`opcode` 1), or bytes (2).
     */
    void (*on_message)(void *data, struct hvloop_io *io, int opcode, const void *bytes, size_t size);
    /**
     * The send queue, having been over half of its limit or having refused a message, has room again.
     */
    void (*on_drain)(void *data, struct hvloop_io *io);
    /**
     * It has ended: exactly once for each attempt of a client, and for each connection of a server that was open,
     * as its last callback. `io` is NULL if it never was open. `code` and `reason` are those of the peer's Close:
     * 1005 if that had none, 1006 if there was no Close. `error` is a number of the system's (`errno.h`), 0 if it
     * ended in order; `text` says it in words.
     */
    void (*on_close)(void *data,
                     struct hvloop_io *io,
                     int code,
                     const char *reason,
                     int error,
                     const char *text);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What all are called with.
     */
    void *data;
} hvloop_ws_callbacks;

/**
 * What answers requests: `call(data, request, answer)` on a loop's thread, of several loops at a time. Both are
 * valid for the time of the call, in which `answer` is filled in. `drop(data)`, unless it is NULL, comes exactly
 * once, after the last call.
 */
typedef struct hvloop_http_callback {
    /**
     * What is called; what it returns means what the function says that gets this. Not NULL.
     */
    int (*call)(void *data, const struct hvloop_http_request *request, struct hvloop_http_response *answer);
    /**
     * How `data` is given up; NULL: there is nothing to be done.
     */
    void (*drop)(void *data);
    /**
     * What both are called with.
     */
    void *data;
} hvloop_http_callback;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Looks up the addresses of a host, which get that port, on a thread of its own. `id`, if it is not NULL, gets a
 * number for `hvloop_loop_cancel_resolve`. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop; a text that ends with a NUL; the callback may be called, and dropped, on the loop's thread; NULL, or a
 * place for a number.
 */
int hvloop_loop_resolve(const struct hvloop_loop *event_loop,
                        const char *host,
                        int port,
                        struct hvloop_dns_callback callback,
                        uint64_t *id);

/**
 * Gives a lookup up: its callback is dropped. On the loop's thread it is not called after this; from another one it
 * still may be until the loop gets to know. 0, also if there is none, or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_cancel_resolve(const struct hvloop_loop *event_loop,
                               uint64_t id);

/**
 * The name of an error, such as "argument"; "ok" of what is no error, "unknown" of a number that is none.
 * Static text.
 */
const char *hvloop_error_name(int32_t error);

/**
 * A loop with these options; NULL: the defaults. One count is the caller's. NULL if it fails.
 *
 * The arguments:
 * NULL, or options.
 */
struct hvloop_loop *hvloop_loop_new(const struct hvloop_loop_options *options);

/**
 * One more count of a loop, which is returned. NULL if it is none.
 *
 * The arguments:
 * A loop.
 */
struct hvloop_loop *hvloop_loop_retain(struct hvloop_loop *event_loop);

/**
 * Gives a count of a loop back. NULL is allowed. A loop that runs goes on without one.
 *
 * The arguments:
 * NULL, or a loop; the count is the caller's.
 */
void hvloop_loop_release(struct hvloop_loop *event_loop);

/**
 * The loop in whose callback the calling thread is, with one count for the caller. NULL outside of callbacks.
 */
struct hvloop_loop *hvloop_loop_current(void);

/**
 * The number of a loop, which no other loop of the process has. 0 if it is none.
 *
 * The arguments:
 * A loop.
 */
uint64_t hvloop_loop_id(const struct hvloop_loop *event_loop);

/**
 * Runs a loop on this thread until it has stopped. `report`, if it is not NULL, is told how that went. 0 or a
 * negative `hvloop_error`.
 *
 * The arguments:
 * A loop; NULL, or a place for a report.
 */
int hvloop_loop_run(const struct hvloop_loop *event_loop, struct hvloop_report *report);

/**
 * Turns a loop once on this thread, which is the loop's from then on, waiting so many milliseconds at the most
 * for something to do (-1: without limit). 1: call again; 0: it has stopped, and `report`, if it is not NULL,
 * says how; or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop; NULL, or a place for a report.
 */
int hvloop_loop_run_once(const struct hvloop_loop *event_loop,
                         int64_t timeout_ms,
                         struct hvloop_report *report);

/**
 * Asks a loop to stop: its connections finish, what is left when the time is over is closed by force, and then
 * `hvloop_loop_run` returns. Never waits. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_stop(const struct hvloop_loop *event_loop);

/**
 * As `hvloop_loop_stop`, within so many milliseconds; 0: at once, by force.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_stop_with(const struct hvloop_loop *event_loop, int64_t timeout_ms);

/**
 * Waits until a loop has stopped, so many milliseconds at the most (-1: without limit). 0, or a negative
 * `hvloop_error`: the time was over, or this is the loop's own thread, which would wait for itself.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_wait_stopped(const struct hvloop_loop *event_loop, int64_t timeout_ms);

/**
 * Lets no callback run until `hvloop_loop_resume`, or a stop. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_pause(const struct hvloop_loop *event_loop);

/**
 * Ends a pause. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_resume(const struct hvloop_loop *event_loop);

/**
 * Where a loop is in its life: a `hvloop_status`, or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_status(const struct hvloop_loop *event_loop);

/**
 * 1: this is the loop's thread; 0: it is not; or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_is_in_loop_thread(const struct hvloop_loop *event_loop);

/**
 * How the stop of a loop went that has stopped. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop; NULL, or a place for a report.
 */
int hvloop_loop_report(const struct hvloop_loop *event_loop, struct hvloop_report *report);

/**
 * Keeps a pointer with a loop, for `hvloop_loop_binding`; `drop`, if it is not NULL, is called with the one
 * that it replaces, or with this one when the loop's handle goes, at the latest. 0 or a negative
 * `hvloop_error`; `drop` was called then.
 *
 * The arguments:
 * A loop; `drop` may be called with `data` on any thread.
 */
int hvloop_loop_set_binding(const struct hvloop_loop *event_loop, void *data, void (*drop)(void *data));

/**
 * Keeps a pointer with a loop as `hvloop_loop_set_binding` does, unless there is one: then `drop`, if it is not
 * NULL, is called. The pointer that is kept; NULL if it fails: `drop` was called then, too.
 *
 * The arguments:
 * As `hvloop_loop_set_binding`.
 */
void *hvloop_loop_bind_once(const struct hvloop_loop *event_loop,
                            void *data,
                            void (*drop)(void *data));

/**
 * The pointer that was kept with a loop; NULL: none. It is valid for as long as nobody replaces it.
 *
 * The arguments:
 * A loop.
 */
void *hvloop_loop_binding(const struct hvloop_loop *event_loop);

/**
 * Keeps a loop that stops draining until `hvloop_hold_release`, or its deadline: for work elsewhere that will
 * come back to the loop. `name` is what the log calls it. NULL if it fails.
 *
 * The arguments:
 * A loop, and a text that ends with a NUL.
 */
struct hvloop_hold *hvloop_loop_hold(const struct hvloop_loop *event_loop, const char *name);

/**
 * Ends a hold. NULL is allowed.
 *
 * The arguments:
 * NULL, or a hold, which nobody uses any more.
 */
void hvloop_hold_release(struct hvloop_hold *hold);

/**
 * The descriptor on which a host may wait that drives the loop by `hvloop_loop_run_once`: on the loop's thread.
 * A negative `hvloop_error` elsewhere.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_backend_fd(const struct hvloop_loop *event_loop);

/**
 * Before a host waits on `hvloop_loop_backend_fd`, on the loop's thread: how many milliseconds it may at the
 * most (-1: without limit), or another negative `hvloop_error`. Then it calls `hvloop_loop_run_once` with 0.
 *
 * The arguments:
 * A loop.
 */
int64_t hvloop_loop_prepare_wait(const struct hvloop_loop *event_loop);

/**
 * The method, such as "GET". NULL if it is no request.
 *
 * The arguments:
 * A request, inside its callback.
 */
const char *hvloop_http_request_method(const struct hvloop_http_request *request);

/**
 * The path, percent-encoded as the client spelled it, without the query. It begins with "/", or is "*". NULL if
 * it is no request.
 *
 * The arguments:
 * A request, inside its callback.
 */
const char *hvloop_http_request_path(const struct hvloop_http_request *request);

/**
 * What stands behind the "?" of the target. NULL: there is none.
 *
 * The arguments:
 * A request, inside its callback.
 */
const char *hvloop_http_request_query(const struct hvloop_http_request *request);

/**
 * How many headers there are; a name that comes twice counts twice. 0 if it is no request.
 *
 * The arguments:
 * A request, inside its callback.
 */
uint64_t hvloop_http_request_header_count(const struct hvloop_http_request *request);

/**
 * The n-th header, counted from 0: its name, in lower case, and its value. 0 or a negative `hvloop_error`: there
 * are not so many.
 *
 * The arguments:
 * A request, inside its callback; each NULL, or a place for a text.
 */
int hvloop_http_request_header(const struct hvloop_http_request *request,
                               size_t n,
                               const char **name,
                               const char **value);

/**
 * The value of the first header of that name, in whatever case. NULL: there is none.
 *
 * The arguments:
 * A request, inside its callback, and a text that ends with a NUL.
 */
const char *hvloop_http_request_find(const struct hvloop_http_request *request, const char *name);

/**
 * The body, and in `size`, if that is not NULL, how long it is. NULL if it is no request.
 *
 * The arguments:
 * A request, inside its callback; NULL, or a place for a number.
 */
const void *hvloop_http_request_body(const struct hvloop_http_request *request, size_t *size);

/**
 * Writes the address of the client to a `struct sockaddr_storage`: of IPv4, IPv6 or a Unix socket. `length` says how
 * much room there is, and gets what is used. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A request, inside its callback; so many bytes, and their number.
 */
int hvloop_http_request_peer(const struct hvloop_http_request *request,
                             void *address,
                             uint32_t *length);

/**
 * Writes the address of the client as text, such as "127.0.0.1:80", with a NUL behind it: as much of it as there is
 * room. How long all of it is, or a negative `hvloop_error`.
 *
 * The arguments:
 * A request, inside its callback; so many bytes.
 */
int hvloop_http_request_peer_text(const struct hvloop_http_request *request,
                                  char *buffer,
                                  size_t size);

/**
 * An answer of that status, with no headers and no body. NULL if it fails.
 */
struct hvloop_http_response *hvloop_http_response_new(int status);

/**
 * Frees an answer that `hvloop_http_response_new` or `hvloop_ws_client_response` gave. NULL is allowed.
 *
 * The arguments:
 * NULL, or such an answer, which nobody uses any more.
 */
void hvloop_http_response_free(struct hvloop_http_response *response);

/**
 * The status, such as 200, or a negative `hvloop_error`.
 *
 * The arguments:
 * An answer.
 */
int hvloop_http_response_status(const struct hvloop_http_response *response);

/**
 * Sets the status: 200 to 999. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * An answer.
 */
int hvloop_http_response_set_status(struct hvloop_http_response *response, int status);

/**
 * Adds a header; the same name may be added again. Connection, Content-Length, Transfer-Encoding and Upgrade are
 * hvloop's own; Sec-WebSocket-Protocol may be set by the callback of `hvloop_ws_service_on_upgrade` alone. 0 or a negative
 * `hvloop_error`: it is none that could be sent.
 *
 * The arguments:
 * An answer, and texts that end with a NUL.
 */
int hvloop_http_response_add_header(struct hvloop_http_response *response,
                                    const char *name,
                                    const char *value);

/**
 * Sets the body, which is copied. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * An answer, and so many bytes.
 */
int hvloop_http_response_set_body(struct hvloop_http_response *response, const void *data, size_t size);

/**
 * The body, and in `size`, if that is not NULL, how long it is; of the answer to an upgrade the beginning. NULL
 * if it is no answer.
 *
 * The arguments:
 * An answer; NULL, or a place for a number.
 */
const void *hvloop_http_response_body(const struct hvloop_http_response *response,
                                      size_t *size);

/**
 * How many headers there are; a name that comes twice counts twice. 0 if it is no answer.
 *
 * The arguments:
 * An answer.
 */
uint64_t hvloop_http_response_header_count(const struct hvloop_http_response *response);

/**
 * The n-th header, counted from 0: its name and its value. 0 or a negative `hvloop_error`: there are not so many.
 *
 * The arguments:
 * An answer; each NULL, or a place for a text.
 */
int hvloop_http_response_header(const struct hvloop_http_response *response,
                                size_t n,
                                const char **name,
                                const char **value);

/**
 * The value of the first header of that name, in whatever case. NULL: there is none.
 *
 * The arguments:
 * An answer, and a text that ends with a NUL.
 */
const char *hvloop_http_response_find(const struct hvloop_http_response *response, const char *name);

/**
 * One more count of a handle, which is returned. NULL if it is none.
 *
 * The arguments:
 * A handle.
 */
struct hvloop_io *hvloop_io_retain(struct hvloop_io *io);

/**
 * Gives a count of a handle back. NULL is allowed. What is open stays open.
 *
 * The arguments:
 * NULL, or a handle; the count is the caller's.
 */
void hvloop_io_release(struct hvloop_io *io);

/**
 * What it is: a `hvloop_io_kind`, or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_kind_of(const struct hvloop_io *io);

/**
 * Its number, which no other one of the process has. 0 if it is none.
 *
 * The arguments:
 * A handle.
 */
uint64_t hvloop_io_id(const struct hvloop_io *io);

/**
 * The number of its descriptor, also after its end, when others may have it: for logs, and in callbacks for
 * options of the socket. It is the library's: not to be read, written or closed. Or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_fd(const struct hvloop_io *io);

/**
 * The loop that it is on, with one count for the caller. NULL if it is on none.
 *
 * The arguments:
 * A handle.
 */
struct hvloop_loop *hvloop_io_loop(const struct hvloop_io *io);

/**
 * 1: it is open; 0: it has ended, or is about to; or a negative `hvloop_error`. On another thread than the
 * loop's it may end at any moment.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_is_open(const struct hvloop_io *io);

/**
 * Why it ended, as a number of the system's (`errno.h`): 0 if in order, or not yet. Or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_error(const struct hvloop_io *io);

/**
 * Writes the peer's address, also after the end, to a `struct sockaddr_storage`: of IPv4, IPv6 or a Unix socket.
 * `length` says how much room there is, and gets what is used. Of a datagram socket without a peer: who spoke
 * last. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle; so many bytes, and their number.
 */
int hvloop_io_peer(const struct hvloop_io *io,
                   void *address,
                   uint32_t *length);

/**
 * Writes this side's address, as `hvloop_io_peer` does the peer's.
 *
 * The arguments:
 * As `hvloop_io_peer`.
 */
int hvloop_io_local(const struct hvloop_io *io, void *address, uint32_t *length);

/**
 * Writes the peer's address as text, such as `127.0.0.1:80`, `[::1]:80` or a path, with a NUL behind it: as much
 * of it as there is room. How long all of it is, or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle; so many bytes.
 */
int hvloop_io_peer_text(const struct hvloop_io *io,
                        char *buffer,
                        size_t size);

/**
 * Writes this side's address as text, as `hvloop_io_peer_text` does the peer's.
 *
 * The arguments:
 * As `hvloop_io_peer_text`.
 */
int hvloop_io_local_text(const struct hvloop_io *io, char *buffer, size_t size);

/**
 * How many bytes were accepted for sending that the system has not taken yet, or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int64_t hvloop_io_buffered(const struct hvloop_io *io);

/**
 * Ends it in order: what was accepted is sent first. Never runs a callback in this call; any number of times. 0 or
 * a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_close(const struct hvloop_io *io);

/**
 * Ends it at the end of this turn, without sending what was accepted. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_close_now(const struct hvloop_io *io);

/**
 * Reads no further for now, so that the peer is held back. What was read already still comes, but for packages.
 * 0 or a negative `hvloop_error`: of streams and WebSockets alone.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_pause_reading(const struct hvloop_io *io);

/**
 * Reads again, all that comes. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_resume_reading(const struct hvloop_io *io);

/**
 * Keeps a pointer with it, for `hvloop_io_binding`; `drop`, if it is not NULL, is called with the one that it
 * replaces, and with this one when the last callback of the connection has returned, or with the handle, at the
 * latest: on the loop's thread, or on that of who gives the last count back. 0 or a negative `hvloop_error`;
 * `drop` was called then.
 *
 * The arguments:
 * A handle; `drop` may be called with `data` on any thread.
 */
int hvloop_io_set_binding(const struct hvloop_io *io,
                          void *data,
                          void (*drop)(void *data));

/**
 * The pointer that was kept with it; NULL: none, or no more. It is valid for as long as nobody replaces it, and
 * the connection has not ended.
 *
 * The arguments:
 * A handle.
 */
void *hvloop_io_binding(const struct hvloop_io *io);

/**
 * Sends one datagram to that address; NULL: to the peer, or, without one, to who spoke last. On the loop's thread
 * it is sent at once. How many bytes it has, or a negative `hvloop_error`: the socket is closed, nobody has
 * spoken yet (`HVLOOP_ERROR_NOT_FOUND`), the queue has no room, or what the system said.
 *
 * The arguments:
 * A handle; so many bytes; NULL, or so many bytes of an address.
 */
int64_t hvloop_io_send_to(const struct hvloop_io *io,
                          const void *data,
                          size_t size,
                          const void *address,
                          uint32_t length);

/**
 * Puts a descriptor on a loop: a socket of another library, a pipe, a timerfd. `interest` is what to look for:
 * `HVLOOP_READABLE`, `HVLOOP_WRITABLE` or both. It is told once each time that the descriptor becomes ready: read,
 * or write, until the system says `EAGAIN`. The descriptor stays the caller's, who may close it before or after:
 * the loop has a duplicate. A stopping loop takes it off. The handle has one count for the caller; to give it
 * back does not take the descriptor off: `hvloop_io_close` does. On the loop's thread it is there at once, from
 * another one in the loop's next turn; what the system says against it then goes to the log, and `drop` is
 * called. NULL if it fails.
 *
 * The arguments:
 * A loop; an open descriptor; the callback may be called, and dropped, on the loop's thread.
 */
struct hvloop_io *hvloop_io_open_fd(const struct hvloop_loop *event_loop,
                                    int fd,
                                    int interest,
                                    struct hvloop_fd_callback callback);

/**
 * Looks for something else on a descriptor of the user's from now on; readiness that holds already is told again.
 * 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_set_interest(const struct hvloop_io *io,
                           int interest);

/**
 * Queues bytes for the peer, all of them or none; of a datagram socket with a peer, one datagram. On the loop's
 * thread they are written at the end of the turn. How many they are, or a negative `hvloop_error`: it is not
 * open, the queue has no room for them (`HVLOOP_ERROR_FULL`), or it is a WebSocket, which sends messages.
 *
 * The arguments:
 * A handle; so many bytes.
 */
int64_t hvloop_io_send(const struct hvloop_io *io,
                       const void *data,
                       size_t size);

/**
 * Ends this side alone, behind what is queued: what the peer sends still comes, and its end ends the connection.
 * 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_shutdown(const struct hvloop_io *io);

/**
 * Lets one more read come, whatever it is, and pauses after it. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_read_once(const struct hvloop_io *io);

/**
 * Lets all up to the next such byte come, with it, and pauses after that: `on_message` gets it whole. More than
 * 2 MiB closes the connection. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_read_until(const struct hvloop_io *io,
                         uint8_t byte);

/**
 * Lets so many bytes come, and pauses after them: `on_message` gets them whole. More than 2 MiB closes the
 * connection; zero asks for nothing. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_read_bytes(const struct hvloop_io *io, size_t count);

/**
 * `on_message` gets packages that are cut by this rule, from the first byte that it has not had; NULL: bytes as
 * they come. Bytes that break the rule end the connection. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle; NULL, or a rule.
 */
int hvloop_io_set_unpack(const struct hvloop_io *io,
                         const struct hvloop_unpack *unpack);

/**
 * Calls a task every so many milliseconds on the loop's thread while the connection is open, in the place of an
 * earlier one; 0 or -1: none, and the task is only dropped. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle; the task may be called, and dropped, on the loop's thread.
 */
int hvloop_io_set_heartbeat(const struct hvloop_io *io,
                            int64_t period_ms,
                            struct hvloop_task task);

/**
 * Closes the connection when nothing was read for so many milliseconds, counted from now; 0 or -1: no limit. 0 or
 * a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_set_read_timeout(const struct hvloop_io *io,
                               int64_t ms);

/**
 * Closes the connection when the peer takes nothing of what is queued for so many milliseconds; 0 or -1: never. 0
 * or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_set_write_timeout(const struct hvloop_io *io,
                                int64_t ms);

/**
 * Closes the connection when nothing was read or written for so many milliseconds; 0 or -1: no limit. 0 or a
 * negative `hvloop_error`.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_set_idle_timeout(const struct hvloop_io *io, int64_t ms);

/**
 * Callbacks for this connection alone, in the place of those of its client or server, from now on. 0 or a
 * negative `hvloop_error`; `drop` was called then.
 *
 * The arguments:
 * A handle; the callbacks may be called, and dropped, on the loop's thread.
 */
int hvloop_io_set_callbacks(const struct hvloop_io *io, struct hvloop_io_callbacks callbacks);

/**
 * Takes the connection to another loop, with its callbacks, its TLS and what is queued. If that does not take it,
 * it is closed. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A handle; a loop.
 */
int hvloop_io_move_to(const struct hvloop_io *io,
                      const struct hvloop_loop *to);

/**
 * The version of its TLS: 0x0303 is 1.2, 0x0304 is 1.3; 0: it has none. On the loop's thread, while it is open; a
 * negative `hvloop_error` elsewhere.
 *
 * The arguments:
 * A handle.
 */
int hvloop_io_tls_version(const struct hvloop_io *io);

/**
 * Writes the protocol that its TLS agreed on (ALPN), such as "h2", with a NUL behind it: as much of it as there is
 * room. How long all of it is; 0: none; or a negative `hvloop_error`. As `hvloop_io_tls_version`.
 *
 * The arguments:
 * A handle; so many bytes.
 */
int hvloop_io_alpn(const struct hvloop_io *io,
                   char *buffer,
                   size_t size);

/**
 * The text of the last failure of this thread; empty if there was none. It is valid until the next function of
 * the ABI fails on this thread. Never NULL.
 */
const char *hvloop_last_error(void);

/**
 * Has each line told to somebody, instead of on stderr. 0, or a negative `hvloop_error`: the program is a Rust
 * program with a logger of its own, which gets the lines; `drop` was called then.
 *
 * The arguments:
 * The callback may be called on any thread, and dropped on any.
 */
int hvloop_log_set_handler(struct hvloop_log_handler handler);

/**
 * The lines that are told: those of this `hvloop_log_level`, and of those that matter more. Without a call these
 * are the warnings, once anything is told at all. 0, or a negative `hvloop_error`: it is none.
 */
int hvloop_log_set_level(int level);

/**
 * The level of the lines that are told.
 */
int hvloop_log_max_level(void);

/**
 * Tells a line, to whoever is told hvloop's own: a handler, a Rust program's logger, else stderr. What is no
 * `hvloop_log_level` is an error; NULL is nothing; what is not in UTF-8 is told with marks in its place.
 *
 * The arguments:
 * NULL, or a text that ends with a NUL.
 */
void hvloop_log_write(int level, const char *text);

/**
 * The thread's number, as the system has it: what debuggers and `top` show. 0: the system has none.
 */
int64_t hvloop_thread_id(void);

/**
 * Options with the defaults: a stop takes 5 s at the most, a thread has a stack of 8 MiB. NULL if it fails.
 */
struct hvloop_loop_options *hvloop_loop_options_new(void);

/**
 * Frees options. NULL is allowed.
 *
 * The arguments:
 * NULL, or options that nobody uses any more.
 */
void hvloop_loop_options_free(struct hvloop_loop_options *options);

/**
 * The loop's name, in log lines and as its thread's. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * Options, and a text that ends with a NUL.
 */
int hvloop_loop_options_set_name(struct hvloop_loop_options *options, const char *name);

/**
 * How long a stop may take, in milliseconds, before what is left is closed by force; 0: at once. Default
 * 5,000. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * Options.
 */
int hvloop_loop_options_set_drain_timeout(struct hvloop_loop_options *options, int64_t ms);

/**
 * Callbacks that run longer than so many milliseconds are named in the log; -1: none are. Default 100. 0 or a
 * negative `hvloop_error`.
 *
 * The arguments:
 * Options.
 */
int hvloop_loop_options_set_slow_callback(struct hvloop_loop_options *options, int64_t ms);

/**
 * The stack of a thread that is started for the loop, in bytes. Default 8 MiB. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * Options.
 */
int hvloop_loop_options_set_stack_size(struct hvloop_loop_options *options,
                                       size_t bytes);

/**
 * Reads the counters of a loop. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop; NULL, or a place for them.
 */
int hvloop_loop_metrics(const struct hvloop_loop *event_loop, struct hvloop_metrics *metrics);

/**
 * A place for the data of a task, of so many bytes, as aligned as any C type: to be filled, and then given to
 * `hvloop_loop_queue_placed`, or back by `hvloop_task_unplace`. NULL if it fails: a place has no more than
 * `HVLOOP_PLACE_SIZE` bytes.
 */
void *hvloop_task_place(size_t size);

/**
 * Gives a place back in which nothing is. NULL is allowed.
 *
 * The arguments:
 * NULL, or of `hvloop_task_place`, and the caller's.
 */
void hvloop_task_unplace(void *place);

/**
 * As `hvloop_loop_queue_in_loop`, with data that are in a place: `call(place)` is called once, and `drop(place)` follows,
 * or comes instead. The place is no more the caller's, also if this fails: `drop` was called then. 0, or a negative
 * `hvloop_error`: the loop takes no more.
 *
 * The arguments:
 * A loop; of `hvloop_task_place`, and the caller's; what is in it may be used, and dropped, on the loop's thread.
 */
int hvloop_loop_queue_placed(const struct hvloop_loop *event_loop,
                             void *place,
                             void (*call)(void *place),
                             void (*drop)(void *place));

/**
 * A pool of so many threads, 1 at least, whose loops have these options; NULL: the defaults. It is not started
 * yet. NULL if it fails.
 *
 * The arguments:
 * NULL, or options.
 */
struct hvloop_pool *hvloop_pool_new(size_t threads,
                                    const struct hvloop_loop_options *options);

/**
 * Starts all threads, and waits until they run their loops. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A pool; the hooks may be called, and dropped, on its threads.
 */
int hvloop_pool_start(const struct hvloop_pool *pool,
                      struct hvloop_pool_hook pre,
                      struct hvloop_pool_hook post);

/**
 * How many threads a pool has. 0 if it is none.
 *
 * The arguments:
 * A pool.
 */
uint64_t hvloop_pool_size(const struct hvloop_pool *pool);

/**
 * The n-th loop of a pool, with one count for the caller. NULL: there is none.
 *
 * The arguments:
 * A pool.
 */
struct hvloop_loop *hvloop_pool_loop(const struct hvloop_pool *pool, size_t n);

/**
 * The loop for the next piece of work, by a `hvloop_load_balance`, with one count for the caller. NULL if it
 * fails.
 *
 * The arguments:
 * A pool.
 */
struct hvloop_loop *hvloop_pool_next_loop(const struct hvloop_pool *pool, int balance);

/**
 * Asks all loops to stop. Never waits. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A pool.
 */
int hvloop_pool_stop(const struct hvloop_pool *pool);

/**
 * Waits until all threads have ended. 0, or a negative `hvloop_error`: this is one of them, they were never
 * started, or a loop failed.
 *
 * The arguments:
 * A pool.
 */
int hvloop_pool_join(const struct hvloop_pool *pool);

/**
 * Stops the loops, waits for the threads, unless this is one of them, and frees the pool. NULL is allowed.
 *
 * The arguments:
 * NULL, or a pool that nobody uses any more.
 */
void hvloop_pool_free(struct hvloop_pool *pool);

/**
 * Calls back each time that the process gets that signal; several that come close together may be one call. `id`,
 * if it is not NULL, gets a number for `hvloop_loop_remove_signal`. The process has hvloop's handler for the
 * signal from then on; one that was there before is called, too. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop; the callback may be called, and dropped, on the loop's thread; NULL, or a place for a number.
 */
int hvloop_loop_add_signal(const struct hvloop_loop *event_loop,
                           int signum,
                           struct hvloop_signal_callback callback,
                           uint64_t *id);

/**
 * Listens no more. On the loop's thread the callback is not called after this; from another one it still may be
 * until the loop gets to know. 0, also if there is none, or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_remove_signal(const struct hvloop_loop *event_loop,
                              uint64_t id);

/**
 * Runs a task on the loop's thread: at once if this is it, else in its next turn. 0, or a negative
 * `hvloop_error`: the loop takes no more.
 *
 * The arguments:
 * A loop; the task may be called, and dropped, on the loop's thread.
 */
int hvloop_loop_run_in_loop(const struct hvloop_loop *event_loop, struct hvloop_task task);

/**
 * Runs a task in a later turn of the loop, never within this call; those of one thread in their order. 0, or a
 * negative `hvloop_error`: the loop takes no more.
 *
 * The arguments:
 * As `hvloop_loop_run_in_loop`.
 */
int hvloop_loop_queue_in_loop(const struct hvloop_loop *event_loop,
                              struct hvloop_task task);

/**
 * A client on that loop, which need not run yet. NULL if it fails.
 *
 * The arguments:
 * A loop.
 */
struct hvloop_tcp_client *hvloop_tcp_client_new(const struct hvloop_loop *event_loop);

/**
 * Frees a client: its connection ends in order, and none of its callbacks runs any more, nor will. Waits for one
 * that runs on another thread; inside of one it does not wait. NULL is allowed.
 *
 * The arguments:
 * NULL, or a client that nobody uses any more.
 */
void hvloop_tcp_client_free(struct hvloop_tcp_client *client);

/**
 * As `hvloop_tcp_client_free`, but does not wait: a callback that runs on another thread may go on for a while,
 * and then its data are dropped.
 *
 * The arguments:
 * As `hvloop_tcp_client_free`.
 */
void hvloop_tcp_client_free_nowait(struct hvloop_tcp_client *client);

/**
 * Sets what is called, from now on, also of a connection that is open already. 0 or a negative `hvloop_error`;
 * `drop` was called then.
 *
 * The arguments:
 * A client; the callbacks may be called on its loop's thread, and dropped on any.
 */
int hvloop_tcp_client_set_callbacks(const struct hvloop_tcp_client *client,
                                    struct hvloop_io_callbacks callbacks);

/**
 * Says where `hvloop_tcp_client_connect` connects to, and makes the socket for it, whose descriptor is returned:
 * one that fits the address (with a proxy: its). `host` is a name or an IP address; with a negative port, the path
 * of a Unix socket. A name is looked up, which may take a while, and an address of IPv4 is taken if it has one;
 * reconnects look again, and take whichever address answers. A socket that was made before and not connected is
 * closed. Or a negative `hvloop_error`: there is no such host, or the system has no socket to give.
 *
 * The arguments:
 * A client, and a text that ends with a NUL.
 */
int hvloop_tcp_client_socket(const struct hvloop_tcp_client *client,
                             const char *host,
                             int port);

/**
 * Gives the client's end an address: of the socket that was made, and of those that reconnects make. Port 0: any.
 * 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client, and a text that ends with a NUL.
 */
int hvloop_tcp_client_bind(const struct hvloop_tcp_client *client,
                           const char *host,
                           int port);

/**
 * Begins to connect; what becomes of it is told by the callbacks, never from inside this call. While the last
 * connection is on its way to its end, since the client or the connection was closed, it is remembered, and begun
 * right after that. 0 or a negative `hvloop_error`: there is no place to connect to, the client is open or
 * connecting already (`HVLOOP_ERROR_STATE`), or the loop takes no more.
 *
 * The arguments:
 * A client.
 */
int hvloop_tcp_client_connect(const struct hvloop_tcp_client *client);

/**
 * Ends the connection in order, or gives the attempt up, and forgets by which policy another one was to follow. In
 * any state; never runs a callback in this call. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_tcp_client_close(const struct hvloop_tcp_client *client);

/**
 * The connection, with one count for the caller. NULL: there is none now.
 *
 * The arguments:
 * A client.
 */
struct hvloop_io *hvloop_tcp_client_io(const struct hvloop_tcp_client *client);

/**
 * 1: the connection is open; 0: it is not; or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_tcp_client_is_connected(const struct hvloop_tcp_client *client);

/**
 * Queues bytes for the peer: see `hvloop_io_send`. How many they are, or a negative `hvloop_error`.
 *
 * The arguments:
 * A client; so many bytes.
 */
int64_t hvloop_tcp_client_send(const struct hvloop_tcp_client *client, const void *data, size_t size);

/**
 * Speaks TLS from the next connect on; NULL: does not. `server_name`, if it is not NULL, is what the server's
 * certificate is verified for, in the place of the host. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client; NULL, or a configuration; NULL, or a text that ends with a NUL.
 */
int hvloop_tcp_client_set_tls(const struct hvloop_tcp_client *client,
                              const struct hvloop_tls_client *tls,
                              const char *server_name);

/**
 * How long it may take to open a connection, from the lookup to the end of the TLS handshake, in milliseconds, from
 * the next connect on; 0 or -1: the default, 10,000. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_tcp_client_set_connect_timeout(const struct hvloop_tcp_client *client,
                                          int64_t ms);

/**
 * By which delays the client connects again; NULL, the default: it does not. It holds at once, also for what is
 * under way: NULL ends a wait for the next attempt, of which nothing is told any more. 0 or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A client; NULL, or a policy.
 */
int hvloop_tcp_client_set_reconnect(const struct hvloop_tcp_client *client,
                                    const struct hvloop_reconnect *reconnect);

/**
 * How many attempts have followed one another before the one under way, or which is up, or is waited for. In
 * `on_close`: before the one that has ended. A negative `hvloop_error` if it is none.
 *
 * The arguments:
 * A client.
 */
int64_t hvloop_tcp_client_retries(const struct hvloop_tcp_client *client);

/**
 * In an `on_close` that another attempt is to follow, and while that is waited for: how long the wait is in all, in
 * milliseconds. 0: nothing is waited for. Or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int64_t hvloop_tcp_client_next_delay(const struct hvloop_tcp_client *client);

/**
 * `on_message` gets packages that are cut by this rule, from the next connect on; NULL: bytes as they come. See
 * `hvloop_io_set_unpack` for a connection that is up. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client; NULL, or a rule.
 */
int hvloop_tcp_client_set_unpack(const struct hvloop_tcp_client *client,
                                 const struct hvloop_unpack *unpack);

/**
 * Connects through a proxy from the next connect on, such as "http://user:password@host:3128" or
 * "socks5://host:1080"; NULL: directly. A socket that was made before is closed, and the client makes its own. 0
 * or a negative `hvloop_error`.
 *
 * The arguments:
 * A client; NULL, or a text that ends with a NUL.
 */
int hvloop_tcp_client_set_proxy(const struct hvloop_tcp_client *client,
                                const char *url);

/**
 * A server that accepts on that loop, which need not run yet, and serves on it, unless it is given workers. NULL if
 * it fails.
 *
 * The arguments:
 * A loop.
 */
struct hvloop_tcp_server *hvloop_tcp_server_new(const struct hvloop_loop *event_loop);

/**
 * Frees a server: its listeners close, its connections end in order, and none of its callbacks runs any more, nor
 * will. Waits for those that run on other threads; inside of one it does not wait for that. NULL is allowed.
 *
 * The arguments:
 * NULL, or a server that nobody uses any more.
 */
void hvloop_tcp_server_free(struct hvloop_tcp_server *server);

/**
 * As `hvloop_tcp_server_free`, but does not wait: callbacks that run on other threads may go on for a while, and
 * then their data are dropped.
 *
 * The arguments:
 * As `hvloop_tcp_server_free`.
 */
void hvloop_tcp_server_free_nowait(struct hvloop_tcp_server *server);

/**
 * Serves connections on the loops of that pool; NULL: on the acceptor's. Before the server is started, or after
 * `hvloop_tcp_server_stop`. The pool's threads are the caller's to start and to stop. 0 or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A server; NULL, or a pool.
 */
int hvloop_tcp_server_set_workers(const struct hvloop_tcp_server *server,
                                  const struct hvloop_pool *workers);

/**
 * Sets what is called, from now on, also of connections that are open already: on the thread of each one's loop,
 * so that with several loops several run at the same time. 0 or a negative `hvloop_error`; `drop` was called then.
 *
 * The arguments:
 * A server; the callbacks may be called on the threads of its loops, and dropped on any.
 */
int hvloop_tcp_server_set_callbacks(const struct hvloop_tcp_server *server,
                                    struct hvloop_io_callbacks callbacks);

/**
 * Opens a listener, whose descriptor is returned: connections wait in its backlog until
 * `hvloop_tcp_server_start`. `host` is an IP address or a name, of which an address is taken, of IPv4 if it has
 * one; NULL: all addresses of IPv4. Port 0: any; a negative port: `host` is the path of a Unix socket. `backlog`:
 * how many may wait; 0: 1,024. May be called for several addresses. Or a negative `hvloop_error`, usually that the
 * address is in use.
 *
 * The arguments:
 * A server; NULL, or a text that ends with a NUL.
 */
int hvloop_tcp_server_socket(const struct hvloop_tcp_server *server,
                             const char *host,
                             int port,
                             int backlog);

/**
 * Takes a listener that was made elsewhere and listens already; its descriptor is the server's from now on, also if
 * this fails. The descriptor, or a negative `hvloop_error`: it does not listen.
 *
 * The arguments:
 * A server; an open descriptor, which nobody else closes.
 */
int hvloop_tcp_server_from_fd(const struct hvloop_tcp_server *server,
                              int fd);

/**
 * The port of the listener that was opened last, as port 0 became it; of a Unix socket 0. Or a negative
 * `hvloop_error`: there was none.
 *
 * The arguments:
 * A server.
 */
int hvloop_tcp_server_port(const struct hvloop_tcp_server *server);

/**
 * Accepts at the listeners that were opened since the last time, once the loop runs. 0 or a negative
 * `hvloop_error`: there are none (`HVLOOP_ERROR_STATE`), or the loop takes no more; they are closed then.
 *
 * The arguments:
 * A server.
 */
int hvloop_tcp_server_start(const struct hvloop_tcp_server *server);

/**
 * Closes the listeners: nothing is accepted any more, connections go on. `hvloop_tcp_server_socket` and
 * `hvloop_tcp_server_start` may follow. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_tcp_server_close_listeners(const struct hvloop_tcp_server *server);

/**
 * Closes the listeners, and ends all connections in order, each of which has its `on_close`. Never waits, never
 * runs a callback in this call, and does not stop loops. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_tcp_server_stop(const struct hvloop_tcp_server *server);

/**
 * Speaks TLS at listeners that are started from now on; NULL: does not. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server; NULL, or a configuration.
 */
int hvloop_tcp_server_set_tls(const struct hvloop_tcp_server *server, const struct hvloop_tls_server *tls);

/**
 * How a server with workers chooses among them: a `hvloop_load_balance`. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_tcp_server_set_balance(const struct hvloop_tcp_server *server, int balance);

/**
 * Turns connections away while there are so many. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_tcp_server_set_max_connections(const struct hvloop_tcp_server *server, uint32_t connections);

/**
 * `on_message` gets packages that are cut by this rule, of connections that are accepted from now on; NULL: bytes
 * as they come. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server; NULL, or a rule.
 */
int hvloop_tcp_server_set_unpack(const struct hvloop_tcp_server *server,
                                 const struct hvloop_unpack *unpack);

/**
 * How many connections are up, or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int64_t hvloop_tcp_server_count(const struct hvloop_tcp_server *server);

/**
 * Calls `call(data, io)` for each connection that is up, on this thread and in this call, with nothing locked. 0
 * or a negative `hvloop_error`.
 *
 * The arguments:
 * A server, which `call` does not free.
 */
int hvloop_tcp_server_for_each(const struct hvloop_tcp_server *server,
                               void (*call)(void *data, struct hvloop_io *io),
                               void *data);

/**
 * The connection of that number, while it is up, with one count for the caller. NULL: there is none.
 *
 * The arguments:
 * A server.
 */
struct hvloop_io *hvloop_tcp_server_io_by_id(const struct hvloop_tcp_server *server, uint64_t id);

/**
 * Sends the same bytes to every connection that is up. To how many, or a negative `hvloop_error`: those whose queue
 * has no room are left out.
 *
 * The arguments:
 * A server; so many bytes.
 */
int64_t hvloop_tcp_server_broadcast(const struct hvloop_tcp_server *server,
                                    const void *data,
                                    size_t size);

/**
 * A thread for that loop, which nobody may have run; NULL: for a loop of its own. It is not started yet. NULL
 * if it fails.
 *
 * The arguments:
 * NULL, or a loop.
 */
struct hvloop_thread *hvloop_thread_new(const struct hvloop_loop *event_loop);

/**
 * Starts the thread, and waits until it runs its loop. `pre` is called on it before the loop runs, `post` after
 * it has stopped; a `call` of NULL: nothing is. 0, or a negative `hvloop_error`: it was started before, the
 * system has no thread to give, or somebody else runs the loop.
 *
 * The arguments:
 * A thread; the hooks may be called, and dropped, on it.
 */
int hvloop_thread_start(const struct hvloop_thread *thread,
                        struct hvloop_task pre,
                        struct hvloop_task post);

/**
 * The loop of a thread, with one count for the caller. NULL if it is none.
 *
 * The arguments:
 * A thread.
 */
struct hvloop_loop *hvloop_thread_loop(const struct hvloop_thread *thread);

/**
 * 1: the thread runs its loop; 0: it does not; or a negative `hvloop_error`.
 *
 * The arguments:
 * A thread.
 */
int hvloop_thread_is_running(const struct hvloop_thread *thread);

/**
 * Asks the loop to stop. Never waits. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A thread.
 */
int hvloop_thread_stop(const struct hvloop_thread *thread);

/**
 * Waits until the thread has ended. `report`, if it is not NULL, is told how the stop went. 0, or a negative
 * `hvloop_error`: this is the thread itself, it was never started, or its loop failed.
 *
 * The arguments:
 * A thread; NULL, or a place for a report.
 */
int hvloop_thread_join(const struct hvloop_thread *thread, struct hvloop_report *report);

/**
 * Stops the loop, waits for the thread, unless this is it, and frees it. NULL is allowed.
 *
 * The arguments:
 * NULL, or a thread that nobody uses any more.
 */
void hvloop_thread_free(struct hvloop_thread *thread);

/**
 * Calls back every `period_ms` milliseconds, `repeat` times (`HVLOOP_FOREVER`), first one period from now,
 * never early. `id`, if it is not NULL, gets the timer's number, which each call is told, too: the first one may
 * come before this returns to another thread than the loop's. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop; the callback may be called, and dropped, on the loop's thread; NULL, or a place for a number.
 */
int hvloop_loop_set_timer(const struct hvloop_loop *event_loop,
                          int64_t period_ms,
                          uint32_t repeat,
                          struct hvloop_timer_callback callback,
                          uint64_t *id);

/**
 * Calls back at the times of a cron pattern, such as `"30 8 * * 1"`, `repeat` times (`HVLOOP_FOREVER`). As
 * `hvloop_loop_set_timer` otherwise.
 *
 * The arguments:
 * As `hvloop_loop_set_timer`; a text that ends with a NUL.
 */
int hvloop_loop_set_cron(const struct hvloop_loop *event_loop,
                         const char *pattern,
                         uint32_t repeat,
                         struct hvloop_timer_callback callback,
                         uint64_t *id);

/**
 * Takes a timer off. On the loop's thread it does not fire any more; from another one it still may until the
 * loop gets to know. 0, also if there is none, or a negative `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_kill_timer(const struct hvloop_loop *event_loop, uint64_t id);

/**
 * Lets a timer count from now again, with another period (-1: its own). 0, also if there is none, or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_reset_timer(const struct hvloop_loop *event_loop,
                            uint64_t id,
                            int64_t period_ms);

/**
 * Calls back once each time that the loop has nothing to do, `repeat` times (`HVLOOP_FOREVER`). As
 * `hvloop_loop_set_timer` otherwise.
 *
 * The arguments:
 * As `hvloop_loop_set_timer`.
 */
int hvloop_loop_set_idle(const struct hvloop_loop *event_loop,
                         uint32_t repeat,
                         struct hvloop_timer_callback callback,
                         uint64_t *id);

/**
 * Takes an idle callback off, as `hvloop_loop_kill_timer` does a timer.
 *
 * The arguments:
 * A loop.
 */
int hvloop_loop_kill_idle(const struct hvloop_loop *event_loop, uint64_t id);

/**
 * One that verifies servers by the platform's roots, unless others are added, shows no certificate and offers no
 * protocol. NULL if it fails.
 */
struct hvloop_tls_client *hvloop_tls_client_new(void);

/**
 * One more count, which is returned. NULL if it is none.
 *
 * The arguments:
 * A TLS configuration of clients.
 */
struct hvloop_tls_client *hvloop_tls_client_retain(struct hvloop_tls_client *tls);

/**
 * Gives a count back. NULL is allowed. Clients that use it have counts of their own.
 *
 * The arguments:
 * NULL, or a TLS configuration of clients; the count is the caller's.
 */
void hvloop_tls_client_release(struct hvloop_tls_client *tls);

/**
 * Trusts every certificate in a file of PEM, and what these have issued. Such roots take the place of the
 * platform's, unless `hvloop_tls_client_platform_roots` asks for these, too. 0 or a negative `hvloop_error`; then
 * nothing was added.
 *
 * The arguments:
 * A TLS configuration of clients, and a text that ends with a NUL.
 */
int hvloop_tls_client_add_root_file(const struct hvloop_tls_client *tls,
                                    const char *path);

/**
 * As `hvloop_tls_client_add_root_file`, of every file in a directory that holds certificates in PEM: one at
 * least.
 *
 * The arguments:
 * As `hvloop_tls_client_add_root_file`.
 */
int hvloop_tls_client_add_root_dir(const struct hvloop_tls_client *tls, const char *path);

/**
 * Trusts the platform's roots beside those that were added. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A TLS configuration of clients.
 */
int hvloop_tls_client_platform_roots(const struct hvloop_tls_client *tls);

/**
 * Shows this certificate to servers that ask for one: files of PEM, a chain (its own certificate first) and the
 * private key, which is not encrypted; they may be one and the same. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A TLS configuration of clients, and texts that end with a NUL.
 */
int hvloop_tls_client_client_certificate(const struct hvloop_tls_client *tls,
                                         const char *cert_path,
                                         const char *key_path);

/**
 * Offers these application protocols (ALPN), the preferred one first: a list such as "h2, http/1.1". 0 or a
 * negative `hvloop_error`.
 *
 * The arguments:
 * A TLS configuration of clients, and a text that ends with a NUL.
 */
int hvloop_tls_client_alpn(const struct hvloop_tls_client *tls, const char *list);

/**
 * Accepts every certificate, whoever issued it, for whatever name and time: anyone on the way can pose as the
 * server. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A TLS configuration of clients.
 */
int hvloop_tls_client_dangerous_accept_any(const struct hvloop_tls_client *tls);

/**
 * Makes the configuration, which cannot be changed any more; else that is done when a client gets it. 0 or a
 * negative `hvloop_error`: there are no roots to trust, or the platform's cannot be used.
 *
 * The arguments:
 * A TLS configuration of clients.
 */
int hvloop_tls_client_build(const struct hvloop_tls_client *tls);

/**
 * One that shows this certificate: files of PEM, a chain (its own certificate first) and the private key, which is
 * not encrypted; they may be one and the same. Clients need none. NULL if it fails: a file cannot be read, or
 * they do not belong together.
 *
 * The arguments:
 * Texts that end with a NUL.
 */
struct hvloop_tls_server *hvloop_tls_server_new(const char *cert_path,
                                                const char *key_path);

/**
 * One more count, which is returned. NULL if it is none.
 *
 * The arguments:
 * A TLS configuration of servers.
 */
struct hvloop_tls_server *hvloop_tls_server_retain(struct hvloop_tls_server *tls);

/**
 * Gives a count back. NULL is allowed. Servers that use it have counts of their own.
 *
 * The arguments:
 * NULL, or a TLS configuration of servers; the count is the caller's.
 */
void hvloop_tls_server_release(struct hvloop_tls_server *tls);

/**
 * Lets in clients with a certificate that one of those in a file of PEM has issued; if `required` is 0, those
 * without one, too. 0 or a negative `hvloop_error`: then nothing was changed; or a server has it already.
 *
 * The arguments:
 * A TLS configuration of servers, and a text that ends with a NUL.
 */
int hvloop_tls_server_client_roots(const struct hvloop_tls_server *tls, const char *path, int required);

/**
 * Accepts these application protocols (ALPN), the preferred one first: a list such as "h2, http/1.1". By default
 * clients may offer what they like. 0 or a negative `hvloop_error`: a server has it already.
 *
 * The arguments:
 * A TLS configuration of servers, and a text that ends with a NUL.
 */
int hvloop_tls_server_alpn(const struct hvloop_tls_server *tls,
                           const char *list);

/**
 * Reads the certificate and the key again, for handshakes that begin after this call. 0 or a negative
 * `hvloop_error`: then they stay as they were.
 *
 * The arguments:
 * A TLS configuration of servers.
 */
int hvloop_tls_server_reload(const struct hvloop_tls_server *tls);

/**
 * A UDP socket for that loop, which need not run yet. NULL if it fails.
 *
 * The arguments:
 * A loop.
 */
struct hvloop_udp *hvloop_udp_new(const struct hvloop_loop *event_loop);

/**
 * Frees it: the socket closes, and none of its callbacks runs any more, nor will. Waits for one that runs on
 * another thread; inside of one it does not wait. NULL is allowed.
 *
 * The arguments:
 * NULL, or a UDP socket that nobody uses any more.
 */
void hvloop_udp_free(struct hvloop_udp *udp);

/**
 * As `hvloop_udp_free`, but does not wait: a callback that runs on another thread may go on for a while, and then
 * its data are dropped.
 *
 * The arguments:
 * As `hvloop_udp_free`.
 */
void hvloop_udp_free_nowait(struct hvloop_udp *udp);

/**
 * Sets what is called, from now on. 0 or a negative `hvloop_error`; `drop` was called then.
 *
 * The arguments:
 * A UDP socket; the callbacks may be called on its loop's thread, and dropped on any.
 */
int hvloop_udp_set_callbacks(const struct hvloop_udp *udp, struct hvloop_udp_callbacks callbacks);

/**
 * Makes a socket at that address, whose descriptor is returned: what is sent there waits in the system until
 * `hvloop_udp_start`. `host` is an IP address or a name, of which an address is taken, of IPv4 if it has one; NULL:
 * all addresses of IPv4. Port 0: any. A socket that was made before and not started is closed. Or a negative
 * `hvloop_error`, usually that the address is in use.
 *
 * The arguments:
 * A UDP socket; NULL, or a text that ends with a NUL.
 */
int hvloop_udp_bind(const struct hvloop_udp *udp,
                    const char *host,
                    int port);

/**
 * Makes a socket with that one peer, whose descriptor is returned: it sends there, and hears that one alone. After
 * `hvloop_udp_bind` and before `hvloop_udp_start` it keeps the address of that. `host` as there, but not NULL. Or
 * a negative `hvloop_error`.
 *
 * The arguments:
 * A UDP socket, and a text that ends with a NUL.
 */
int hvloop_udp_connect(const struct hvloop_udp *udp,
                       const char *host,
                       int port);

/**
 * Gives the socket that was made to the loop: datagrams come from now on, once the loop runs, and
 * `hvloop_udp_io` has it. One that was started before goes on to its end by itself. 0 or a negative
 * `hvloop_error`: no socket was made (`HVLOOP_ERROR_STATE`), or the loop takes no more.
 *
 * The arguments:
 * A UDP socket.
 */
int hvloop_udp_start(const struct hvloop_udp *udp);

/**
 * Closes the socket when all that was accepted is sent. Never runs a callback in this call.
 * `hvloop_udp_bind` or `hvloop_udp_connect`, and `hvloop_udp_start` may follow. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A UDP socket.
 */
int hvloop_udp_close(const struct hvloop_udp *udp);

/**
 * The socket that was started, with one count for the caller. NULL: there is none now.
 *
 * The arguments:
 * A UDP socket.
 */
struct hvloop_io *hvloop_udp_io(const struct hvloop_udp *udp);

/**
 * The port of the socket that was made last, as port 0 became it, or a negative `hvloop_error`: there was none.
 *
 * The arguments:
 * A UDP socket.
 */
int hvloop_udp_port(const struct hvloop_udp *udp);

/**
 * Hears what is sent to a multicast group, once started. `on` is the interface: of IPv4 its address, of IPv6 its
 * number as text; NULL: the one that the system chooses. What the system says against it comes to `on_error`. 0 or
 * a negative `hvloop_error`.
 *
 * The arguments:
 * A UDP socket, and a text that ends with a NUL; NULL, or another one.
 */
int hvloop_udp_join_group(const struct hvloop_udp *udp,
                          const char *group,
                          const char *on);

/**
 * Hears a multicast group no more. As `hvloop_udp_join_group`.
 *
 * The arguments:
 * As `hvloop_udp_join_group`.
 */
int hvloop_udp_leave_group(const struct hvloop_udp *udp, const char *group, const char *on);

/**
 * Whether sockets that are made from now on may send to broadcast addresses. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A UDP socket.
 */
int hvloop_udp_set_broadcast(const struct hvloop_udp *udp, int on);

/**
 * The version of the ABI that the library has.
 */
int hvloop_abi_version(void);

/**
 * The version of the library, such as "0.1.0". Static text.
 */
const char *hvloop_version(void);

/**
 * A client on that loop, which need not run yet; NULL: on a loop of its own, whose thread is started by
 * `hvloop_ws_client_open`. NULL if it fails.
 *
 * The arguments:
 * NULL, or a loop.
 */
struct hvloop_ws_client *hvloop_ws_client_new(const struct hvloop_loop *event_loop);

/**
 * Frees a client: none of its callbacks runs any more when this returns, which waits for one that runs on another
 * thread. The connection is closed in order; if the client has brought its loop, this waits for the end of
 * that, unless this is its thread. NULL is allowed.
 *
 * The arguments:
 * NULL, or a client that nobody uses any more.
 */
void hvloop_ws_client_free(struct hvloop_ws_client *client);

/**
 * As `hvloop_ws_client_free`, but waits for nothing: a callback that runs on another thread goes on.
 *
 * The arguments:
 * As `hvloop_ws_client_free`.
 */
void hvloop_ws_client_free_nowait(struct hvloop_ws_client *client);

/**
 * What is called of the client's connections, in the place of what was; it holds at once. A client on a loop
 * of its own gives it up when that loop has ended: set it again before the next open. 0 or a negative
 * `hvloop_error`; `drop` was called then.
 *
 * The arguments:
 * A client; the callbacks may be called, and dropped, on the loop's thread.
 */
int hvloop_ws_client_set_callbacks(const struct hvloop_ws_client *client,
                                   struct hvloop_ws_callbacks callbacks);

/**
 * Begins to connect to a `ws://` or `wss://` URL. What becomes of it is told by the callbacks, never inside this
 * call. If the client is open, connecting or waiting to connect again, that is closed first, and the new one begins
 * when it has ended: `on_close` comes for it as always. May be called inside `on_close`. A client whose own loop
 * was stopped waits for its end, and gets a new one; not inside a callback of that loop. 0 or a negative
 * `hvloop_error`: the URL or what is set is wrong, or the loop takes no connections any more. Then nothing was
 * begun.
 *
 * The arguments:
 * A client, and a text that ends with a NUL.
 */
int hvloop_ws_client_open(const struct hvloop_ws_client *client,
                          const char *url);

/**
 * Closes: sends a Close with that code and reason (NULL: none; cut to 123 bytes), or gives up what is under way, or
 * the wait for the next attempt. The client does not connect again by itself. In any state, any number of times;
 * never waits. 0 or a negative `hvloop_error`: no program may send this code.
 *
 * The arguments:
 * A client; NULL, or a text that ends with a NUL.
 */
int hvloop_ws_client_close(const struct hvloop_ws_client *client,
                           int code,
                           const char *reason);

/**
 * Sends a message on the open connection: see `hvloop_ws_send`.
 *
 * The arguments:
 * A client; so many bytes.
 */
int64_t hvloop_ws_client_send(const struct hvloop_ws_client *client,
                              int opcode,
                              const void *data,
                              size_t size);

/**
 * Sends a Ping on the open connection: see `hvloop_ws_ping`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_ping(const struct hvloop_ws_client *client);

/**
 * Closes with code 1000; if the client has brought its loop, stops that, too. Never waits: see
 * `hvloop_ws_client_join`. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_stop(const struct hvloop_ws_client *client);

/**
 * Waits until the client's own loop has ended, which was told to stop. `report`, if it is not NULL, is told how that
 * went. 0, or a negative `hvloop_error`: this is its thread, the loop is another's, or the client was never opened.
 *
 * The arguments:
 * A client; NULL, or a place for a report.
 */
int hvloop_ws_client_join(const struct hvloop_ws_client *client,
                          struct hvloop_report *report);

/**
 * Where the client is in its life: a `hvloop_ws_state`, or a negative `hvloop_error`. On another thread than the
 * loop's it may change any moment.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_state(const struct hvloop_ws_client *client);

/**
 * How many bytes were accepted for sending that the socket has not taken yet, or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int64_t hvloop_ws_client_buffered(const struct hvloop_ws_client *client);

/**
 * The open connection, with one count for the caller. NULL: there is none.
 *
 * The arguments:
 * A client.
 */
struct hvloop_io *hvloop_ws_client_io(const struct hvloop_ws_client *client);

/**
 * The loop that the client is on, with one count for the caller. NULL: it brings its own, and was never opened.
 *
 * The arguments:
 * A client.
 */
struct hvloop_loop *hvloop_ws_client_loop(const struct hvloop_ws_client *client);

/**
 * What the server answered to the upgrade of the last attempt, also if it refused: a copy, which
 * `hvloop_http_response_free` frees. NULL: there is no answer.
 *
 * The arguments:
 * A client.
 */
struct hvloop_http_response *hvloop_ws_client_response(const struct hvloop_ws_client *client);

/**
 * How many times the client has connected again, or is to, since it was open last. 0 if it is none.
 *
 * The arguments:
 * A client.
 */
uint64_t hvloop_ws_client_retries(const struct hvloop_ws_client *client);

/**
 * How long the client waits for the next attempt, in milliseconds, as of the last `on_close`; -1: there is none; or
 * another negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int64_t hvloop_ws_client_next_delay(const struct hvloop_ws_client *client);

/**
 * Sends this header with each upgrade from the next open on, in the place of one of that name. NULL: sends none of
 * that name. 0 or a negative `hvloop_error`: it cannot be sent, or belongs to the handshake.
 *
 * The arguments:
 * A client, and texts that end with a NUL.
 */
int hvloop_ws_client_set_header(const struct hvloop_ws_client *client,
                                const char *name,
                                const char *value);

/**
 * Sends none of the headers any more that were set. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_clear_headers(const struct hvloop_ws_client *client);

/**
 * Offers these subprotocols from the next open on, the preferred one first: a list such as "chat.v2, chat.v1"; NULL
 * or an empty one: none. 0 or a negative `hvloop_error`: one of them is none, or comes twice.
 *
 * The arguments:
 * A client; NULL, or a text that ends with a NUL.
 */
int hvloop_ws_client_set_subprotocols(const struct hvloop_ws_client *client,
                                      const char *list);

/**
 * How long an attempt may take over all, from DNS to the upgrade, in milliseconds; from the next open on. Default
 * 10,000. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_open_timeout(const struct hvloop_ws_client *client,
                                      int64_t ms);

/**
 * How long the peer may take to answer a Close, in milliseconds; from the next open on. Default 5,000. 0 or a
 * negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_close_timeout(const struct hvloop_ws_client *client, int64_t ms);

/**
 * Sends a Ping when nothing came for so many milliseconds; 0 or -1: never. From the next open on. Default 30,000.
 * 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_ping_interval(const struct hvloop_ws_client *client,
                                       int64_t ms);

/**
 * How long after an unanswered Ping a peer that sends nothing counts as dead, in milliseconds; from the next open
 * on. Default 10,000. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_pong_timeout(const struct hvloop_ws_client *client,
                                      int64_t ms);

/**
 * Connects again by that policy whenever an attempt or a session has ended by anything but a close, a stop, or a
 * refusal that would come again; NULL: no more, which also ends a wait for the next attempt. It holds at once. 0 or
 * a negative `hvloop_error`: it contradicts itself.
 *
 * The arguments:
 * A client; NULL, or a policy.
 */
int hvloop_ws_client_set_reconnect(const struct hvloop_ws_client *client,
                                   const struct hvloop_reconnect *reconnect);

/**
 * How `wss` is spoken, from the next open on; NULL: verified by the platform's roots. `server_name`, if it is not
 * NULL, is the name to verify servers for. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client; NULL, or a TLS configuration of clients; NULL, or a text that ends with a NUL.
 */
int hvloop_ws_client_set_tls(const struct hvloop_ws_client *client,
                             const struct hvloop_tls_client *tls,
                             const char *server_name);

/**
 * Connects through this proxy from the next open on, such as "http://user:password@proxy:3128" or
 * "socks5://proxy"; NULL: directly. 0 or a negative `hvloop_error`: it is no URL of a proxy.
 *
 * The arguments:
 * A client; NULL, or a text that ends with a NUL.
 */
int hvloop_ws_client_set_proxy(const struct hvloop_ws_client *client, const char *url);

/**
 * Follows so many redirects of the upgrade at the most, from the next open on. Default 0: none. 0 or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_max_redirects(const struct hvloop_ws_client *client,
                                       uint32_t redirects);

/**
 * The most bytes that a message of the peer may have; one that has more closes the connection with 1009. From the
 * next open on. Default 64 MiB, 16 MiB of them in a frame. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_max_message_size(const struct hvloop_ws_client *client,
                                          size_t size);

/**
 * The most bytes that may wait to be sent; a message that is over it is refused. From the next open on. Default 16
 * MiB. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_send_limit(const struct hvloop_ws_client *client,
                                    size_t bytes);

/**
 * 1: offers to compress messages (permessage-deflate), from the next open on; 0, the default: does not. 0 or a
 * negative `hvloop_error`.
 *
 * The arguments:
 * A client.
 */
int hvloop_ws_client_set_deflate(const struct hvloop_ws_client *client,
                                 int on);

/**
 * Sends a message, which is copied: a text in UTF-8 (`opcode` 1) or bytes (2); whole, or not at all. How many bytes
 * it has, or a negative `hvloop_error`: it is not open, or the queue has no room for it (`HVLOOP_ERROR_FULL`;
 * `on_drain` tells when to try again).
 *
 * The arguments:
 * A WebSocket's handle; so many bytes.
 */
int64_t hvloop_ws_send(const struct hvloop_io *io,
                       int opcode,
                       const void *data,
                       size_t size);

/**
 * Sends a Ping without a payload. Pings of the peer are answered, and watched for, by themselves. 0 or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A WebSocket's handle.
 */
int hvloop_ws_ping(const struct hvloop_io *io);

/**
 * Closes: sends a Close with that code and reason (NULL: none; cut to 123 bytes) behind what is queued, waits for
 * the peer's, and closes the socket; `on_close` tells when that is done. A client that connects again does so
 * after it: `hvloop_ws_client_close` ends that, too. 0 or a negative `hvloop_error`: no program may send this
 * code.
 *
 * The arguments:
 * A WebSocket's handle; NULL, or a text that ends with a NUL.
 */
int hvloop_ws_close(const struct hvloop_io *io,
                    int code,
                    const char *reason);

/**
 * Where it is: a `hvloop_ws_state`, which is open, closing or closed; or a negative `hvloop_error`.
 *
 * The arguments:
 * A WebSocket's handle.
 */
int hvloop_ws_state_of(const struct hvloop_io *io);

/**
 * Writes the subprotocol that a server's connection has, with a NUL behind it: as much of it as there is room. How
 * long all of it is; 0: none; or a negative `hvloop_error`: it is a client's, whose answer has it.
 *
 * The arguments:
 * A WebSocket's handle; so many bytes.
 */
int hvloop_ws_subprotocol(const struct hvloop_io *io,
                          char *buffer,
                          size_t size);

/**
 * Subscribes a server's connection to a topic: it gets what is published there from now on. Again is as good as
 * once. 0 or a negative `hvloop_error`: it is closing, has ended, or is a client's.
 *
 * The arguments:
 * A WebSocket's handle, and a text that ends with a NUL.
 */
int hvloop_ws_subscribe(const struct hvloop_io *io,
                        const char *topic);

/**
 * Ends a subscription. 0 or a negative `hvloop_error`: there was none.
 *
 * The arguments:
 * A WebSocket's handle, and a text that ends with a NUL.
 */
int hvloop_ws_unsubscribe(const struct hvloop_io *io, const char *topic);

/**
 * Sends a message to all connections of the server that are subscribed to a topic, but this one. To how many, or a
 * negative `hvloop_error`.
 *
 * The arguments:
 * A WebSocket's handle, a text that ends with a NUL, and so many bytes.
 */
int64_t hvloop_ws_publish(const struct hvloop_io *io,
                          const char *topic,
                          int opcode,
                          const void *data,
                          size_t size);

/**
 * A server that accepts on that loop, which need not run yet, and serves there, or on the loops of
 * `hvloop_ws_server_set_workers`. NULL if it fails.
 *
 * The arguments:
 * A loop.
 */
struct hvloop_ws_server *hvloop_ws_server_new(const struct hvloop_loop *event_loop);

/**
 * Frees a server: none of its callbacks, nor of its connections, runs any more when this returns, which waits for
 * those that run on other threads. Listeners and connections are closed in order. NULL is allowed.
 *
 * The arguments:
 * NULL, or a server that nobody uses any more.
 */
void hvloop_ws_server_free(struct hvloop_ws_server *server);

/**
 * As `hvloop_ws_server_free`, but waits for nothing: callbacks that run on other threads go on.
 *
 * The arguments:
 * As `hvloop_ws_server_free`.
 */
void hvloop_ws_server_free_nowait(struct hvloop_ws_server *server);

/**
 * Opens a listener, whose descriptor is returned: connections wait in its backlog until `hvloop_ws_server_start`.
 * `host` is an IP address or a name, of which an address is taken, of IPv4 if it has one; NULL: all addresses of
 * IPv4. Port 0: any; a negative port: `host` is the path of a Unix socket. `backlog`: how many may wait; 0: 1,024.
 * May be called for several addresses. Or a negative `hvloop_error`, usually that the address is in use.
 *
 * The arguments:
 * A server; NULL, or a text that ends with a NUL.
 */
int hvloop_ws_server_socket(const struct hvloop_ws_server *server,
                            const char *host,
                            int port,
                            int backlog);

/**
 * Takes a listener that was made elsewhere and listens already; its descriptor is the server's from now on, also if
 * this fails. The descriptor, or a negative `hvloop_error`: it does not listen.
 *
 * The arguments:
 * A server, and a descriptor that nobody else closes; a negative one is an error.
 */
int hvloop_ws_server_from_fd(const struct hvloop_ws_server *server,
                             int fd);

/**
 * The port of the listener that was opened last, 0 if it is that of a Unix socket; or a negative `hvloop_error`:
 * there was none yet.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_port(const struct hvloop_ws_server *server);

/**
 * Serves the listeners that were opened since the last call, as is set by now. Connections are accepted once the
 * loop runs. Never waits. 0 or a negative `hvloop_error`: there are none, or the loop is stopping.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_start(const struct hvloop_ws_server *server);

/**
 * Closes the listeners; connections go on. Others may be opened after it. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_close_listeners(const struct hvloop_ws_server *server);

/**
 * Closes the listeners, and ends every connection in order, with a Close of code 1001. Never waits; each connection
 * has its `on_close`. The loops go on. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_stop(const struct hvloop_ws_server *server);

/**
 * How many connections there are, those included that are no WebSocket yet; or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int64_t hvloop_ws_server_count(const struct hvloop_ws_server *server);

/**
 * Calls a function with each WebSocket that is open, in this call. Nothing is locked meanwhile. 0 or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A server; the function may be called with `data`, and with handles that are valid for the time of each call.
 */
int hvloop_ws_server_for_each(const struct hvloop_ws_server *server,
                              void (*call)(void *data, struct hvloop_io *io),
                              void *data);

/**
 * The open WebSocket of that number (`hvloop_io_id`), with one count for the caller. NULL: there is none.
 *
 * The arguments:
 * A server.
 */
struct hvloop_io *hvloop_ws_server_io_by_id(const struct hvloop_ws_server *server, uint64_t id);

/**
 * Sends a message to every WebSocket that is open: see `hvloop_ws_send`. To how many, those not counted whose queue
 * has no room; or a negative `hvloop_error`.
 *
 * The arguments:
 * A server; so many bytes.
 */
int64_t hvloop_ws_server_broadcast(const struct hvloop_ws_server *server,
                                   int opcode,
                                   const void *data,
                                   size_t size);

/**
 * Sends a message to every WebSocket that is subscribed to a topic. To how many, those not counted whose queue has
 * no room; or a negative `hvloop_error`.
 *
 * The arguments:
 * A server, a text that ends with a NUL, and so many bytes.
 */
int64_t hvloop_ws_server_publish(const struct hvloop_ws_server *server,
                                 const char *topic,
                                 int opcode,
                                 const void *data,
                                 size_t size);

/**
 * Serves connections on the loops of that pool, as `hvloop_ws_server_set_balance` says; NULL: on the loop that
 * accepts them. While the server is not started. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server; NULL, or a pool.
 */
int hvloop_ws_server_set_workers(const struct hvloop_ws_server *server,
                                 const struct hvloop_pool *workers);

/**
 * What is done with upgrades at a path, in the place of what was said before: an exact path, or all that begins with
 * what stands before a "*" at its end. An exact path goes before a prefix, a longer prefix before a shorter
 * one. Others are refused with 404. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server, a text that ends with a NUL, and a service.
 */
int hvloop_ws_server_route(const struct hvloop_ws_server *server,
                           const char *path,
                           const struct hvloop_ws_service *service);

/**
 * Answers requests that ask for no upgrade, in the place of what answered them before: the callback fills in the
 * answer, whose status is 200 unless another one is set, and returns 0; else the answer is 404. Without a callback
 * it is 426 at a path that has a service, else 404, and ends the connection. Requests of one connection are answered in
 * their order. 0 or a negative `hvloop_error`; `drop` was called then.
 *
 * The arguments:
 * A server; the callback may be called, and dropped, on the threads of its loops, several at a time.
 */
int hvloop_ws_server_on_http(const struct hvloop_ws_server *server,
                             struct hvloop_http_callback callback);

/**
 * Speaks TLS at listeners that are started from now on; NULL: does not. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server; NULL, or a TLS configuration of servers.
 */
int hvloop_ws_server_set_tls(const struct hvloop_ws_server *server, const struct hvloop_tls_server *tls);

/**
 * How the loop of a new connection is chosen: a `hvloop_load_balance`. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_set_balance(const struct hvloop_ws_server *server, int balance);

/**
 * Turns connections away while there are so many; `UINT32_MAX`, the default: none. 0 or a negative
 * `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_set_max_connections(const struct hvloop_ws_server *server, uint32_t connections);

/**
 * The longest body of a request that asks for no upgrade, in bytes: one that is longer is answered with 413. For
 * connections accepted from now on. Default 1 MiB. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_set_max_body_size(const struct hvloop_ws_server *server,
                                       size_t size);

/**
 * How many milliseconds a connection waits for the next request; 0 or -1: it ends after an answer. For connections
 * accepted from now on. Default 15,000. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A server.
 */
int hvloop_ws_server_set_keep_alive(const struct hvloop_ws_server *server,
                                    int64_t ms);

/**
 * A service that accepts every upgrade. NULL if it fails.
 */
struct hvloop_ws_service *hvloop_ws_service_new(void);

/**
 * Frees a service: none of its callbacks runs any more when this returns, which waits for those that run on other
 * threads. Its connections stay; upgrades to it are refused with 503. NULL is allowed.
 *
 * The arguments:
 * NULL, or a service that nobody uses any more, but for servers.
 */
void hvloop_ws_service_free(struct hvloop_ws_service *service);

/**
 * As `hvloop_ws_service_free`, but waits for nothing: callbacks that run on other threads go on.
 *
 * The arguments:
 * As `hvloop_ws_service_free`.
 */
void hvloop_ws_service_free_nowait(struct hvloop_ws_service *service);

/**
 * What is called of its connections, in the place of what was; it holds at once, for all of them. 0 or a negative
 * `hvloop_error`; `drop` was called then.
 *
 * The arguments:
 * A service; the callbacks may be called, and dropped, on the threads of the servers' loops, several at a time.
 */
int hvloop_ws_service_set_callbacks(const struct hvloop_ws_service *service,
                                    struct hvloop_ws_callbacks callbacks);

/**
 * Asked with each proper request for an upgrade, in the place of what was asked before. It returns 0 to accept it,
 * with the headers of the answer, of which a Sec-WebSocket-Protocol chooses a subprotocol; else it is refused with
 * the answer, whose status is 403 unless another one is set. 0 or a negative `hvloop_error`; `drop` was called
 * then.
 *
 * The arguments:
 * As `hvloop_ws_service_set_callbacks`.
 */
int hvloop_ws_service_on_upgrade(const struct hvloop_ws_service *service,
                                 struct hvloop_http_callback callback);

/**
 * Speaks this subprotocol; of several the first one that was added and that the client offers is chosen, unless an
 * upgrade's answer chooses another one. 0 or a negative `hvloop_error`: it is none.
 *
 * The arguments:
 * A service, and a text that ends with a NUL.
 */
int hvloop_ws_service_add_subprotocol(const struct hvloop_ws_service *service,
                                      const char *name);

/**
 * Sends a Ping when nothing came for so many milliseconds; 0 or -1: never. Before a server gets the service.
 * Default 30,000. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A service.
 */
int hvloop_ws_service_set_ping_interval(const struct hvloop_ws_service *service, int64_t ms);

/**
 * How long after an unanswered Ping a peer that sends nothing counts as dead, in milliseconds. Before a server gets
 * the service. Default 10,000. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A service.
 */
int hvloop_ws_service_set_pong_timeout(const struct hvloop_ws_service *service,
                                       int64_t ms);

/**
 * How long a peer may take to answer a Close, in milliseconds. Before a server gets the service. Default 5,000. 0
 * or a negative `hvloop_error`.
 *
 * The arguments:
 * A service.
 */
int hvloop_ws_service_set_close_timeout(const struct hvloop_ws_service *service,
                                        int64_t ms);

/**
 * The most bytes that a message of a peer may have; one that has more closes the connection with 1009. Before a
 * server gets the service. Default 64 MiB, 16 MiB of them in a frame. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A service.
 */
int hvloop_ws_service_set_max_message_size(const struct hvloop_ws_service *service,
                                           size_t size);

/**
 * 1: compresses messages of clients that offer it (permessage-deflate); 0, the default: does not. Before a server
 * gets the service. 0 or a negative `hvloop_error`.
 *
 * The arguments:
 * A service.
 */
int hvloop_ws_service_set_deflate(const struct hvloop_ws_service *service,
                                  int on);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HVLOOP_H */
