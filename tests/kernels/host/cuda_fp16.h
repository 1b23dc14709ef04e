// Half precision is in emulator.hpp.
