/* libhv's event loop for C, over hvloop.h. */
#ifndef HV_LOOP_H_
#define HV_LOOP_H_

#include "detail/hloop_types.h"

#endif /* HV_LOOP_H_ */
