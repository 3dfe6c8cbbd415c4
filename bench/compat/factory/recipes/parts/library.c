#include "parts.h"

int part(int number) { return number; }
