/// A C++ component that knows a loop, and nobody's `main`.
#ifndef SHARED_LOOP_SQUARES_H
#define SHARED_LOOP_SQUARES_H

#include <stdint.h>

#include "hvloop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct squares squares;

/// On that loop. `answer(data, n, square)` is called on its thread.
squares *squares_new(hvloop_loop *loop, void (*answer)(void *data, uint32_t n, uint32_t square), void *data);

/// Asks for a square: it is answered a millisecond later.
void squares_ask(squares *self, uint32_t n);

/// After this nothing is answered any more.
void squares_free(squares *self);

#ifdef __cplusplus
}
#endif

#endif
