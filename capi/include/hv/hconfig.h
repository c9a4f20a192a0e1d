/* What libhv is told when it is built. hvloop has all that it has, so that there is nothing to be told. */
#ifndef HV_CONFIG_H_
#define HV_CONFIG_H_

#define HAVE_STDBOOL_H 1
#define HAVE_STDINT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_PTHREAD_H 1
#define WITH_EVPP 1

#endif /* HV_CONFIG_H_ */
