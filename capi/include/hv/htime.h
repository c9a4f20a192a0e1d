/* The time of day, and clocks, by libhv's names. */
#ifndef HV_TIME_H_
#define HV_TIME_H_

#include "hplatform.h"

#define SECONDS_PER_MINUTE 60
#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_DAY 86400
#define SECONDS_PER_WEEK 604800

#define IS_LEAP_YEAR(year) (((year) % 4 == 0 && (year) % 100 != 0) || (year) % 400 == 0)

typedef struct datetime_s {
    int year;
    int month; /* 1 to 12 */
    int day;
    int hour;
    int min;
    int sec;
    int ms;
} datetime_t;

#define TIME_FMT "%02d:%02d:%02d"
#define TIME_FMT_BUFLEN 12
#define DATETIME_FMT "%04d-%02d-%02d %02d:%02d:%02d"
#define DATETIME_FMT_ISO "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ"
#define DATETIME_FMT_BUFLEN 30
#define GMTIME_FMT "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT"
#define GMTIME_FMT_BUFLEN 30

HV_INLINE unsigned long long gettimeofday_us(void) {
    struct timeval now;
    gettimeofday(&now, NULL);
    return (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_usec;
}

HV_INLINE unsigned long long gettimeofday_ms(void) { return gettimeofday_us() / 1000; }

/* Of a clock that nobody sets. */
HV_INLINE unsigned long long gethrtime_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
}

HV_INLINE unsigned int gettick_ms(void) { return (unsigned int)(gethrtime_us() / 1000); }

HV_INLINE datetime_t datetime_localtime(time_t seconds) {
    struct tm parts;
    datetime_t made;
    memset(&parts, 0, sizeof(parts));
    localtime_r(&seconds, &parts);
    made.year = parts.tm_year + 1900;
    made.month = parts.tm_mon + 1;
    made.day = parts.tm_mday;
    made.hour = parts.tm_hour;
    made.min = parts.tm_min;
    made.sec = parts.tm_sec;
    made.ms = 0;
    return made;
}

HV_INLINE datetime_t datetime_now(void) {
    struct timeval now;
    datetime_t made;
    gettimeofday(&now, NULL);
    made = datetime_localtime(now.tv_sec);
    made.ms = (int)(now.tv_usec / 1000);
    return made;
}

HV_INLINE time_t datetime_mktime(datetime_t *dt) {
    struct tm parts;
    memset(&parts, 0, sizeof(parts));
    parts.tm_year = dt->year - 1900;
    parts.tm_mon = dt->month - 1;
    parts.tm_mday = dt->day;
    parts.tm_hour = dt->hour;
    parts.tm_min = dt->min;
    parts.tm_sec = dt->sec;
    parts.tm_isdst = -1;
    return mktime(&parts);
}

/* Into a buffer of DATETIME_FMT_BUFLEN bytes, which is returned. What does not fit is cut off. */
HV_INLINE char *datetime_fmt(datetime_t *dt, char *buf) {
    int written = snprintf(buf, DATETIME_FMT_BUFLEN, DATETIME_FMT, dt->year, dt->month, dt->day, dt->hour,
                           dt->min, dt->sec);
    (void)written;
    return buf;
}

HV_INLINE char *datetime_fmt_iso(datetime_t *dt, char *buf) {
    int written = snprintf(buf, DATETIME_FMT_BUFLEN, DATETIME_FMT_ISO, dt->year, dt->month, dt->day, dt->hour,
                           dt->min, dt->sec, dt->ms);
    (void)written;
    return buf;
}

/* Hours, minutes and seconds, into a buffer of TIME_FMT_BUFLEN bytes, which is returned. */
HV_INLINE char *duration_fmt(int sec, char *buf) {
    int written = snprintf(buf, TIME_FMT_BUFLEN, TIME_FMT, sec / 3600, sec / 60 % 60, sec % 60);
    (void)written;
    return buf;
}

/* As HTTP has it, into a buffer of GMTIME_FMT_BUFLEN bytes, which is returned. */
HV_INLINE char *gmtime_fmt(time_t time, char *buf) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm parts;
    int written;
    memset(&parts, 0, sizeof(parts));
    gmtime_r(&time, &parts);
    written = snprintf(buf, GMTIME_FMT_BUFLEN, GMTIME_FMT, days + 3 * parts.tm_wday, parts.tm_mday,
                       months + 3 * parts.tm_mon, parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                       parts.tm_sec);
    (void)written;
    return buf;
}

HV_INLINE int days_of_month(int month, int year) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) {
        return 0;
    }
    return days[month - 1] + (month == 2 && IS_LEAP_YEAR(year) ? 1 : 0);
}

#endif /* HV_TIME_H_ */
