/* libhv's event loop for C, over hvloop.h.
 *
 * Not as in libhv, on purpose: callbacks never come from inside a call (hio_close, hio_write); hio_write takes all
 * or nothing; a client's TLS verifies its server; timers and ios are made on the loop's thread, or before it runs.
 * What a callback of writes is told is how many bytes have gone. Not here: KCP, hio_set_ssl, hconnect of a
 * descriptor, hloop_new's priorities. */
#ifndef HV_LOOP_H_
#define HV_LOOP_H_

#include "detail/hloop_types.h"
#include "detail/hloop_fd.h"
#include "detail/hloop_loop.h"

#endif /* HV_LOOP_H_ */
