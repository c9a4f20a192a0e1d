/* libhv's base, as far as hvloop has it. */
#ifndef HV_H_
#define HV_H_

#include "hconfig.h"
#include "hexport.h"
#include "hplatform.h"

#include "hatomic.h"
#include "hbase.h"
#include "hbuf.h"
#include "hdef.h"
#include "herr.h"
#include "hlog.h"
#include "hmutex.h"
#include "hsocket.h"
#include "hthread.h"
#include "htime.h"
#include "hversion.h"

#ifdef __cplusplus
#include "hstring.h"
#endif

#endif /* HV_H_ */
