/* Macros by libhv's names, for declarations. The headers export nothing: all of hvloop is behind hvloop.h. */
#ifndef HV_EXPORT_H_
#define HV_EXPORT_H_

#ifndef HV_EXPORT
#define HV_EXPORT
#endif

/* Within C++ an inline function is one function of the program, however many files have it. */
#ifndef HV_INLINE
#ifdef __cplusplus
#define HV_INLINE inline
#else
#define HV_INLINE static inline
#endif
#endif

#ifndef HV_DEPRECATED
#if defined(HV_NO_DEPRECATED) || !defined(__GNUC__)
#define HV_DEPRECATED
#else
#define HV_DEPRECATED __attribute__((deprecated))
#endif
#endif

#ifndef HV_UNUSED
#ifdef __GNUC__
#define HV_UNUSED __attribute__((unused))
#else
#define HV_UNUSED
#endif
#endif

#ifdef __cplusplus
#ifndef EXTERN_C
#define EXTERN_C extern "C"
#endif
#ifndef BEGIN_EXTERN_C
#define BEGIN_EXTERN_C extern "C" {
#endif
#ifndef END_EXTERN_C
#define END_EXTERN_C }
#endif
#ifndef BEGIN_NAMESPACE
#define BEGIN_NAMESPACE(ns) namespace ns {
#endif
#ifndef END_NAMESPACE
#define END_NAMESPACE(ns) }
#endif
#ifndef USING_NAMESPACE
#define USING_NAMESPACE(ns) using namespace ns;
#endif
#ifndef DEFAULT
#define DEFAULT(value) = value
#endif
#else
#ifndef EXTERN_C
#define EXTERN_C extern
#endif
#ifndef BEGIN_EXTERN_C
#define BEGIN_EXTERN_C
#endif
#ifndef END_EXTERN_C
#define END_EXTERN_C
#endif
#ifndef BEGIN_NAMESPACE
#define BEGIN_NAMESPACE(ns)
#endif
#ifndef END_NAMESPACE
#define END_NAMESPACE(ns)
#endif
#ifndef USING_NAMESPACE
#define USING_NAMESPACE(ns)
#endif
#ifndef DEFAULT
#define DEFAULT(value)
#endif
#endif

#define BEGIN_NAMESPACE_HV BEGIN_NAMESPACE(hv)
#define END_NAMESPACE_HV END_NAMESPACE(hv)
#define USING_NAMESPACE_HV USING_NAMESPACE(hv)

#endif /* HV_EXPORT_H_ */
