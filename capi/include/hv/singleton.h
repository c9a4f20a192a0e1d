/// One object of a class, made when it is first asked for.
#ifndef HV_SINGLETON_H_
#define HV_SINGLETON_H_

#include <cstddef>
#include <mutex>

#ifndef DISABLE_COPY
#define DISABLE_COPY(Class)                                                                        \
    Class(const Class &) = delete;                                                                 \
    Class &operator=(const Class &) = delete;
#endif

/// Within the class. `instance()` makes it, `exitInstance()` deletes it; each with nothing locked but the
/// pointer.
#define SINGLETON_DECL(Class)                                                                      \
  public:                                                                                          \
    static Class *instance();                                                                      \
    static void exitInstance();                                                                    \
                                                                                                   \
  private:                                                                                         \
    DISABLE_COPY(Class)                                                                            \
    static Class *s_pInstance;                                                                     \
    static std::mutex s_mutex;

/// In one file of the program. The destructor runs with the pointer unlocked: a callback that it waits for may
/// ask for the instance.
#define SINGLETON_IMPL(Class)                                                                      \
    Class *Class::s_pInstance = NULL;                                                              \
    std::mutex Class::s_mutex;                                                                     \
    Class *Class::instance() {                                                                     \
        std::lock_guard<std::mutex> lock(s_mutex);                                                 \
        if (s_pInstance == NULL) s_pInstance = new Class;                                          \
        return s_pInstance;                                                                        \
    }                                                                                              \
    void Class::exitInstance() {                                                                   \
        Class *gone;                                                                               \
        {                                                                                          \
            std::lock_guard<std::mutex> lock(s_mutex);                                             \
            gone = s_pInstance;                                                                    \
            s_pInstance = NULL;                                                                    \
        }                                                                                          \
        delete gone;                                                                               \
    }

#endif // HV_SINGLETON_H_
