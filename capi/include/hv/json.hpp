/// nlohmann's JSON library, of which libhv brings a copy, and hvloop does not: install it, and this finds it.
#ifndef HVLOOP_HV_JSON_HPP
#define HVLOOP_HV_JSON_HPP

#include <nlohmann/json.hpp>

#endif // HVLOOP_HV_JSON_HPP
