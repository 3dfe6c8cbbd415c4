#include <cstdio>

#include "greet.h"

int main() { std::printf("%s, world\n", greeting()); }
