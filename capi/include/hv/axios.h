#error "hvloop has no HTTP client. Keep libhv for it: link both, and give the files that use it libhv's include path (see docs/cpp.md)."
