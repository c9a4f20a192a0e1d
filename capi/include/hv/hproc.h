/* Processes of this program. */
#ifndef HV_PROC_H_
#define HV_PROC_H_

#include "hdef.h"

#include <sys/wait.h>

/* What a process does: first, then, at last. */
typedef struct proc_ctx_s {
    pid_t pid;
    time_t start_time;
    int spawn_cnt;
    void (*init)(void *userdata);
    void *init_userdata;
    void (*proc)(void *userdata);
    void *proc_userdata;
    void (*exit)(void *userdata);
    void *exit_userdata;
} proc_ctx_t;

HV_INLINE void hproc_run(proc_ctx_t *ctx) {
    if (ctx->init) {
        ctx->init(ctx->init_userdata);
    }
    if (ctx->proc) {
        ctx->proc(ctx->proc_userdata);
    }
    if (ctx->exit) {
        ctx->exit(ctx->exit_userdata);
    }
}

/* A child process that does this, and ends. Before loops are made: a child's copies of them do nothing. Its number,
   or a negative one. */
HV_INLINE int hproc_spawn(proc_ctx_t *ctx) {
    pid_t pid;
    ++ctx->spawn_cnt;
    ctx->start_time = time(NULL);
    pid = fork();
    if (pid == 0) {
        hproc_run(ctx);
        exit(0);
    }
    ctx->pid = pid;
    return (int)pid;
}

#endif /* HV_PROC_H_ */
