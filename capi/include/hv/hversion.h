/* Whose interface the headers have, for programs that ask: libhv's version. hvloop's own is hvloop_version(). */
#ifndef HV_VERSION_H_
#define HV_VERSION_H_

#include "hplatform.h"

#include "../hvloop.h"

#define HV_VERSION_MAJOR 1
#define HV_VERSION_MINOR 3
#define HV_VERSION_PATCH 4
#define HV_VERSION_STRING "1.3.4"
#define HV_VERSION_NUMBER ((HV_VERSION_MAJOR << 16) | (HV_VERSION_MINOR << 8) | HV_VERSION_PATCH)

HV_INLINE const char *hv_version(void) { return HV_VERSION_STRING; }

HV_INLINE const char *hv_compile_version(void) { return hvloop_version(); }

#endif /* HV_VERSION_H_ */
